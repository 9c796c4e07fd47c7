"""Viewers behind nginx as a cache before two edges; ``bench/hls_cache.py`` is the same, larger and longer."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from edge.access.edge_scheme import EdgeScheme
from edge.access.token import Asked
from edge.hls.permits import Opens, Permits
from tests.harness.clients import ffmpeg_publish
from tests.harness.hls_cache import CacheTrial, clip_of_even_groups
from tests.harness.hls_client import HlsClient, open_session
from tests.harness.nginx_cache import CacheLine, NginxCache
from tests.harness.server import EdgeServer

pytestmark = [pytest.mark.interop, pytest.mark.slow]

_KEY = b"0123456789abcdef0123456789abcdef"
_SECRET = b"fedcba9876543210fedcba9876543210"
_CDN_SECRET = "00112233445566778899aabbccddeeff"
_VIEWERS, _WATCHED_S = 6, 4.0
_SEGMENTS = "-hls_fragment_s=1"
_FORMS = ("classic", "ll")
_TEN_MINUTES_S = 600


async def test_viewers_behind_a_cache_notice_nothing_of_edges_that_come_and_go(tmp_path: Path) -> None:
    """Each object is asked for once and is the same at both edges, and nobody stalls for a segment."""
    found = await CacheTrial(clip_of_even_groups(tmp_path), viewers=16, duration_s=22).run()
    assert not found.faults(), "\n".join((*found.faults(), *found.events))
    assert found.media["classic"] >= 8 * 8 and found.media["ll"] >= 8 * 50
    assert found.hits >= 50 and found.compared >= 20
    assert sum(found.edge_requests.values()) >= 60


def token(*, within_s: float = 600) -> str:
    """What lets a viewer of ``live/guarded`` in; another one for each."""
    now_s = time.time()
    return EdgeScheme().sign(Asked("play", "_", "live", "guarded", "", "", now_s), _KEY, int(now_s + within_s))


def guarded_edge(folder: Path, origin: EdgeServer) -> EdgeServer:
    """One that wants signed URLs."""
    (folder / "keys").write_bytes(_KEY)
    (folder / "secret").write_bytes(_SECRET)
    (folder / "cdn").write_text(_CDN_SECRET)
    gate = ("-play_auth=sign", f"-sign_keys_file={folder / 'keys'}", f"-node_secret_file={folder / 'secret'}")
    cdn = f"-hls_cdn_secret_file={folder / 'cdn'}"
    return EdgeServer(f"-proxy_to=list://{origin.address}", *gate, cdn, _SEGMENTS)


def is_entry(line: CacheLine) -> bool:
    path = urlsplit(line.uri).path
    return path.endswith(".m3u8") and ".media." not in path


def permits_of(lines: list[CacheLine]) -> dict[str, set[str]]:
    """By path what its URLs bear."""
    found: dict[str, set[str]] = {}
    for line in lines:
        parts = urlsplit(line.uri)
        found.setdefault(parts.path, set()).update(parse_qs(parts.query).get("p", [""]))
    return found


def media_of(lines: list[CacheLine]) -> list[CacheLine]:
    """Segments, parts and configurations that the first edge had, and for which a viewer waited."""
    # nginx 1.22 does not keep what came after a 503 with no-store.
    retried = {line.uri for line in lines if len(line.upstreams) > 1}
    return [line for line in lines if ".m3u8" not in line.uri and line.uri not in retried and line.status != 499]


async def test_viewers_with_permits_share_what_a_cache_holds_and_a_copied_url_dies(tmp_path: Path) -> None:
    """Each is judged once, at whichever edge; from then on the cache does no more than for a stream without gates."""
    began_s = time.time()
    with contextlib.ExitStack() as stack:
        origin = stack.enter_context(EdgeServer(_SEGMENTS))
        edges = [stack.enter_context(guarded_edge(tmp_path, origin)) for _ in range(2)]
        clip = clip_of_even_groups(tmp_path, group_s=1)
        stack.enter_context(ffmpeg_publish(clip, origin.rtmp_url("live", "guarded"), loops=-1))
        async with NginxCache([edge.address for edge in edges]) as cache, open_session() as session:
            base = f"http://{cache.address}/live"

            async def watch(number: int) -> HlsClient:
                url = f"{base}/guarded.{_FORMS[number % 2]}.m3u8?{token(within_s=600 + number)}"
                client = HlsClient(url, session=session, duration_s=_WATCHED_S)
                await client.run()
                return client

            for viewer in await asyncio.gather(*map(watch, range(_VIEWERS))):
                assert not viewer.errors and not viewer.missed and not {0, 403, 404} & set(viewer.statuses)
                assert viewer.played_count >= 1
            guarded = [line for line in cache.lines() if "/live/guarded" in line.uri]

            entries = [line for line in guarded if is_entry(line)]
            assert len({line.uri for line in entries}) == len(entries) == _VIEWERS
            assert all(line.cache != "HIT" and line.upstreams for line in entries), "each is judged"
            inside = [line for line in guarded if not is_entry(line)]
            assert not any("sig=" in line.uri or "token=" in line.uri for line in inside), "and judged once"

            permits = permits_of(inside)
            assert all("" not in found for found in permits.values())
            has_turned = int(began_s) // _TEN_MINUTES_S != int(time.time()) // _TEN_MINUTES_S
            for path, found in permits.items():
                assert len(found) == 1 or (has_turned and ".m3u8" in path), f"{path}: {found}"
            media = media_of(inside)
            asked = Counter(line.uri for line in media if line.upstreams)
            assert max(asked.values()) == 1 and len(asked) >= 5, asked.most_common(3)
            # As if there were no permits: each is a miss once, and a hit for everybody else.
            hits, open_hits = sum(line.cache == "HIT" for line in media), len(media) - len(permits_of(media))
            assert hits >= open_hits - 0.02 * len(media) and hits >= len(media) / 3, (hits, open_hits, len(media))

            playlists = [line for line in inside if ".m3u8" in line.uri and "_HLS" not in line.uri]
            for line in (media[0], playlists[0]):
                path, _, query = line.uri.partition("?")
                opens = Opens.PLAYLIST if ".m3u8" in path else Opens.CONFIGURATION if ".init." in path else Opens.MEDIA
                old = Permits(_SECRET).make("_/live/guarded", int(began_s) // 60 - 1, opens)
                other = Permits(_SECRET).make("_/live/open", int(began_s) // 60 + 60, opens)
                for copied in ("", f"?p={old}", f"?p={other}", f"?{query[:-1]}"):
                    async with session.get(f"http://{cache.address}{path}{copied}") as answer:
                        assert answer.status == 403, (path, copied)
            async with session.get(f"{base}/guarded.ll.m3u8?{token(within_s=-60)}") as answer:
                assert answer.status == 403
        await viewers_of_a_cdn_need_nothing([edge.address for edge in edges])


async def viewers_of_a_cdn_need_nothing(edges: list[str]) -> None:
    """One that shows the secret serves all that it is asked for, and may keep it."""
    async with NginxCache(edges, secret=_CDN_SECRET) as cache:
        for _ in range(2):
            client = HlsClient(f"http://{cache.address}/live/guarded.classic.m3u8", duration_s=1.0)
            await client.run()
            assert not client.errors and not {0, 403, 404} & set(client.statuses) and client.played_count >= 1
            assert all(each.headers["Cache-Control"].startswith("public") for each in client.fetches if each.is_whole)
        lines = cache.lines()
        assert any(line.cache == "HIT" for line in lines if ".m3u8" not in line.uri)
        assert not any("?" in line.uri for line in lines), "there are no permits"
