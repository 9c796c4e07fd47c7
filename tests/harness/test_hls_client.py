"""The HLS client is judged first, against a server that gives out what the test says, ten times as fast."""

from __future__ import annotations

import asyncio
import hashlib
import re
from itertools import pairwise

import aiohttp
import pytest

from tests.harness.fake_hls import INIT, PARTS, FakeHls, Fault, body_of, part_of
from tests.harness.hls_client import HlsClient, media_of, open_session
from tests.harness.hls_fetch import Fetched, retry_delay_s
from tests.harness.hls_playback import FellBehindError, PlaybackClock, Stall, next_item, start_of
from tests.harness.m3u8 import Media, parse_media
from tests.harness.ports import free_port

pytestmark = pytest.mark.slow

SPEED = 10.0


def parts_in(media: bytes) -> list[tuple[int, int]]:
    """Which parts stand in the bodies of the fake server."""
    return [(int(number), int(part)) for number, part in re.findall(rb"\((\d+)\.(\d)\)", media)]


def assert_gapless(parts: list[tuple[int, int]]) -> None:
    numbers = [number * PARTS + part for number, part in parts]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


# --- without a server ------------------------------------------------------------------


def test_clock_counts_the_time_without_media() -> None:
    clock = PlaybackClock()
    clock.close(1.0)
    assert not clock.stalls and clock.buffer_s(1.0) == 0.0
    clock.add(2.0, 10.0)
    clock.add(2.0, 11.0)
    assert clock.began_s == 10.0 and clock.buffer_s(11.0) == 3.0
    clock.add(2.0, 14.5)
    assert clock.stalls == [Stall(14.0, 0.5)] and clock.end_s == 16.5
    clock.close(16.5)
    clock.close(18.0)
    assert clock.stalls[1:] == [Stall(16.5, 1.5)] and clock.stall_s == 2.0


HEAD = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:5\n"
FIVE = "".join(f"#EXTINF:2.0,\n{number}.ts\n" for number in range(5, 10))
LOW = "#EXT-X-PART-INF:PART-TARGET=0.5\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={}\n"


def part_lines(number: int, *durations: float, independent: tuple[int, ...] = (0,)) -> str:
    marks = [",INDEPENDENT=YES" if which in independent else "" for which in range(len(durations))]
    return "".join(
        f'#EXT-X-PART:DURATION={duration},URI="{number}.{which}.ts"{mark}\n'
        for which, (duration, mark) in enumerate(zip(durations, marks, strict=True))
    )


def low(hold_back_s: float, *, independent: tuple[int, ...] = (0,)) -> Media:
    whole = part_lines(10, 0.5, 0.5, 0.5, 0.5, independent=independent) + "#EXTINF:2.0,\n10.ts\n"
    return parse_media(
        HEAD + LOW.format(hold_back_s) + FIVE + whole + part_lines(11, 0.5, 0.5, independent=independent)
    )


@pytest.mark.parametrize(
    ("text", "start"),
    [
        (HEAD + FIVE, 7),
        (HEAD + "#EXT-X-SERVER-CONTROL:HOLD-BACK=7.9\n" + FIVE, 6),
        (HEAD + "#EXT-X-SERVER-CONTROL:HOLD-BACK=60\n" + FIVE, 5),
        (HEAD + FIVE[: FIVE.index("#EXTINF", 20)], 5),
        (HEAD + FIVE + "#EXT-X-ENDLIST\n", 5),
        (HEAD, 5),
    ],
)
def test_start_without_parts(text: str, start: int) -> None:
    assert start_of(parse_media(text), uses_parts=False) == (start, 0)


@pytest.mark.parametrize(
    ("hold_back_s", "independent", "start"),
    [
        (1.0, (0,), (11, 0)),
        (1.5, (0,), (10, 0)),
        (1.5, (0, 3), (10, 3)),
        (3.5, (0,), (9, 0)),
        (60.0, (0,), (5, 0)),
    ],
)
def test_start_with_parts(hold_back_s: float, independent: tuple[int, ...], start: tuple[int, int]) -> None:
    assert start_of(low(hold_back_s, independent=independent), uses_parts=True) == start


def test_order_of_parts_and_segments() -> None:
    media, position, uris = low(1.0), (9, 0), []
    while (item := next_item(media, position, uses_parts=True)) is not None:
        uris.append(item.uri)
        position = item.after
    assert uris == ["9.ts", *(f"10.{part}.ts" for part in range(4)), "11.0.ts", "11.1.ts"]
    item = next_item(media, (10, 0), uses_parts=False)
    assert item is not None and item.uri == "10.ts"
    assert next_item(media, item.after, uses_parts=False) is None


def test_what_has_gone_is_not_waited_for() -> None:
    with pytest.raises(FellBehindError) as caught:
        next_item(low(1.0), (4, 0), uses_parts=True)
    assert caught.value.resume is None
    with pytest.raises(FellBehindError) as caught:
        next_item(low(1.0), (9, 2), uses_parts=True)
    assert caught.value.resume == (10, 0)


def test_delays_between_tries() -> None:
    answers = [Fetched("part", "u", attempt, 0.0, status=503) for attempt in range(6)]
    assert [retry_delay_s(answer) for answer in answers] == [1, 2, 4, 8, 8, 8]
    assert retry_delay_s(Fetched("part", "u", 3, 0.0, headers={"Retry-After": "5"})) == 5
    assert retry_delay_s(Fetched("part", "u", 0, 0.0, headers={"Retry-After": "soon"})) == 1
    past = {"Retry-After": "Fri, 02 Jan 2026 03:04:05 GMT"}
    assert retry_delay_s(Fetched("part", "u", 0, 0.0, headers=past)) == 0


# --- classic ---------------------------------------------------------------------------


async def test_classic_plays_on_without_gaps() -> None:
    started: list[HlsClient] = []
    async with (
        FakeHls(has_parts=False) as server,
        HlsClient(server.url, speed=SPEED, keeps_bodies=True, on_start=started.append) as client,
    ):
        await client.wait_media(6, within_s=2.0)
    client.assert_well()
    parts = parts_in(media_of(client))
    assert_gapless(parts)
    assert parts[0] == (server.head - 3, 0)
    assert started == [client]
    assert set(client.statuses) == {200}
    entry = client.fetches[0]
    assert (entry.kind, entry.age_s, entry.etag) == ("entry", 3, '"e"')
    assert entry.first_byte_ms <= entry.total_ms
    segment = client.of("segment")[0]
    assert segment.sha1 == hashlib.sha1(body_of(server.head - 3)).hexdigest()
    assert client.objects[segment.uri] is segment
    assert "/live/media.m3u8?id=7" in server.requests


async def test_classic_reloads_after_the_target_duration_or_half_of_it() -> None:
    async with FakeHls(has_parts=False) as server:
        server.stops_at = server.head
        client = HlsClient(server.url, speed=SPEED, duration_s=6.5)
        await client.run()
    asked_s = [fetched.began_s for fetched in client.of("playlist")]
    waits_s = [later - earlier for earlier, later in pairwise(asked_s)]
    assert waits_s[0] >= 2.0 - 1e-6
    assert 1.0 - 1e-6 <= min(waits_s[1:]) < 2.0
    assert len(asked_s) <= 6


async def test_stop_of_the_server_is_a_stall() -> None:
    async with FakeHls(has_parts=False) as server:
        server.stops_at = server.head + 1
        client = HlsClient(server.url, speed=SPEED, duration_s=14.0)
        await client.run()
    assert client.played_count == 4
    assert client.playback.began_s is not None
    last = client.playback.stalls[-1]
    # Four segments of 2 s, then nothing to the end.
    assert last.at_s >= client.playback.began_s + 8.0 - 1e-6
    assert client.playback.stall_s == pytest.approx(client.playback.end_s - client.playback.began_s - 8.0)
    assert last.length_s > 3.0


async def test_end_of_the_list_ends_the_client_without_a_stall() -> None:
    async with FakeHls(has_parts=False) as server:
        server.stops_at, server.has_end = server.head + 2, True
        client = HlsClient(server.url, speed=SPEED, keeps_bodies=True)
        await asyncio.wait_for(client.run(), 20)
    client.assert_well()
    assert parts_in(media_of(client))[-1] == (server.head + 1, PARTS - 1)
    assert client.is_over and client.playlist is not None and client.playlist.is_ended


async def test_buffer_is_not_filled_beyond_its_bound() -> None:
    async with FakeHls(has_parts=False, window=12) as server:
        server.stops_at, server.has_end = server.head, True
        client = HlsClient(server.url, speed=SPEED, duration_s=4.0, max_buffer_s=6.0)
        await client.run()
    # Four come at once, and each 2 s that are played make room for one more, for which a busy machine has no time.
    assert 4 <= client.played_count <= 6


# --- faults ----------------------------------------------------------------------------


async def test_404_is_not_asked_for_again() -> None:
    async with FakeHls(has_parts=False) as server:
        name = f"{server.head - 2}.ts"
        server.faults[name] = [Fault(404)] * 9
        async with HlsClient(server.url, speed=SPEED) as client:
            await client.wait_media(4, within_s=2.0)
    assert client.statuses[404] == 1 and len(server.faults[name]) == 8
    assert [uri.rpartition("/")[2] for uri in client.missed] == [name]
    assert len(client.errors) == 1 and "404" in client.errors[0]
    with pytest.raises(AssertionError, match="404"):
        client.assert_well()


async def test_503_is_asked_for_again_after_the_time_that_is_said() -> None:
    async with FakeHls(has_parts=False) as server:
        name = f"{server.head - 3}.ts"
        server.faults[name] = [Fault(503, {"Retry-After": "2"}), Fault(500)]
        async with HlsClient(server.url, speed=SPEED, keeps_bodies=True) as client:
            await client.wait_media(3, within_s=2.0)
    client.assert_well()
    assert client.statuses[503] == client.statuses[500] == 1
    tries = [fetched for fetched in client.of("segment") if fetched.uri.endswith(name)]
    assert [fetched.attempt for fetched in tries] == [0, 1, 2]
    assert tries[1].began_s - tries[0].began_s >= 2.0 and tries[2].began_s - tries[1].began_s >= 2.0
    assert_gapless(parts_in(media_of(client)))


async def test_client_gives_up_after_six_more_tries() -> None:
    async with FakeHls(has_parts=False) as server:
        server.faults["entry.m3u8"] = [Fault(502, {"Retry-After": "0"})] * 9
        client = HlsClient(server.url, speed=SPEED)
        await client.run()
    assert client.statuses == {502: 7}
    assert client.is_over and len(client.errors) == 1


async def test_redirect_is_not_followed() -> None:
    async with FakeHls(has_parts=False) as server:
        server.faults["entry.m3u8"] = [Fault(302, {"Location": "media.m3u8"})]
        client = HlsClient(server.url, speed=SPEED)
        await client.run()
    assert client.statuses == {302: 1} and len(server.requests) == 1


async def test_slow_answer_is_a_time_out_and_asked_for_again() -> None:
    async with FakeHls(has_parts=False) as server:
        server.delay_s = 30.0
        async with HlsClient(server.url, speed=SPEED, timeout_s=0.5) as client:
            await client.wait_for(lambda: client.statuses[200] and client.of("segment"), 2.0, "a time-out")
            server.delay_s = 0.0
            await client.wait_media(1, within_s=2.0)
    assert client.of("segment")[0].error == "time-out"


async def test_gone_playlist_ends_the_client() -> None:
    async with FakeHls(has_parts=False) as server, HlsClient(server.url, speed=SPEED) as client:
        await client.wait_media(1, within_s=2.0)
        server.faults["media.m3u8"] = [Fault(404)]
        await client.wait_end(within_s=2.0)
    assert client.statuses[404] == 1 and "404" in client.errors[-1]


async def test_broken_rule_is_told() -> None:
    async with FakeHls(has_parts=True) as server:
        server.hint = "{} {}.m4s"
        client = HlsClient(server.url, speed=SPEED)
        await client.run()
    assert "may not stand in one" in client.errors[0]


async def test_playlist_that_goes_back_is_told() -> None:
    async with FakeHls(has_parts=False) as server, HlsClient(server.url, speed=SPEED) as client:
        await client.wait_media(4, within_s=2.0)
        server.stops_at = server.head - 1
        await client.wait_for(lambda: client.errors, 2.0, "a complaint")
    assert "back to" in client.errors[0]


# --- low latency -----------------------------------------------------------------------


async def test_low_latency_plays_parts_without_gaps() -> None:
    async with FakeHls(has_parts=True) as server, HlsClient(server.url, speed=SPEED, keeps_bodies=True) as client:
        await client.wait_media(20, within_s=2.0)
    client.assert_well()
    media = media_of(client)
    assert media.startswith(INIT) and media.count(INIT) == 1
    parts = parts_in(media)
    assert_gapless(parts)
    assert parts[0][1] == 0 and not client.of("segment") and len(client.of("map")) == 1
    assert client.unused_hints == []
    hints = client.of("hint")
    assert len(hints) > 5
    asked = [uri for uri in server.requests if "m4s" in uri]
    assert len(asked) == len(set(asked))


async def test_low_latency_reloads_block_and_skip() -> None:
    async with FakeHls(has_parts=True) as server, HlsClient(server.url, speed=SPEED) as client:
        await client.wait_for(lambda: len(client.of("reload")) > 12, 2.0, "reloads")
    client.assert_well()
    assert len(client.of("playlist")) == 1
    queries = [uri.partition("?")[2] for uri in server.requests if "_HLS_msn" in uri]
    assert all(re.fullmatch(r"id=7&_HLS_msn=\d+&_HLS_part=[0-4]&_HLS_skip=YES", query) for query in queries), queries
    assert client.playlist is not None and len(client.playlist.segments) == 10
    assert client.playlist.segments[0].map_uri == "init.mp4"


async def test_low_latency_without_skip() -> None:
    async with FakeHls(has_parts=True) as server, HlsClient(server.url, speed=SPEED, uses_skip=False) as client:
        await client.wait_media(8, within_s=2.0)
    client.assert_well()
    assert not any("_HLS_skip" in uri for uri in server.requests)


async def test_segments_of_a_low_latency_playlist() -> None:
    async with (
        FakeHls(has_parts=True) as server,
        HlsClient(server.url, speed=SPEED, keeps_bodies=True, is_low_latency=False) as client,
    ):
        await client.wait_media(5, within_s=2.0)
    client.assert_well()
    assert not client.of("part", "hint") and not any("_HLS_part" in uri for uri in server.requests)
    assert_gapless(parts_in(media_of(client)))


async def test_low_latency_stall() -> None:
    async with FakeHls(has_parts=True) as server:
        server.stops_at = server.head + 1
        client = HlsClient(server.url, speed=SPEED, duration_s=8.0)
        await client.run()
    assert client.playback.stalls and client.playback.stalls[-1].length_s > 1.0
    assert client.played[-1].fetched.uri.endswith(f"/{server.head}.{PARTS - 1}.m4s")


async def test_low_latency_end() -> None:
    async with FakeHls(has_parts=True) as server:
        server.stops_at, server.has_end = server.head + 2, True
        client = HlsClient(server.url, speed=SPEED, keeps_bodies=True)
        await asyncio.wait_for(client.run(), 20)
    client.assert_well()
    assert media_of(client).endswith(part_of(server.head + 1, PARTS - 1))
    assert client.unused_hints == []


async def test_hint_that_is_not_kept() -> None:
    async with FakeHls(has_parts=True) as server:
        server.hint = "9999.{1}.m4s"
        async with HlsClient(server.url, speed=SPEED, keeps_bodies=True) as client:
            await client.wait_media(12, within_s=2.0)
    client.assert_well()
    assert len(client.unused_hints) > 2
    assert_gapless(parts_in(media_of(client)))


# --- many ------------------------------------------------------------------------------


async def test_many_clients_share_a_session_and_keep_counts_only() -> None:
    seen: list[int] = []

    def note(_: HlsClient, fetched: Fetched) -> None:
        seen.append(fetched.status)

    async with FakeHls(has_parts=True, speed=2.0) as server, open_session() as session:
        clients = [
            HlsClient(server.url, session=session, speed=2.0, duration_s=6.0, keeps_fetches=False, on_fetched=note)
            for _ in range(50)
        ]
        await asyncio.gather(*(client.run() for client in clients))
        assert not session.closed
    assert all(client.played_count and not client.fetches and not client.played for client in clients)
    assert [error for client in clients for error in client.errors] == []
    assert len(seen) == sum(client.statuses.total() for client in clients)


async def test_bug_in_a_callback_is_not_hidden() -> None:
    def fail(_: HlsClient) -> None:
        raise RuntimeError("on purpose")

    async with FakeHls(has_parts=False) as server:
        with pytest.raises(RuntimeError, match="on purpose"):
            await HlsClient(server.url, speed=SPEED, on_start=fail).run()


async def test_no_server_at_all() -> None:
    client = HlsClient(f"http://127.0.0.1:{free_port()}/a.m3u8", speed=1000.0)
    await client.run()
    assert client.statuses == {0: 7}
    assert aiohttp.ClientConnectorError.__name__ in client.fetches[0].error
