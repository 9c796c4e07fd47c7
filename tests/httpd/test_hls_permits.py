"""Streams that ask for a credential: it is asked for once, and the URLs in playlists bear permits."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import pytest

from edge.access.edge_scheme import EdgeScheme
from edge.access.token import Asked
from edge.httpd.hls_fetch import NODE_HEADER
from edge.httpd.hls_permits import HlsGuard
from edge.hub.key import StreamKey
from edge.net.aio import wall_ms
from tests.access.tokens import claims
from tests.access.tokens import token as made_token
from tests.harness.clock import deadline, wait_until
from tests.harness.m3u8 import Media, parse
from tests.httpd.feeding import Source
from tests.httpd.hls_asking import SCHEMES, ask, asking, beside, entry_of, hls_of
from tests.httpd.test_hls_shelf import pushed
from tests.runtime.nodes import RunningNode, running
from tests.service.fakes import Door, FakeClient

KEY = b"0123456789abcdef0123456789abcdef"


@asynccontextmanager
async def guarded(tmp_path: Path, *flags: str) -> AsyncIterator[tuple[RunningNode, Source]]:
    """A node whose streams want signed URLs, with three seconds of one."""
    for name in ("keys", "secret"):
        (tmp_path / name).write_bytes(KEY + b"\n")
        (tmp_path / name).chmod(0o600)
    gate = ("-play_auth=sign", f"-sign_keys_file={tmp_path / 'keys'}", f"-node_secret_file={tmp_path / 'secret'}")
    async with running(*gate, "-hls_fragment_s=1", *flags) as node:
        source = await Source.at(node)
        await pushed(node, source, 75)
        yield node, source


def token(name: str = "s", in_s: int = 600) -> str:
    now_s = wall_ms() / 1000
    asked = Asked("play", "_", "live", name, f"/live/{name}", "127.0.0.1", now_s)
    return EdgeScheme().sign(asked, KEY, int(now_s) + in_s)


def permit_of(uri: str) -> str:
    (found,) = parse_qs(urlsplit(uri).query)["p"]
    return found


async def media(node: RunningNode, source: Source, path: str, *lines: str) -> Media:
    """The playlist, once enough of it has come."""
    task = asking(node, path, *lines)
    (stream,) = node.node.units[0].registry.streams.values()
    await wait_until(lambda: task.done() or len(stream.readers) > 1, deadline(3), "a segmenter")
    for _ in range(3):
        await pushed(node, source, 25)
    await task
    answer = await ask(node, path, *lines)
    assert answer.status == 200, answer
    found = parse(answer.body.decode())
    assert isinstance(found, Media)
    return found


def uris_of(found: Media) -> list[str]:
    parts = [part.uri for each in found.segments for part in each.parts]
    maps = [each.map_uri for each in found.segments if each.map_uri]
    return [*(each.uri for each in found.segments[:1]), *parts[:1], *maps[:1]]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_AU27_who_has_the_entry_plays_on_and_a_url_that_is_copied_dies(scheme: str, tmp_path: Path) -> None:
    entry, _, suffix = SCHEMES[scheme]
    async with guarded(tmp_path, "-hls_session_s=3600") as (node, source):
        answer = await ask(node, f"{entry}?{token()}")
        assert answer.status == 200 and answer.headers["cache-control"] == "private, no-store"
        assert "token" not in answer.body.decode() and KEY.decode() not in answer.body.decode()
        playlist = beside(entry, await entry_of(node, f"{entry}?{token()}"))
        assert token() not in playlist
        found = await media(node, source, playlist)
        uris = [beside(entry, uri) for uri in uris_of(found)]
        assert len(uris) >= 1 + 2 * (suffix == ".m4s")
        for uri in uris:
            good = await ask(node, uri)
            assert good.status == 200 and "immutable" in good.headers["cache-control"], uri
            for bad in (
                uri.partition("?")[0],
                uri.upper().replace(uri.partition("?")[0].upper(), uri.partition("?")[0]),
                uri[:-1],
            ):
                refused = await ask(node, bad)
                assert refused.status == 403 and refused.headers["access-control-allow-origin"] == "*", bad
        plain, _, query = playlist.partition("?")
        for bad in (plain, f"{plain}?p=", f"{plain}?{query[:-1]}", f"{plain}?{token()}"):
            refused = await ask(node, bad)
            assert refused.status == 403 and refused.headers["access-control-allow-origin"] == "*", bad
        assert (await ask(node, playlist, method="HEAD")).status == 200
        assert (await ask(node, plain, method="HEAD")).status == 403
        assert (await ask(node, plain, method="OPTIONS")).status in (200, 204)

        later_ms = wall_ms() + 20 * 60_000
        with patch.object(hls_of(node)._guard, "_wall_ms", lambda: later_ms):
            assert (await ask(node, playlist)).status == 200
            for uri in (uri for uri in uris if ".init.mp4" not in uri):
                assert (await ask(node, uri)).status == 403, "a segment's permit ends with the window"
        later_ms = wall_ms() + 72 * 60_000
        with patch.object(hls_of(node)._guard, "_wall_ms", lambda: later_ms):
            assert (await ask(node, playlist)).status == 403
        await pushed(node, source, 5)


async def test_permit_of_one_class_opens_no_other(tmp_path: Path) -> None:
    """That of a configuration lives for hours: it must not give a viewer more time than he has."""
    entry, _, _ = SCHEMES["low-latency"]
    async with guarded(tmp_path) as (node, source):
        playlist = beside(entry, await entry_of(node, f"{entry}?{token()}"))
        found = await media(node, source, playlist)
        urls = [playlist, *(beside(entry, uri) for uri in uris_of(found))]
        classes = [0, 1, 1, 2]  # the playlist; a segment and a part; the configuration
        assert len(urls) == len(classes) and ".init.mp4" in urls[-1]
        for url, opened in zip(urls, classes, strict=True):
            for other, shown in zip(urls, classes, strict=True):
                answer = await ask(node, f"{url.partition('?')[0]}?p={permit_of(other)}")
                assert answer.status == (200 if opened == shown else 403), (url, other)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_permit_in_the_url_of_an_entry_opens_no_gate(scheme: str, tmp_path: Path) -> None:
    entry = SCHEMES[scheme][0]
    async with guarded(tmp_path) as (node, _):
        good = permit_of(await entry_of(node, f"{entry}?{token()}"))
        for said in ("p=", "p=1", f"p={good}", f"{token('other')}&p={good}"):
            for method in ("GET", "HEAD"):
                refused = await ask(node, f"{entry}?{said}", method=method)
                assert refused.status == 403, (said, method)


async def test_permit_of_a_viewer_ends_with_his_token_where_that_is_wanted(tmp_path: Path) -> None:
    entry = SCHEMES["classic"][0]
    async with guarded(tmp_path, "-auth_end_at_expiry") as (node, _):
        minute = int(permit_of(await entry_of(node, f"{entry}?{token(in_s=300)}")).partition(".")[0], 16)
        assert 3 * 60 <= minute * 60 - wall_ms() / 1000 <= 6 * 60


async def test_viewer_with_an_id_has_no_more_time_than_his_token(tmp_path: Path) -> None:
    entry = SCHEMES["two-level"][0]
    async with guarded(tmp_path, "-auth_end_at_expiry", "-hls_user_session") as (node, _):
        parts = urlsplit(await entry_of(node, f"{entry}?{token(in_s=300)}"))
        playlist = f"{parts.path}?{parts.query}"
        (session,) = hls_of(node).sessions._by_id.values()
        assert 290_000 <= session.ends_ms - session.asked_ms <= 300_000 and session.id in playlist
        assert (await ask(node, playlist)).status in (200, 503)
        session.ends_ms = session.asked_ms
        refused = await ask(node, playlist)
        assert (refused.status, refused.body) == (403, b"TokenExpired\n")


async def test_all_viewers_share_the_urls_and_each_is_judged_once(tmp_path: Path) -> None:
    entry = SCHEMES["classic"][0]
    async with guarded(tmp_path) as (node, source):
        playlists = [beside(entry, await entry_of(node, f"{entry}?{token(in_s=600 + number)}")) for number in range(3)]
        assert len({permit_of(playlist) for playlist in playlists}) == 1
        await media(node, source, playlists[0])
        texts = {(await ask(node, playlist)).body for playlist in playlists}
        assert len(texts) == 1
        rules = node.node.units[0].service.admission.entry_rules
        with patch.object(rules[0], "check", side_effect=AssertionError("judged again")):
            for _ in range(3):
                assert (await ask(node, playlists[0])).status == 200
        assert (await ask(node, entry)).status in (401, 403)
        assert (await ask(node, f"{entry}?{token('other')}")).status == 403


async def test_with_a_permit_one_comes_in_where_nobody_plays_and_at_another_node_with_the_secret(
    tmp_path: Path,
) -> None:
    entry = SCHEMES["classic"][0]
    async with guarded(tmp_path) as (node, _), guarded(tmp_path) as (other, source):
        playlist = beside(entry, await entry_of(node, f"{entry}?{token()}"))
        assert (await media(other, source, playlist)).segments
        assert (await ask(other, playlist.replace("/live/s.", "/live/t."))).status == 403


@pytest.mark.parametrize(
    ("is_guarded", "said", "peer", "is_node"),
    [
        (True, "n1", "10.0.0.5:7", True),
        (True, "n1", "10.0.0.6:7", False),
        (True, "n2", "10.0.0.5:7", False),
        (True, "", "10.0.0.5:7", False),
        (False, "n1", "10.0.0.6:7", True),
    ],
)
def test_id_of_a_node_is_no_permit_for_who_has_heard_it(is_guarded: bool, said: str, peer: str, is_node: bool) -> None:
    """Whoever says to be a node is told the id of the one that it connects to."""
    guard = HlsGuard(lambda *_: is_guarded, lambda: KEY)
    play = SimpleNamespace(client=FakeClient(1, "10.0.0.5:1935", edge_id="n1"))
    stream: Any = SimpleNamespace(key=StreamKey("_", "live", "s"), roster=SimpleNamespace(plays=lambda: [play]))
    request: Any = SimpleNamespace(headers={NODE_HEADER: said}, protocol=SimpleNamespace(peer=peer))
    assert guard.is_node(request, Door().service, stream) is is_node


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("gate", ["-play_deny=10.0.0.9", "-refer_play=example.com"])
async def test_media_playlist_leads_past_no_address_and_no_page(scheme: str, gate: str) -> None:
    """While somebody else watched, its name was enough."""
    entry = SCHEMES[scheme][0]
    good = ("X-Forwarded-For: 10.0.0.8", "Referer: http://example.com/")
    bad = ("X-Forwarded-For: 10.0.0.9", "Referer: http://example.org/")
    async with running(gate, "-trusted_proxies=127.0.0.1", "-hls_fragment_s=1") as node:
        source = await Source.at(node)
        await pushed(node, source, 75)
        assert (await ask(node, entry, *bad)).status == 403
        playlist = beside(entry, (await entry_of(node, entry, *good)))
        await media(node, source, playlist, *good)
        for method in ("GET", "HEAD"):
            assert (await ask(node, playlist, *bad, method=method)).status == 403
            assert (await ask(node, playlist, *good, method=method)).status == 200


OPEN, PRIVATE = "public, max-age=1", "private, no-store"
GATES = {
    "none": ((), OPEN, OPEN),
    "allow": (("-play_allow=127.0.0.0/8",), PRIVATE, PRIVATE),
    "deny": (("-play_deny=10.0.0.9",), PRIVATE, PRIVATE),
    "refer_all": (("-refer_all=none",), PRIVATE, PRIVATE),
    "refer_play": (("-refer_play=example.com,none",), PRIVATE, PRIVATE),
    "refer_publish": (("-refer_publish=none",), OPEN, OPEN),
    "publish_deny": (("-publish_deny=10.0.0.9",), OPEN, OPEN),
    # Media playlists bear permits, and are the same for all who have them.
    "sign": (("-play_auth=sign", "-sign_keys_file={keys}"), PRIVATE, OPEN),
    "sign and page": (("-play_auth=sign", "-sign_keys_file={keys}", "-refer_play=none"), PRIVATE, OPEN),
    "callback": (("-hooks_on_play=http://127.0.0.1:1/", "-hook_failure=allow"), PRIVATE, OPEN),
}


@pytest.mark.parametrize("gate", GATES)
async def test_no_cache_gives_to_others_what_was_judged_for_one(gate: str, tmp_path: Path) -> None:
    flags, of_entry, of_media = GATES[gate]
    (tmp_path / "keys").write_bytes(KEY + b"\n")
    (tmp_path / "keys").chmod(0o600)
    async with running("-hls_fragment_s=1", *(flag.format(keys=tmp_path / "keys") for flag in flags)) as node:
        source = await Source.at(node)
        await pushed(node, source, 75)
        for scheme in SCHEMES:
            entry = SCHEMES[scheme][0]
            answers = [await ask(node, f"{entry}?{token()}", method=method) for method in ("GET", "HEAD")]
            assert {(each.status, each.headers["cache-control"]) for each in answers} == {(200, of_entry)}, scheme
            playlist = beside(entry, await entry_of(node, f"{entry}?{token()}"))
            await media(node, source, playlist)
            answer = await ask(node, playlist)
            control = answer.headers["cache-control"]
            assert answer.status == 200 and control.partition(",")[0] == of_media.partition(",")[0], scheme


async def test_streams_without_a_gate_are_as_they_were(tmp_path: Path) -> None:
    entry = SCHEMES["low-latency"][0]
    async with running("-hls_fragment_s=1") as node:
        source = await Source.at(node)
        await pushed(node, source, 75)
        answer = await ask(node, f"{entry}?a=b")
        assert answer.headers["cache-control"] == "public, max-age=1"
        playlist = beside(entry, await entry_of(node, f"{entry}?a=b"))
        assert playlist.endswith("?a=b")
        found = await media(node, source, playlist)
        assert found.segments and not any("?" in uri for uri in uris_of(found))


CDN = "Authorization: Bearer 00112233445566778899aabbccddeeff"


def cdn_file(tmp_path: Path, secret: str = CDN.rpartition(" ")[2]) -> Path:
    path = tmp_path / "cdn"
    path.write_text(f"{secret}\n")
    return path


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_cdn_that_checks_viewers_itself_meets_no_gate_and_may_keep_what_it_gets(
    scheme: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    entry, _, _ = SCHEMES[scheme]
    cdn = (f"-hls_cdn_secret_file={cdn_file(tmp_path)}", "-play_deny=all")
    async with guarded(tmp_path, *cdn) as (node, source):
        assert (await ask(node, f"{entry}?{token()}")).status == 403, "the address of a viewer"
        answer = await ask(node, f"{entry}?{token()}", CDN)
        assert answer.status == 200 and answer.headers["cache-control"] == "public, max-age=1", answer
        playlist = beside(entry, await entry_of(node, f"{entry}?{token()}", CDN))
        assert "?" not in playlist, "neither a permit, nor what one of its viewers said"
        found = await media(node, source, playlist, CDN)
        uris = [beside(entry, uri) for uri in uris_of(found)]
        assert uris and not any("?" in uri for uri in uris)
        for uri in uris:
            assert "immutable" in (await ask(node, uri, CDN)).headers["cache-control"]
            assert (await ask(node, uri)).status == 403
        for url in (entry, playlist, *uris):
            for wrong in ([CDN[:-1]], ["Authorization: Bearer"], [CDN, CDN], [CDN, "Authorization: Basic YTpi"]):
                refused = await ask(node, url, *wrong)
                assert (refused.status, refused.headers["cache-control"]) == (403, "no-store"), (url, wrong)
            for query in ("authorization=Bearer+", "access_token=", "hls_cdn_secret="):
                assert (await ask(node, f"{url}?{query}{CDN.rpartition(' ')[2]}")).status == 403
            assert (await ask(node, url, CDN, method="HEAD")).status == 200
        live = await ask(node, ".flv", CDN)
        assert live.status == 403, "it is for HLS"
        pages = [await ask(node, page) for page in ("/why", "/connections", "/flags", "/players/_/live/s", "/metrics")]
        assert all(page.status == 200 and CDN[-20:-1].encode() not in page.body for page in pages), pages
    assert CDN[-20:-1] not in caplog.text


async def test_secret_of_a_cdn_is_read_again_and_is_that_of_its_vhost(tmp_path: Path) -> None:
    conf, entry = tmp_path / "edge.conf", SCHEMES["classic"][0]
    conf.write_text(f"vhost a.example {{ hls_cdn_secret_file {cdn_file(tmp_path)}; }}\nvhost b.example {{ }}\n")
    async with running(f"-vhost_config={conf}", "-hls_fragment_s=1") as node:

        async def statuses(*lines: str) -> list[int]:
            hosts = ("a.example", "b.example")
            return [(await ask(node, f"{entry}", *lines, method="HEAD", host=host)).status for host in hosts]

        assert await statuses() == await statuses(CDN) == [404, 404], "there is no such stream"
        assert await statuses(CDN[:-1]) == [403, 404], "a wrong one is refused where no gate stands, too"
        cdn_file(tmp_path, "ffeeddccbbaa99887766554433221100")
        await node.reloader.reload("SIGHUP")
        assert await statuses(CDN) == [403, 404]
        cdn_file(tmp_path, "short")
        await node.reloader.reload("SIGHUP")
        assert await statuses("Authorization: Bearer ffeeddccbbaa99887766554433221100") == [404, 404]


async def test_viewers_of_a_cdn_are_not_sent_to_nodes_that_want_permits_of_them(tmp_path: Path) -> None:
    entry = SCHEMES["classic"][0]
    siblings = "-hls_siblings=list://http://127.0.0.1:1,http://127.0.0.1:2"
    async with guarded(tmp_path, siblings, f"-hls_cdn_secret_file={cdn_file(tmp_path)}") as (node, _):
        of_viewer, of_cdn = await ask(node, f"{entry}?{token()}"), await ask(node, entry, CDN)
        assert b"#EXT-X-CONTENT-STEERING" in of_viewer.body
        assert of_cdn.status == 200 and b"#EXT-X-CONTENT-STEERING" not in of_cdn.body
        assert of_cdn.headers["cache-control"] == "public, max-age=1"


# --- tokens (JWT) ----------------------------------------------------------------------

SECRETS = Path(__file__).parents[2] / "flagfiles" / "access"


def jwt_of(path: str, in_s: int = 300) -> str:
    return made_token({**claims(path=path), "exp": int(wall_ms() / 1000) + in_s})


async def test_token_lets_in_once_and_its_permit_ends_with_it(tmp_path: Path) -> None:
    entry = SCHEMES["classic"][0]
    gate = ("-play_auth=jwt", f"-jwt_keys={SECRETS / 'jwt.keys'}", "-auth_end_at_expiry")
    async with guarded(tmp_path, *gate) as (node, source):
        good, other = jwt_of("live/s"), jwt_of("live/other")
        bearer = f"Authorization: Bearer {good}"
        for said in (entry, f"{entry}?token={other}", f"{entry}?token={good}&jwt={good}"):
            assert (await ask(node, said)).status == 403
        assert (await ask(node, f"{entry}?jwt={good}", bearer)).status == 403, "two are none"
        of_query, of_header = await entry_of(node, f"{entry}?jwt={good}"), await entry_of(node, entry, bearer)
        assert good not in of_query + of_header and permit_of(of_query) == permit_of(of_header)
        minute = int(permit_of(of_query).partition(".")[0], 16)
        assert 3 * 60 <= minute * 60 - wall_ms() / 1000 <= 6 * 60
        playlist = beside(entry, of_header)
        (uri, *_) = uris_of(await media(node, source, playlist))
        assert (await ask(node, beside(entry, uri))).status == 200, "no token is asked for again"
        assert (await ask(node, beside(entry, uri).partition("?")[0], bearer)).status == 403


async def test_header_is_the_cdns_where_there_is_one_and_tokens_stand_in_urls(tmp_path: Path) -> None:
    entry = SCHEMES["classic"][0]
    gate = ("-play_auth=jwt", f"-jwt_keys={SECRETS / 'jwt.keys'}", f"-hls_cdn_secret_file={cdn_file(tmp_path)}")
    async with guarded(tmp_path, *gate) as (node, _):
        good = jwt_of("live/s")
        assert (await ask(node, entry, CDN)).headers["cache-control"] == "public, max-age=1"
        assert (await ask(node, f"{entry}?token={good}", CDN)).status == 200, "what its viewers said"
        assert (await ask(node, f"{entry}?token={good}")).status == 200
        assert (await ask(node, entry, f"Authorization: Bearer {good}")).status == 403
        live = asking(node, ".flv", f"Authorization: Bearer {good}")
        (stream,) = node.node.units[0].registry.streams.values()

        def is_playing() -> bool:
            return any(each.client.protocol == "http-flv" for each in stream.roster.plays())

        await wait_until(lambda: live.done() or is_playing(), deadline(3), "the play")
        assert not live.done(), live.result()
        live.cancel()
