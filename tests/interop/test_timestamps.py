"""Times cross 24 bits and 32 bits on the way in and out, and sound that comes late stays in step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.harness.accounting import Delivery
from tests.harness.clients import (
    assert_suffix,
    ffmpeg_play,
    ffmpeg_publish,
    ffprobe_packets,
    parse_framemd5,
    payloads,
)
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.player import SynthPlayer
from tests.harness.server import Chain, EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.interop

_2_24, _2_32 = 1 << 24, 1 << 32
_CLIP = "bbb-360p-10s.flv"


def assert_in_step(player: SynthPlayer, publisher: SynthPublisher) -> None:
    """Whole, and each step of the player's clock equals the publisher's, sound against picture included."""
    player.account.assert_complete()
    published = {frame.sequence: timestamp for frame, timestamp in publisher.sent}
    first, line = player.deliveries[0], player.timeline_ms
    offset = line[0] - published[first.frame.sequence]
    wrong = [
        (delivery.frame.sequence, at - offset - published[delivery.frame.sequence])
        for delivery, at in zip(player.deliveries, line, strict=True)
        if at - offset != published[delivery.frame.sequence]
    ]
    assert not wrong, f"{len(wrong)} of {len(line)} frames out of step, (number, ms): {wrong[:10]}"


def has_crossed(deliveries: list[Delivery], limit: int) -> bool:
    """Whether the times on the wire passed ``limit`` (or wrapped, for 2**32)."""
    return any(
        (a.timestamp < limit <= b.timestamp) if limit < _2_32 else (a.timestamp > b.timestamp + (1 << 31))
        for a, b in pairwise(deliveries)
    )


@pytest.mark.parametrize("limit", [_2_24, _2_32, 1 << 31])
async def test_R6_publisher_crosses_a_limit_on_the_way_in(limit: int) -> None:
    with Chain(depth=2) as chain:
        script = Script(start_timestamp=limit - 4000, speed=2.0)
        async with SynthPublisher(chain.origin.rtmp_url("live", "wrap"), script) as publisher:
            url = chain.far_edge.rtmp_url("live", "wrap")
            async with SynthPlayer(url) as before:
                await before.wait_frames(340, 6)
                assert publisher.sent[-1][1] > limit + 100, "the test must last beyond the crossing"
                async with SynthPlayer(url) as after:
                    await after.wait_frames(60, 3)
                    for player in (before, after):
                        player.assert_alive()
                        assert_in_step(player, publisher)
                        assert min(player.timeline_ms[:3]) == 0, player.events[:6]


@pytest.mark.parametrize(
    ("offset", "speed", "limit"),
    [(16770000, 4.0, _2_24), (-60000, 16.0, _2_32)],
    ids=["24_bits", "32_bits"],
)
async def test_R6_offset_crosses_a_limit_on_the_way_out(offset: int, speed: float, limit: int) -> None:
    """16770000 reaches 2**24 after 7.2 s of stream, -60000 wraps after 60 s; the streams run faster than real time."""
    wraps_after_ms = limit - offset % _2_32
    with EdgeServer(f"-timestamp_offset={offset}") as server:
        url = server.rtmp_url("live", "offset")
        script = Script(speed=speed, video_bytes=400)
        async with SynthPublisher(url, script) as publisher, SynthPlayer(url) as before:
            await before.wait_frames(5, 2)
            assert before.deliveries[0].timestamp == offset % _2_32
            within_s = wraps_after_ms / 1000 / speed + 4
            seen = 0
            async with asyncio.timeout(deadline(within_s)):
                while not has_crossed(before.deliveries[max(seen - 1, 0) :], limit):
                    seen = len(before.deliveries)
                    await before.wait_more_frames(20, 3)
            async with SynthPlayer(url) as after:
                await after.wait_frames(100, 3)
                assert after.deliveries[0].timestamp == offset % _2_32
                for player in (before, after):
                    player.assert_alive()
                    assert_in_step(player, publisher)


@pytest.mark.parametrize(
    ("offset", "loops", "limit"), [(16774000, 0, _2_24), (-60000, 7, _2_32)], ids=["24_bits", "32_bits"]
)
async def test_R6_ffmpeg_gets_every_packet_across_a_limit(
    offset: int, loops: int, limit: int, clips: Callable[[str], Path]
) -> None:
    """ffmpeg's count and order are the publisher's. To reach the wrap the clip is looped, at ten times its speed."""
    clip = clips(_CLIP)
    rate = 10.0 if loops else 2.0
    reference = ffprobe_packets(clip)
    with EdgeServer(f"-timestamp_offset={offset}") as server:
        url = server.rtmp_url("live", "offset")
        with ffmpeg_publish(clip, url, rate=rate, loops=loops) as publisher:
            await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("offset"), deadline(3), "the stream")
            with ffmpeg_play(url) as player:
                await publisher.wait_ok(16)
                got = parse_framemd5(await player.wait_ok(4))
    for packets in reference.values():
        packets *= loops + 1
    assert_suffix(got, reference)
    beyond = 1 - (limit - offset % _2_32) / (10_000 * (loops + 1))
    assert len(payloads(got[0])) > beyond * len(payloads(reference[0])), "it came after the crossing"


async def test_R6_ffmpeg_publishes_across_24_bits(clips: Callable[[str], Path]) -> None:
    clip = clips(_CLIP)
    with EdgeServer() as server:
        url = server.rtmp_url("live", "high")
        with ffmpeg_publish(clip, url, "-output_ts_offset", "16774", rate=2.0) as publisher:
            await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("high"), deadline(3), "the stream")
            with ffmpeg_play(url) as player:
                await publisher.wait_ok(9)
                got = parse_framemd5(await player.wait_ok(4))
    assert_suffix(got, ffprobe_packets(clip))
    times = [packet.dts_ms for packet in got[0]]
    assert times == sorted(times) and times[0] < 100 and times[-1] - times[0] < 11000


async def test_R6_sound_that_begins_a_minute_late_stays_in_step() -> None:
    """For players from before, through a chain, and for one that comes when there is sound already."""
    script = Script(audio_start_ms=60000, speed=15.0, video_bytes=400)
    with Chain(depth=2) as chain:
        async with SynthPublisher(chain.origin.rtmp_url("live", "late"), script) as publisher:
            urls = [node.rtmp_url("live", "late") for node in chain.nodes]
            async with SynthPlayer(urls[0]) as near, SynthPlayer(urls[1]) as far:
                async with asyncio.timeout(deadline(9)):
                    while publisher.sent[-1][1] < 64000:
                        await far.wait_more_frames(20, 3)
                async with SynthPlayer(urls[0]) as newcomer, SynthPlayer(urls[1]) as far_newcomer:
                    await newcomer.wait_frames(200, 3)
                    await far_newcomer.wait_frames(200, 3)
                    for player in (near, far, newcomer, far_newcomer):
                        player.assert_alive()
                        assert {"audio", "aac_header"} <= {kind for kind, _ in player.events}
                        assert_in_step(player, publisher)
