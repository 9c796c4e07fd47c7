"""ffmpeg, librtmp and GStreamer publish to us and play from us. ffmpeg's own part is in test_chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.clients import (
    Program,
    assert_suffix,
    ffmpeg_play,
    ffmpeg_publish,
    ffprobe_packets,
    gst_play,
    gst_publish,
    gst_remux,
    parse_framemd5,
    payloads,
    require_gst_element,
    rtmpdump_play,
)
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.server import Chain

pytestmark = pytest.mark.interop

_CLIP = "bbb-720p-5s.mp4"
_RETURN_MS = 1000
_LIBRTMP_BLOCK_BYTES = 4096


def chain_of_two() -> Chain:
    return Chain(f"-publisher_return_ms={_RETURN_MS}", depth=2)


async def file_of_player(
    chain: Chain, clip: Path, play: Callable[[str, Path], Program], output: Path, *, ends_itself: bool = True
) -> None:
    """Publish ``clip`` at the origin while a player at the edge writes what it gets to ``output``."""
    with play(chain.far_edge.rtmp_url("live", "clip"), output) as player:
        await asyncio.to_thread(
            wait_until_sync, lambda: chain.far_edge.has_stream("clip"), deadline(5), "the waiting player"
        )
        with ffmpeg_publish(clip, chain.origin.rtmp_url("live", "clip")) as publisher:
            await publisher.wait_ok(9)
        if ends_itself:
            await player.wait(_RETURN_MS / 1000 + 5)
        else:
            await asyncio.sleep(deadline(0.5))


async def test_R3_rtmpdump_plays(clips: Callable[[str], Path], tmp_path: Path) -> None:
    clip, output = clips(_CLIP), tmp_path / "played.flv"
    with chain_of_two() as chain:
        await file_of_player(chain, clip, rtmpdump_play, output)
    assert_suffix(ffprobe_packets(output), ffprobe_packets(clip), must_be_whole=True)


async def test_R3_gstreamer_plays(clips: Callable[[str], Path], tmp_path: Path) -> None:
    require_gst_element("rtmp2src")
    clip, output = clips(_CLIP), tmp_path / "played.flv"
    with chain_of_two() as chain:
        await file_of_player(chain, clip, gst_play, output)
    assert_suffix(ffprobe_packets(output), ffprobe_packets(clip), must_be_whole=True)


async def test_R3_gstreamer_plays_with_librtmp(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """It hands on whole blocks, so what is in the last one stays inside."""
    require_gst_element("rtmpsrc")
    clip, output = clips(_CLIP), tmp_path / "played.flv"
    with chain_of_two() as chain:
        await file_of_player(
            chain, clip, lambda url, path: gst_play(url, path, element="rtmpsrc"), output, ends_itself=False
        )
    got, published = ffprobe_packets(output), ffprobe_packets(clip)
    whole = {index: packets[:-1] for index, packets in got.items()}
    for index, packets in published.items():
        last = max(at for at, payload in enumerate(payloads(packets)) if payload == payloads(whole[index])[-1])
        assert sum(packet.size for packet in packets[last + 2 :]) <= _LIBRTMP_BLOCK_BYTES, f"track {index} is cut"
        del packets[last + 1 :]
    assert_suffix(whole, published, must_be_whole=True)


@pytest.mark.parametrize("element", ["rtmp2sink", "rtmpsink"])
async def test_R3_gstreamer_publishes(element: str, clips: Callable[[str], Path], tmp_path: Path) -> None:
    require_gst_element(element)
    clip, remuxed = clips(_CLIP), tmp_path / "remuxed.flv"
    with gst_remux(clip, remuxed) as program:
        await program.wait_ok(10)
    with (
        chain_of_two() as chain,
        ffmpeg_play(chain.far_edge.rtmp_url("live", "clip")) as player,
    ):
        await asyncio.to_thread(
            wait_until_sync, lambda: chain.far_edge.has_stream("clip"), deadline(5), "the waiting player"
        )
        with gst_publish(clip, chain.origin.rtmp_url("live", "clip"), element=element) as publisher:
            await publisher.wait_ok(14)
        got = parse_framemd5(await player.wait_ok(_RETURN_MS / 1000 + 5))
    assert_suffix(got, ffprobe_packets(remuxed), must_be_whole=True)


async def test_R3_ffprobe_reads_codecs_and_size_from_a_running_broadcast(clips: Callable[[str], Path]) -> None:
    """And no third stream, which NetStream.Data.Start would make there."""
    with chain_of_two() as chain, ffmpeg_publish(clips(_CLIP), chain.origin.rtmp_url("live", "clip")) as publisher:
        await asyncio.to_thread(wait_until_sync, lambda: chain.origin.has_stream("clip"), deadline(3), "the stream")
        command = ("ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width", "-of", "csv=p=0")
        with Program(*command, chain.far_edge.rtmp_url("live", "clip")) as probe:
            found = (await probe.wait_ok(6)).decode().split()
        await publisher.wait_ok(9)
    codecs = sorted(line.partition(",")[0] for line in found)
    assert codecs == ["aac", "h264"], found
