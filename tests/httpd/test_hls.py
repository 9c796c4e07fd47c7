"""HLS from a whole node: playlists of each scheme, segments and parts, what waits and what does not."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.m3u8 import Media
from tests.harness.m3u8_model import Segment
from tests.httpd.feeding import Source
from tests.httpd.hls_asking import LAVF, SCHEMES, ask, asking, beside, entry_of, media_of, waits
from tests.httpd.hls_watching import pushed, started, watched
from tests.runtime.nodes import running

every_scheme = pytest.mark.parametrize("scheme", SCHEMES)
PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
FOR_EVER = "public, max-age=31536000, immutable"
MEDIA_TYPES = {".ts": "video/mp2t", ".m4s": "video/mp4"}


def complete(media: Media) -> list[Segment]:
    """Those that will not grow any more."""
    return [segment for segment in media.segments if segment.duration_s != 1.042]


# --- playlists -----------------------------------------------------------------


@every_scheme
async def test_entry_names_the_media_playlist_and_that_its_segments(scheme: str) -> None:
    entry, media_suffix, media_kind = SCHEMES[scheme]
    async with running() as node:
        await watched(node)
        answer = await ask(node, entry)
        assert (answer.status, answer.headers["content-type"]) == (200, PLAYLIST_TYPE)
        assert answer.headers["cache-control"] == "public, max-age=1"
        assert b'CODECS="avc1.42c01f,mp4a.40.2"' in answer.body and b"RESOLUTION=" in answer.body
        uri = await entry_of(node, entry)
        assert uri == f"s{media_suffix}"
        media = await media_of(node, beside(entry, uri))
        segments = [segment for segment in media.segments if segment.duration_s != 1.042]
        assert segments
        for segment in segments[:2]:
            assert segment.uri.endswith(media_kind) and segment.uri.startswith("s.")
            answer = await ask(node, beside(entry, segment.uri))
            assert (answer.status, answer.headers["content-type"]) == (200, MEDIA_TYPES[media_kind])
            assert answer.headers["cache-control"] == FOR_EVER
            assert answer.body[:1] == b"G" if media_kind == ".ts" else answer.body[4:8] == b"moof"


async def test_who_watches_is_counted() -> None:
    async with running() as node:
        await watched(node)
        assert node.node.hls is not None
        assert node.node.hls.counters() == {"hls_user_count": 0, "hls_play_count": 1, "hls_stream_count": 1}
        counters = await node.facts.counters()
        assert counters["hls_stream_count"] == 1


async def test_default_may_be_classic() -> None:
    async with running("-hls_default=classic") as node:
        await started(node)
        assert await entry_of(node, ".m3u8") == "s.classic.media.m3u8"
        assert (await media_of(node, ".dynamic.m3u8")).comments, "the two-level playlist keeps its name"


async def test_libavformat_is_given_segments_that_begin_with_keyframes() -> None:
    async with running() as node:
        await started(node)
        answer = await ask(node, ".m3u8", LAVF)
        assert answer.body.endswith(b"\ns.kf.dynamic.m3u8\n") and answer.headers["vary"] == "User-Agent"
        await media_of(node, ".kf.dynamic.m3u8")


async def test_two_level_playlist_names_segments_ahead() -> None:
    async with running("-ts_pre_generated=2") as node:
        await started(node)
        media = await media_of(node, ".dynamic.m3u8")
        (comment,) = (line for line in media.comments if "WRITE-SEQUENCE" in line)
        written = int(comment.partition(":")[2])
        assert media.next_sequence - 1 == written + 2
        assert media.target_s == 2 and media.version == 3


@pytest.mark.parametrize("uses_fmp4", [False, True])
async def test_classic_segments_may_be_fragmented_mp4(uses_fmp4: bool) -> None:
    async with running(*["-hls_use_fmp4"] * uses_fmp4) as node:
        await watched(node, ".classic.media.m3u8")
        media = await media_of(node, ".classic.media.m3u8")
        assert media.segments[0].uri.endswith(".m4s" if uses_fmp4 else ".ts")
        assert [segment.duration_s for segment in media.segments] == [2.0]
        map_uri = media.segments[0].map_uri
        assert (map_uri is not None) is uses_fmp4
        if map_uri is not None:
            answer = await ask(node, beside(".m3u8", map_uri))
            assert (answer.status, answer.headers["content-type"]) == (200, "video/mp4")
            assert answer.headers["cache-control"] == FOR_EVER and answer.body[4:8] == b"ftyp"


async def test_classic_playlist_is_kept_for_half_a_segment() -> None:
    async with running("-hls_fragment_s=4") as node:
        source = await started(node, 10)
        task = asking(node, ".classic.media.m3u8")
        (stream,) = node.node.units[0].registry.streams.values()
        await wait_until(lambda: len(stream.readers) > 1, deadline(3), "the segmenter")
        source.push(100)
        assert (await task).headers["cache-control"] == "public, max-age=2"


@every_scheme
@pytest.mark.parametrize("is_media", [False, True], ids=["entry", "media"])
async def test_playlist_that_a_client_has_is_not_sent_again(scheme: str, is_media: bool) -> None:
    path = SCHEMES[scheme][is_media]
    async with running() as node:
        await watched(node)
        first = await ask(node, path)
        etag = first.headers["etag"]
        for said in (etag, f"W/{etag}", f'"x", {etag}', "*"):
            answer = await ask(node, path, f"If-None-Match: {said}")
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
            assert answer.headers["cache-control"] == first.headers["cache-control"]
            assert answer.headers["access-control-allow-origin"] == "*"
        assert (await ask(node, path, 'If-None-Match: "x"')).status == 200


@every_scheme
async def test_ranges_are_ignored(scheme: str) -> None:
    entry, media_suffix, _ = SCHEMES[scheme]
    async with running() as node:
        await watched(node)
        segment = complete(await media_of(node, media_suffix))[0].uri
        for path in (entry, media_suffix, beside(entry, segment)):
            whole, part = [await ask(node, path, *lines) for lines in ((), ("Range: bytes=0-9",))]
            assert part.status == 200 and part.headers["accept-ranges"] == "none"
            assert part.body == whole.body and "content-range" not in part.headers


@every_scheme
async def test_every_answer_may_be_read_by_pages_of_other_origins(scheme: str) -> None:
    entry, media_suffix, kind = SCHEMES[scheme]
    async with running("-hls_playlist_wait_ms=300") as node:
        source = await Source.at(node)
        statuses = [(await ask(node, entry, "Origin: http://evil")).status]
        await pushed(node, source, 110)
        for path in (
            entry,
            media_suffix,
            entry.replace(".m3u8", "-none.m3u8"),
            f".no-1-2{kind}",
            f".0123456789abcdef-1-2{kind}",
            f".0123456789abcdef.seq7{kind}",
            ".0123456789abcdef.init.mp4",
            f"{media_suffix}?_HLS_msn=x",
            f"{entry}?vhost=a/b",
            f"{entry}?x=%zz",
        ):
            answer = await ask(node, path, "Origin: http://evil")
            assert answer.headers["access-control-allow-origin"] == "*", path
            assert "access-control-allow-credentials" not in answer.headers
            statuses.append(answer.status)
        assert {200, 400, 404, 503} <= set(statuses)


async def test_master_playlist_bears_what_the_viewer_said_and_segments_bear_nothing() -> None:
    async with running() as node:
        await watched(node)
        for entry, media_suffix, _ in SCHEMES.values():
            uri = await entry_of(node, f"{entry}?token=a%20b&p=x&_HLS_msn=3&CMCD=sid&lssid=7&hls_ctx=8")
            assert uri == f"s{media_suffix}?token=a%20b"
            media = await media_of(node, beside(entry, uri))
            assert all("?" not in segment.uri for segment in media.segments)


async def test_vhost_and_tracks_stand_in_all_uris() -> None:
    async with running() as node:
        query = "?vhost=media.example&only-audio=1"
        await watched(node, query=query)
        for entry, media_suffix, _ in SCHEMES.values():
            assert (await ask(node, entry)).status == 404
            uri = await entry_of(node, f"{entry}{query}")
            assert uri.startswith(f"s{media_suffix}?") and uri.endswith(query[1:])
            media = await media_of(node, beside(entry, uri))
            assert all(segment.uri.endswith(query) for segment in media.segments)
            answer = await ask(node, beside(entry, complete(media)[0].uri))
            assert answer.status == 200


async def test_sound_alone_is_asked_for() -> None:
    async with running() as node:
        await started(node)
        answer = await ask(node, ".classic.m3u8?only-audio=1")
        assert b'CODECS="mp4a.40.2"' in answer.body and b"RESOLUTION" not in answer.body


@every_scheme
async def test_names_are_quoted(scheme: str) -> None:
    """L7: one line per URI, whatever the name."""
    name = 'a b"#EXT:é'
    quoted = "a%20b%22%23EXT%3A%C3%A9"
    entry, media_suffix, _ = SCHEMES[scheme]
    async with running() as node:
        await watched(node, media_suffix, name=name)
        uri = await entry_of(node, f"/live/{quoted}{entry}")
        assert uri == quoted + media_suffix
        media = await media_of(node, f"/live/{uri}")
        assert (await ask(node, f"/live/{complete(media)[0].uri}")).status == 200


async def test_entry_prefix_makes_uris_absolute() -> None:
    async with running("-hls_entry_prefix=https://cdn.example/x/") as node:
        await watched(node)
        for entry, media_suffix, kind in SCHEMES.values():
            assert await entry_of(node, f"{entry}?token=1") == f"https://cdn.example/x/live/s{media_suffix}?token=1"
            media = await media_of(node, media_suffix)
            uris = [segment.uri for segment in media.segments]
            uris += [uri for segment in media.segments if (uri := segment.map_uri) is not None]
            uris += [part.uri for part in media.trailing.parts]
            assert all(uri.startswith("https://cdn.example/x/live/s.") for uri in uris)
            assert kind in uris[0]


# --- who does not get one --------------------------------------------------------


@every_scheme
async def test_H10_unknown_stream_of_an_origin(scheme: str) -> None:
    async with running() as node:
        for path in SCHEMES[scheme][:2]:
            answer = await ask(node, path)
            assert (answer.status, answer.headers["cache-control"]) == (404, "public, max-age=1")
            assert answer.body == b"Fail to find key=_/live/s\n" and answer.headers["x-bd-error-code"] == "1002"
        assert node.node.context.counters["error_not_found_count"] == 2


@every_scheme
async def test_H5_head_creates_nothing(scheme: str) -> None:
    entry, media_suffix, kind = SCHEMES[scheme]
    async with running() as node:
        await started(node)
        (stream,) = node.node.units[0].registry.streams.values()
        for path in (entry, media_suffix):
            answer = await ask(node, path, method="HEAD")
            assert (answer.status, answer.body) == (200, b"") and answer.headers["content-type"] == PLAYLIST_TYPE
        for path in (f".0-1-2{kind}", ".0123456789abcdef.init.mp4", ".0.seq1.ts"):
            answer = await ask(node, path, method="HEAD")
            assert (answer.status, answer.body) == (404, b""), path
        assert not stream.player_count and not stream.readers
        assert (await ask(node, entry.replace(".m3u8", "-none.m3u8"), method="HEAD")).status == 404
    async with running() as node:
        await watched(node, media_suffix)
        media = await media_of(node, media_suffix)
        for path in (entry, media_suffix, beside(entry, complete(media)[0].uri)):
            answer = await ask(node, path, method="HEAD")
            assert (answer.status, answer.body) == (200, b"")
            whole = await ask(node, path)
            assert answer.headers["content-type"] == whole.headers["content-type"]
            assert answer.headers["cache-control"] == whole.headers["cache-control"]


async def test_hls_may_be_off() -> None:
    async with running("-nohls") as node:
        await started(node)
        for entry, media_suffix, kind in SCHEMES.values():
            for path in (entry, media_suffix, f".0-1-2{kind}", ".0.seq1.ts"):
                assert (await ask(node, path)).status == 404, path


async def test_low_latency_may_be_off() -> None:
    async with running("-nohls_low_latency") as node:
        await started(node)
        for path in SCHEMES["low-latency"][:2]:
            assert (await ask(node, path)).status == 404
        assert (await ask(node, ".classic.m3u8")).status == 200


@every_scheme
async def test_L5_playlist_before_the_first_keyframe(scheme: str) -> None:
    entry, media_suffix, _ = SCHEMES[scheme]
    async with running("-hls_playlist_wait_ms=300") as node:
        source = await Source.at(node)
        for path in (entry, media_suffix):
            began = node.node.context.now_ms()
            answer = await ask(node, path)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1"), answer
            assert answer.headers["cache-control"] == "no-store"
            assert node.node.context.now_ms() - began >= 300
        await pushed(node, source, 20)
        assert (await ask(node, entry)).status == 200
        task = asking(node, media_suffix)
        (stream,) = node.node.units[0].registry.streams.values()
        await wait_until(lambda: len(stream.readers) > 1, deadline(3), "the segmenter")
        source.push(40)
        assert (await task).status == 200


@every_scheme
async def test_playlist_that_waits_for_the_first_keyframe_is_answered_then(scheme: str) -> None:
    async with running() as node:
        source = await Source.at(node)
        tasks = [asking(node, path) for path in SCHEMES[scheme][:2]]
        await waits(tasks[0])
        source.push(20)
        assert (await tasks[0]).status == 200
        source.push(40)
        assert (await tasks[1]).status == 200


# --- the end and what goes before it -------------------------------------------------


@every_scheme
async def test_end_of_the_broadcast_is_in_the_last_playlist_which_is_disposed_of_later(scheme: str) -> None:
    entry, media_suffix, _ = SCHEMES[scheme]
    async with running("-hls_dispose_s=1") as node:
        source = await watched(node, media_suffix)
        before = await media_of(node, media_suffix)
        source.end()
        await wait_until(lambda: not node.node.units[0].registry.streams, deadline(3), "the end")
        assert (await ask(node, entry)).status == 200
        media = await media_of(node, media_suffix)
        assert media.is_ended and not before.is_ended
        total_s = sum(segment.duration_s for segment in media.segments)
        assert total_s == pytest.approx(3.6, abs=0.002)
        for segment in media.segments:
            assert (await ask(node, beside(entry, segment.uri))).status == 200
        gone = asyncio.get_running_loop().time() + deadline(3)
        while (answer := await ask(node, media_suffix)).status == 200:
            assert asyncio.get_running_loop().time() < gone
            await asyncio.sleep(0.1)
        assert answer.status == 404
        assert (await ask(node, beside(entry, media.segments[0].uri))).status == 404


@every_scheme
async def test_interruption_of_the_publisher_keeps_the_last_playlist(scheme: str) -> None:
    entry, media_suffix, _ = SCHEMES[scheme]
    async with running("-publisher_grace_ms=60000", "-hls_fragment_s=0.5") as node:
        source = await started(node, 10)
        task = asking(node, media_suffix)
        (stream,) = node.node.units[0].registry.streams.values()
        await wait_until(lambda: len(stream.readers) > 1, deadline(3), "the segmenter")
        await pushed(node, source, 50)
        assert (await task).status == 200
        before = await media_of(node, media_suffix)
        source.client.peer.abort()
        await wait_until(lambda: stream.publisher is None, deadline(2), "the loss")
        assert (await ask(node, entry)).status == 200
        media = await media_of(node, media_suffix)
        assert not media.is_ended and media.media_sequence == before.media_sequence
        await asyncio.sleep(2.4)  # or dates would go back: so much was sent in no time
        again = await Source.at(node)
        again.push(60)
        await wait_until(lambda: stream.timeline.last_dts_ms > 4700, deadline(3), "the pictures")
        media = await media_of(node, media_suffix)
        assert [segment.is_discontinuity for segment in media.segments].count(True) == 1
        for segment in complete(media):
            assert (await ask(node, beside(entry, segment.uri))).status == 200


@every_scheme
async def test_requests_that_wait_when_the_server_leaves_are_answered(scheme: str) -> None:
    """They were cut off after a second, or told that the broadcast had ended."""
    entry, media_suffix, _ = SCHEMES[scheme]
    async with running() as node:
        await watched(node, media_suffix)
        media = await media_of(node, media_suffix)
        if scheme == "two-level":
            path = beside(entry, media.segments[-1].uri)
        elif scheme == "classic":
            await Source.at(node, "silent")
            path = "/live/silent.classic.m3u8"
        else:
            path = f"{media_suffix}?_HLS_msn={media.next_sequence + 1}"
        task = asking(node, path)
        await waits(task)
        began = node.node.context.now_ms()
        await node.node.close()
        answer = await task
        assert answer.status == 503, answer
        assert node.node.context.now_ms() - began < 1000
