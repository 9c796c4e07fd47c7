"""ffmpeg as it is: a server of a stream, a slide show, a recorder of all tracks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.client import RtmpClient
from tests.harness.clients import Program, ffmpeg_publish, ffprobe_packets, gst_play, rtmpdump_play
from tests.harness.clock import deadline, require_program, wait_until_sync
from tests.harness.ports import free_port
from tests.harness.server import EdgeServer
from tests.harness.wire import VIDEO

pytestmark = pytest.mark.interop

_CLIP = "bbb-720p-5s.mp4"
#: Longer than it takes until a silent publisher, and a silent upstream, are given up by these flags.
_SLIDE_S = 4
_SOON = ("-publish_normal_timeout_ms=1500", "-publish_ping_timeout_ms=900", "-upstream_stall_timeout_ms=1500")


def ffmpeg(*options: str) -> Program:
    return Program(require_program("ffmpeg"), "-nostdin", "-v", "warning", *options)


def has_lines(program: Program, port: int) -> bool:
    """Whether somebody listens on ``port``; a connect would be taken for the client that it waits for."""
    assert program.exit_code is None, program.stderr
    return any(f":{port:04X} 00000000:0000 0A" in line for line in Path("/proc/net/tcp").read_text().splitlines())


async def listening(program: Program, port: int) -> None:
    await asyncio.to_thread(wait_until_sync, lambda: has_lines(program, port), deadline(5), "ffmpeg to listen")


async def test_push_to_ffmpeg_that_listens(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """Its onFCPublish is a name and nothing more."""
    clip, taken, port = clips(_CLIP), tmp_path / "taken.flv", free_port()
    listen = ("-listen", "1", "-timeout", "30", "-f", "flv", "-i", f"rtmp://127.0.0.1:{port}/live/x")
    with ffmpeg(*listen, "-c", "copy", str(taken)) as server:
        await listening(server, port)
        with EdgeServer(f"-proxy_to=127.0.0.1:{port}") as edge:
            with ffmpeg_publish(clip, edge.rtmp_url("live", "x")) as publisher:
                await publisher.wait_ok(12)
            await server.wait(10)
            assert "malformed" not in edge.log
    got, sent = ffprobe_packets(taken), ffprobe_packets(clip)
    assert len(got[0]) >= len(sent[0]) * 0.8


async def test_pull_from_ffmpeg_that_listens(clips: Callable[[str], Path]) -> None:
    port = free_port()
    url = f"rtmp://127.0.0.1:{port}/live/y"
    with ffmpeg("-re", "-i", str(clips(_CLIP)), "-c", "copy", "-f", "flv", "-listen", "1", url) as server:
        await listening(server, port)
        with EdgeServer(f"-proxy_to=127.0.0.1:{port}") as edge:
            client, _ = await RtmpClient.open(edge.rtmp_url("live", "y"))
            client.play("y")
            count = 0
            async with asyncio.timeout(deadline(12)):
                while count < 60:
                    count += (await client.next_message()).type_id == VIDEO
            client.peer.abort()
            assert "malformed" not in edge.log


async def test_slides_of_ffmpeg_stay_on_the_air(tmp_path: Path) -> None:
    """It reads only while it writes, so it answers no ping between two pictures; its kernel acknowledges them."""
    source = ("-re", "-f", "lavfi", "-i", f"color=s=64x64:r=1/{_SLIDE_S},format=yuv420p")
    with EdgeServer(*_SOON) as origin, EdgeServer(f"-proxy_to={origin.address}", *_SOON) as edge:
        with ffmpeg(*source, "-c:v", "flv1", "-g", "1", "-f", "flv", origin.rtmp_url("live", "slides")) as publisher:
            await asyncio.to_thread(
                wait_until_sync, lambda: origin.has_stream("slides"), deadline(2 * _SLIDE_S), "the publish"
            )
            client, _ = await RtmpClient.open(edge.rtmp_url("live", "slides"))
            client.play("slides")
            times: list[int] = []
            async with asyncio.timeout(deadline(3 * _SLIDE_S)):
                while len(times) < 3:
                    message = await client.next_message()
                    if message.type_id == VIDEO:
                        times.append(message.timestamp)
            assert publisher.exit_code is None, publisher.stderr
            client.peer.abort()
        assert times[-1] - times[0] >= 1000 * _SLIDE_S
        assert "publish_timeout" not in origin.log


@pytest.mark.parametrize("kind", ["flv", "mp4"])
async def test_recording_of_all_tracks_has_no_empty_one(
    kind: str, clips: Callable[[str], Path], tmp_path: Path
) -> None:
    with EdgeServer() as origin, ffmpeg_publish(clips(_CLIP), origin.rtmp_url("live", "cam"), loops=2):
        await asyncio.to_thread(wait_until_sync, lambda: origin.has_stream("cam"), deadline(5), "the stream")
        output = tmp_path / f"all.{kind}"
        record = ("-i", origin.rtmp_url("live", "cam"), "-map", "0", "-c", "copy", "-t", "2", str(output))
        with ffmpeg(*record) as recorder:
            await recorder.wait_ok(12)
        command = (require_program("ffprobe"), "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0")
        with Program(*command, origin.rtmp_url("live", "cam")) as probe:
            assert sorted((await probe.wait_ok(10)).decode().split()) == ["audio", "video"]
    assert {index for index, packets in ffprobe_packets(output).items() if packets} == {0, 1}


async def test_signature_with_slashes_is_no_part_of_the_name_when_a_program_takes_one_url(
    clips: Callable[[str], Path], tmp_path: Path
) -> None:
    """ffmpeg, librtmp and GStreamer cut the URL at slashes of their own choice, which may stand in its query."""
    sign = "sign=c2/VydmVy/Rp+bWU==&exp=1"
    with EdgeServer() as origin, EdgeServer(f"-proxy_to={origin.address}") as edge:
        url = f"{edge.rtmp_url('live', 'cam')}?{sign}"
        with ffmpeg_publish(clips(_CLIP), url, loops=9):
            await asyncio.to_thread(wait_until_sync, lambda: origin.has_stream("cam"), deadline(5), "the publish")
            with rtmpdump_play(url, tmp_path / "rtmpdump.flv"), gst_play(url, tmp_path / "gst.flv"):
                for taken in (tmp_path / "rtmpdump.flv", tmp_path / "gst.flv"):
                    await asyncio.to_thread(
                        wait_until_sync,
                        lambda taken=taken: _has_frames(taken),
                        deadline(5),
                        f"the stream in {taken.name}",
                    )
            with ffmpeg("-i", url, "-t", "0.2", "-c", "copy", "-f", "null", "-") as player:
                await player.wait_ok(10)
            assert {row["stream"] for row in [*origin.streams(), *edge.streams()]} == {"cam"}


def _has_frames(taken: Path) -> bool:
    return taken.exists() and taken.stat().st_size > 100_000
