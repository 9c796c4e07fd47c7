"""Segments and parts: which of them wait, which are answered at once, and how long they are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.harness.at_once import at_once
from tests.harness.clock import deadline, wait_until
from tests.harness.m3u8 import Media
from tests.harness.raw_http import RawAnswer, RawHttp, request_head
from tests.harness.wire import AUDIO
from tests.httpd.feeding import Source
from tests.httpd.hls_asking import LAVF, SCHEMES, ask, asking, beside, hls_of, media_of, url_of, waits
from tests.net.live import send
from tests.runtime.nodes import RunningNode, running

LL = SCHEMES["low-latency"][1]
CLASSIC = SCHEMES["classic"][1]
TWO_LEVEL = SCHEMES["two-level"][1]


@asynccontextmanager
async def watching(suffix: str, *flags: str, count: int = 60) -> AsyncIterator[tuple[RunningNode, Source]]:
    """A publisher whose playlist was asked for when its first 10 pictures were there; so many have come in all."""
    async with running(*flags) as node:
        source = await Source.at(node)
        source.push(10)
        streams = node.node.units[0].registry.streams
        await wait_until(
            lambda: any(one.queue.has_media for one in streams.values()), deadline(3), "the first pictures"
        )
        task = asking(node, suffix)
        (stream,) = streams.values()
        await wait_until(lambda: len(stream.readers) > 1, deadline(3), "the segmenter")
        await pushed(node, source, count - 10)
        assert (await task).status == 200
        yield node, source


async def pushed(node: RunningNode, source: Source, count: int) -> None:
    source.push(count)
    (stream,) = node.node.units[0].registry.streams.values()
    await wait_until(lambda: stream.timeline.last_dts_ms >= (source.number - 1) * 40, deadline(3), "the pictures")


async def answered(node: RunningNode, source: Source, task: asyncio.Task[RawAnswer], most: int) -> int:
    """How many more pictures it takes until the answer is there."""
    for count in range(most + 1):
        if count:
            await pushed(node, source, 1)
        await asyncio.sleep(0.03)
        if task.done():
            return count
    raise AssertionError(f"no answer after {most} pictures")


def names_of(media: Media) -> tuple[str, str]:
    """Path of the part that is hinted at, and that of the segment it belongs to."""
    assert media.preload_hint is not None
    hint = beside(LL, media.preload_hint.uri)
    return hint, f"{hint.removesuffix('.m4s').rpartition('.')[0]}.m4s"


# --- blocking reload ---------------------------------------------------------------


async def test_blocking_reload_is_answered_at_the_part() -> None:
    async with watching(LL) as (node, source):
        media = await media_of(node, LL)
        parts = len(media.trailing.parts)
        task = asking(node, f"{LL}?_HLS_msn={media.next_sequence}&_HLS_part={parts}")
        await waits(task)
        assert 0 < await answered(node, source, task, 10) <= 8
        after = await media_of(node, LL)
        assert (await task).status == 200 and len(after.trailing.parts) == parts + 1
        assert (await task).headers["cache-control"] == f"public, max-age={after.target_s}"
        assert (await ask(node, LL)).headers["cache-control"] == "public, max-age=1"


async def test_blocking_reload_for_a_whole_segment() -> None:
    async with watching(LL) as (node, source):
        media = await media_of(node, LL)
        task = asking(node, f"{LL}?_HLS_msn={media.next_sequence}")
        await waits(task)
        assert await answered(node, source, task, 60) == 101 - 60


async def test_blocking_reload_beyond_the_last_part_of_a_segment_means_the_first_of_the_next() -> None:
    async with watching(LL) as (node, source):
        media = await media_of(node, LL)
        task = asking(node, f"{LL}?_HLS_msn={media.next_sequence - 1}&_HLS_part=99")
        await asyncio.sleep(0.1)
        assert task.done() is bool(media.trailing.parts)
        await answered(node, source, task, 10)


async def test_blocking_reload_of_what_is_there_is_answered_at_once() -> None:
    async with watching(LL) as (node, _):
        media = await media_of(node, LL)
        for query in (
            f"_HLS_msn={media.next_sequence - 1}",
            f"_HLS_msn={media.media_sequence}&_HLS_part=0",
            "_HLS_msn=0",
        ):
            assert (await ask(node, f"{LL}?{query}", within_s=1)).status == 200


@pytest.mark.parametrize(
    "query",
    [
        "_HLS_msn=",
        "_HLS_msn=-1",
        "_HLS_msn=1_0",
        "_HLS_msn=x",
        "_HLS_msn=1&_HLS_part=",
        "_HLS_msn=1&_HLS_part=-1",
        "_HLS_part=1",
        "_HLS_msn=%D9%A1",
        "_HLS_msn=" + "9" * 30,
        "_HLS_msn=1&_HLS_part=1.5",
        "_HLS_part=1&_HLS_skip=YES",
    ],
)
async def test_directives_that_make_no_sense(query: str) -> None:
    async with watching(LL) as (node, _):
        answer = await ask(node, f"{LL}?{query}")
        assert (answer.status, answer.headers["cache-control"]) == (400, "no-store")


async def test_blocking_reload_too_far_ahead() -> None:
    async with watching(LL) as (node, _):
        number = (await media_of(node, LL)).next_sequence
        for ahead in (3, 1000):
            assert (await ask(node, f"{LL}?_HLS_msn={number + ahead}")).status == 400
        task = asking(node, f"{LL}?_HLS_msn={number + 2}")
        await waits(task)
        task.cancel()


async def test_directives_mean_nothing_to_other_playlists() -> None:
    async with watching(CLASSIC) as (node, _):
        for suffix in (CLASSIC, TWO_LEVEL):
            assert (await ask(node, f"{suffix}?_HLS_msn=99999999999&_HLS_part=7")).status == 200


async def test_blocking_reload_that_is_waited_for_in_vain() -> None:
    async with watching(LL, "-hls_playlist_wait_ms=200", "-hls_fragment_s=1") as (node, _):
        media = await media_of(node, LL)
        answer = await ask(node, f"{LL}?_HLS_msn={media.next_sequence + 1}", within_s=3)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_delta_update_leaves_out_what_is_old() -> None:
    async with watching(LL, "-hls_fragment_s=1", count=15 * 25 + 5) as (node, _):
        whole = await media_of(node, LL)
        delta = await media_of(node, f"{LL}?_HLS_skip=YES")
        assert delta.skipped and delta.skipped + len(delta.segments) == len(whole.segments)
        assert [one.uri for one in delta.segments] == [one.uri for one in whole.segments][delta.skipped :]
        control = whole.server_control
        assert control is not None and control.can_skip_until_s == 6 * whole.target_s
        assert sum(one.duration_s for one in whole.segments[delta.skipped :]) <= control.can_skip_until_s + 1


# --- parts --------------------------------------------------------------------------


async def test_hinted_part_is_answered_when_it_is_complete() -> None:
    async with watching(LL) as (node, source):
        before = await media_of(node, LL)
        hint, _ = names_of(before)
        task = asking(node, hint)
        await waits(task)
        await answered(node, source, task, 10)
        answer = await task
        assert (answer.status, answer.headers["content-type"]) == (200, "video/mp4")
        assert answer.body[4:8] == b"moof" and "immutable" in answer.headers["cache-control"]
        after = await media_of(node, LL)
        assert beside(LL, after.trailing.parts[len(before.trailing.parts)].uri) == hint
        assert (await ask(node, hint)).body == answer.body


async def test_parts_of_a_segment_are_the_segment() -> None:
    async with watching(LL, count=115) as (node, _):
        segment = (await media_of(node, LL)).segments[-1]
        parts = [(await ask(node, beside(LL, part.uri))).body for part in segment.parts]
        assert len(parts) > 4 and b"".join(parts) == (await ask(node, beside(LL, segment.uri))).body


async def test_first_part_of_the_segment_after_the_one_in_progress_waits() -> None:
    """Which one comes next cannot be foretold, but for its number: what bears another name is missing then."""
    async with watching(LL) as (node, source):
        _, path = names_of(await media_of(node, LL))
        head, number, _ = path.removesuffix(".m4s").rsplit("-", 2)
        right, wrong = (asking(node, f"{head}-{int(number) + 1}-{dts}.0.m4s") for dts in (4000, 4001))
        await waits(right)
        assert not wrong.done()
        await pushed(node, source, 52)
        assert (await right).status == 200
        assert (await wrong).status == 404


async def test_names_that_no_playlist_has_told_are_missing_at_once() -> None:
    """Numbers that are not the next one, other publishes, other stamps of a segment that is known."""
    async with watching(LL) as (node, _):
        hint, path = names_of(await media_of(node, LL))
        head, number, dts = path.removesuffix(".m4s").rsplit("-", 2)
        stream = head.rpartition(".")[0]
        for name in (
            *(f"{head}-{int(number) + step}-{dts}.m4s" for step in (-100, -2, 2, 1000, 10**9)),
            f"{head}-{number}-{int(dts) + 1}.m4s",
            f"{head}-{number}-{int(dts) + 1}.0.m4s",
            f"{stream}.other-{number}-{dts}.m4s",
            f"{stream}.0123456789abcdef.init.mp4",
            f"{head}-{number}-{dts}.x.m4s",
            f"{head}-{number}.m4s",
        ):
            answer = await ask(node, name, within_s=1)
            assert answer.status == 404, name
            assert answer.headers["cache-control"] == "public, max-age=1"
        assert hint


async def test_segment_that_is_not_complete_in_time() -> None:
    async with watching(LL, "-hls_segment_wait_ms=200") as (node, _):
        for path in names_of(await media_of(node, LL)):
            answer = await ask(node, path)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_segment_in_progress_is_answered_when_it_is_complete() -> None:
    async with watching(LL) as (node, source):
        _, path = names_of(await media_of(node, LL))
        task = asking(node, path)
        await waits(task)
        await pushed(node, source, 42)
        assert len((await task).body) > 2000


async def test_segment_in_a_container_that_has_no_place_for_the_stream_harms_nobody() -> None:
    """MP3 has no place in our fragmented MP4; nothing but a playlist tells of a segment, but anybody may ask."""
    async with running() as node:
        source = await Source.at(node, has_audio=False)
        send(source.client, AUDIO, 0, b"\x2f\xff\xfb\x90\x00" + bytes(413))
        await pushed(node, source, 30)
        assert (await ask(node, ".classic.m3u8")).status == 200
        for suffix in SCHEMES["low-latency"][:2]:
            assert (await ask(node, suffix)).status == 415
        assert (await ask(node, ".abc-1-2.m4s", within_s=1)).status == 404
        task = asking(node, CLASSIC)
        for _ in range(20):
            send(source.client, AUDIO, source.number * 40, b"\x2f\xff\xfb\x90\x00" + bytes(413))
            await pushed(node, source, 5)
        assert (await ask(node, ".abc-1-2.m4s", within_s=1)).status == 404
        assert (await task).status == 200
        media = await media_of(node, CLASSIC)
        assert (await ask(node, beside(CLASSIC, media.segments[0].uri))).status == 200


# --- the two-level scheme -------------------------------------------------------------


async def grown(client: RawHttp, least: int) -> int:
    """Read until so many bytes have come; how many."""
    async with asyncio.timeout(deadline(3)):
        while len(client.data) < least:
            await client._read_block()
            assert client.end == "open", client.answer
    return len(client.data)


async def test_segment_of_the_two_level_scheme_is_sent_while_it_grows() -> None:
    async with watching(TWO_LEVEL, count=35) as (node, source):
        media = await media_of(node, TWO_LEVEL)
        number = next(int(line.partition(":")[2]) for line in media.comments if "WRITE" in line)
        url = url_of(node, beside(TWO_LEVEL, media.segments[number - media.media_sequence].uri))
        async with await RawHttp.open(url) as client:
            await client.send(request_head(url, "Connection: close"))
            head = await client.read_head()
            assert (head.status, head.headers["content-type"]) == (200, "video/mp2t")
            assert "immutable" in head.headers["cache-control"]
            size = await grown(client, 1000)
            for _ in range(2):
                await pushed(node, source, 5)
                size = await grown(client, size + 188)
            await pushed(node, source, 30)
            await client.read(deadline(2))
            assert client.end == "fin" and client.data.endswith(b"0\r\n\r\n")


async def test_segments_of_the_two_level_scheme_that_have_not_begun() -> None:
    async with watching(TWO_LEVEL, "-ts_pre_generated=2", count=35) as (node, source):
        media = await media_of(node, TWO_LEVEL)
        paths = [beside(TWO_LEVEL, segment.uri) for segment in media.segments]
        far = paths[-1].replace(f"seq{media.next_sequence - 1}", f"seq{media.next_sequence + 1}")
        for path in (
            far,
            far.replace("seq", "seq9999"),
            paths[0].replace(f"seq{media.media_sequence}.", f"seq{media.media_sequence - 1}."),
        ):
            assert (await ask(node, path, within_s=1)).status == 404
        ahead = [asking(node, path) for path in paths[-2:]]
        for task in ahead:
            await waits(task)
        await pushed(node, source, 100)
        bodies = [(await task).body for task in ahead]
        assert all(body.startswith(b"G") and len(body) % 188 == 0 for body in bodies)
        assert [(await ask(node, path)).body for path in paths[-2:]] == bodies


async def test_segment_ahead_that_does_not_begin_in_time() -> None:
    async with watching(TWO_LEVEL, "-hls_segment_wait_ms=200") as (node, _):
        media = await media_of(node, TWO_LEVEL)
        answer = await ask(node, beside(TWO_LEVEL, media.segments[-1].uri))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_segment_whose_rest_does_not_come_is_cut_off() -> None:
    """A cache must not keep it."""
    async with watching(TWO_LEVEL, "-hls_segment_wait_ms=200", "-ts_pre_generated=0") as (node, _):
        media = await media_of(node, TWO_LEVEL)
        url = url_of(node, beside(TWO_LEVEL, media.segments[-1].uri))
        async with await RawHttp.open(url) as client:
            await client.send(request_head(url))
            await client.read(deadline(2))
            assert client.end in ("fin", "reset") and not client.data.endswith(b"0\r\n\r\n")


async def test_viewer_who_leaves_within_a_segment_is_no_error_of_ours() -> None:
    """It was logged as one, with its traceback."""
    async with watching(TWO_LEVEL, count=35) as (node, source):
        media = await media_of(node, TWO_LEVEL)
        number = next(int(line.partition(":")[2]) for line in media.comments if "WRITE" in line)
        url = url_of(node, beside(TWO_LEVEL, media.segments[number - media.media_sequence].uri))
        for is_reset in (False, True):
            client = await RawHttp.open(url)
            await client.send(request_head(url))
            await grown(client, 1000)
            await client.close(is_reset=is_reset)
            await pushed(node, source, 3)
        await pushed(node, source, 30)
        assert at_once(node.facts.counters())["error_internal_count"] == 0


async def test_old_segments_of_the_two_level_scheme_are_missing() -> None:
    async with watching(TWO_LEVEL, "-ts_max_stored=4", "-ts_pre_generated=1", count=35) as (node, source):
        old = (await media_of(node, TWO_LEVEL)).segments[0].uri
        await pushed(node, source, 200)
        media = await media_of(node, TWO_LEVEL)
        assert len(media.segments) == 4
        assert (await ask(node, beside(TWO_LEVEL, old))).status == 404


async def test_two_level_segments_of_another_stream_are_not_given_under_this_name() -> None:
    async with watching(TWO_LEVEL) as (node, _):
        segment = beside(TWO_LEVEL, (await media_of(node, TWO_LEVEL)).segments[0].uri)
        assert (await ask(node, segment)).status == 200
        assert (await ask(node, segment.replace("/live/s.", "/live/t."))).status == 404


# --- how long -------------------------------------------------------------------------


async def test_old_segments_are_kept_a_little_longer_than_they_are_listed() -> None:
    flags = ("-hls_fragment_s=1", "-hls_window_s=3")
    async with watching(CLASSIC, *flags) as (node, source):
        first = await media_of(node, CLASSIC)
        old = [beside(CLASSIC, segment.uri) for segment in first.segments]
        await pushed(node, source, 75)
        media = await media_of(node, CLASSIC)
        assert len(media.segments) == 3 and media.media_sequence > first.media_sequence
        assert (await ask(node, old[-1])).status == 200
        await pushed(node, source, 100)
        assert (await ask(node, old[-1])).status == 404


@pytest.mark.parametrize("suffix", [LL, CLASSIC, TWO_LEVEL])
async def test_what_nobody_asks_for_is_let_go(suffix: str) -> None:
    async with watching(suffix, "-hls_viewer_timeout_ms=1000") as (node, _):
        (stream,) = node.node.units[0].registry.streams.values()
        assert stream.player_count == 1
        for _ in range(4):
            await asyncio.sleep(0.4)
            assert (await ask(node, suffix)).status == 200
            assert stream.player_count == 1
        await wait_until(lambda: not stream.readers and not stream.player_count, deadline(3), "the segmenters to go")


async def test_publish_after_the_end_begins_anew() -> None:
    """Of an ended stream the last playlist is served until there is another one."""
    async with watching(CLASSIC) as (node, source):
        old = await media_of(node, CLASSIC)
        source.end()
        streams = node.node.units[0].registry.streams
        await wait_until(lambda: not streams, deadline(3), "the end")
        ended = await media_of(node, CLASSIC)
        assert ended.is_ended
        await asyncio.sleep(2.5)
        again = await Source.at(node)
        again.push(10)
        await wait_until(lambda: any(one.queue.has_media for one in streams.values()), deadline(3), "the next publish")
        task = asking(node, CLASSIC)
        (stream,) = streams.values()
        await wait_until(lambda: len(stream.readers) > 1, deadline(3), "the segmenter")
        again.push(50)
        assert (await task).status == 200
        media = await media_of(node, CLASSIC)
        assert not media.is_ended and media.media_sequence > ended.media_sequence
        assert not {one.uri for one in media.segments} & {one.uri for one in (*old.segments, *ended.segments)}


async def test_playlist_is_written_once_for_all() -> None:
    async with watching(LL) as (node, _):
        ((_, hls),) = hls_of(node).shelf.watched()
        bodies = {(await ask(node, LL)).body for _ in range(5)}
        assert len(bodies) == 1 and len(hls._texts) == 1
        for number in range(100):
            assert (await ask(node, f"{LL}?vhost=10.0.0.{number}")).status == 200
        assert len(hls._texts) <= 64 and len(hls.segmenters) == 1


@pytest.mark.parametrize("lines", [(), (LAVF,)], ids=["parts", "libavformat"])
async def test_first_low_latency_playlist(lines: tuple[str, ...]) -> None:
    """Players of parts need no whole segment, programs on libavformat do."""
    async with running() as node:
        source = await Source.at(node)
        source.push(10)
        await asyncio.sleep(0.1)
        task = asking(node, LL, *lines)
        (stream,) = node.node.units[0].registry.streams.values()
        await wait_until(lambda: len(stream.readers) > 1, deadline(3), "the segmenter")
        await pushed(node, source, 10)
        await asyncio.sleep(0.1)
        assert task.done() is not bool(lines)
        await pushed(node, source, 40)
        assert (await task).status == 200


async def test_segmenters_that_nobody_asks_for_end_though_the_stream_is_watched() -> None:
    """One request each left twelve of them, as long as anybody watched anything."""
    async with watching(CLASSIC, "-hls_viewer_timeout_ms=1500", count=60) as (node, source):
        assert (await ask(node, LL)).status == 200
        ((_, shelved),) = hls_of(node).shelf.watched()
        assert len(shelved.segmenters) == 2
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline(4)
        while len(shelved.segmenters) > 1:
            assert loop.time() < until, "both are there"
            assert (await ask(node, CLASSIC)).status == 200
            await pushed(node, source, 2)
            await asyncio.sleep(0.1)
        assert ("ts", 3) in shelved.segmenters and len(shelved.stream.readers) == 2


async def test_what_a_node_tells_of_its_window_it_tells_nodes_that_play_from_it_only() -> None:
    async with watching(CLASSIC, count=60) as (node, _source):
        path = "/-/hls/window?vhost=_&app=live&stream=s&kind=ts&tracks=3"
        assert (await ask(node, path)).status == 403
        for identity in ("", "0" * 16, node.node.units[0].service.service_id):
            assert (await ask(node, path, f"X-Edge-Id: {identity}")).status == 403


async def test_name_of_a_segment_begins_none_of_a_codec_that_has_no_place() -> None:
    """Whoever asked for one was the cause that others got a playlist without sound, instead of 415."""
    async with running() as node:
        source = await Source.at(node, has_audio=False)
        for number in range(60):
            send(source.client, AUDIO, number * 40, b"\x2f" + bytes.fromhex("fffb9064") + bytes(100))
            source.push(1)
        assert (await ask(node, LL)).status == 415
        assert (await ask(node, "/live/s.a-1-1.m4s")).status == 404
        assert (await ask(node, LL)).status == 415


@pytest.mark.parametrize("suffix", [LL, CLASSIC])
async def test_what_is_cut_short_by_the_end_of_the_server_is_not_given_out_as_whole(suffix: str) -> None:
    """A cache kept half a part for a year, of which the other edges had all."""
    async with watching(suffix, count=60) as (node, source):
        media = await media_of(node, suffix)
        assert media.segments
        await pushed(node, source, 3)
        ((_, shelved),) = hls_of(node).shelf.watched()
        (segmenter,) = shelved.segmenters.values()
        current = segmenter.current
        assert current is not None
        tail = f".{current.name}.{len(current.parts)}.m4s" if suffix == LL else f".{current.name}.ts"
        task = asking(node, f"/live/s{tail}")
        await waits(task)
        node.node.units[0].service.is_draining = True
        shelved.stream.end("the server is being stopped")
        for answer in (await task, await ask(node, f"/live/s{tail}")):
            assert answer.status == 503 and answer.headers["cache-control"] == "no-store"
        whole = media.segments[-1]
        assert (await ask(node, beside(suffix, whole.uri))).status == 200
