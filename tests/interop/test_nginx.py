"""nginx with its RTMP module before and behind us, by our pull and push and by its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.clients import (
    assert_suffix,
    ffmpeg_play,
    ffmpeg_publish,
    ffprobe_packets,
    parse_framemd5,
)
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.nginx import NginxRtmp
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.interop

_CLIP = "bbb-720p-5s.mp4"
_CLIP_OF_MANY_GROUPS = "bbb-360p-10s.flv"
_RETURN_MS = 1000


async def wait_for_stream(server: EdgeServer) -> None:
    await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("clip"), deadline(5), "the stream")


async def assert_plays_whole(clip: Path, publish_url: str, play_url: str, waits_at: EdgeServer | None) -> None:
    """A player that was there first gets all that is published, and ends with it."""
    with ffmpeg_play(play_url) as player:
        if waits_at is None:
            await asyncio.sleep(deadline(0.5))
        else:
            await wait_for_stream(waits_at)
        with ffmpeg_publish(clip, publish_url) as publisher:
            await publisher.wait_ok(9)
        got = parse_framemd5(await player.wait_ok(_RETURN_MS / 1000 + 4))
    assert_suffix(got, ffprobe_packets(clip), must_be_whole=True)


async def test_R3_edge_pulls_from_nginx(clips: Callable[[str], Path]) -> None:
    async with NginxRtmp() as nginx:
        with EdgeServer(f"-proxy_to={nginx.address}", f"-publisher_return_ms={_RETURN_MS}") as edge:
            await assert_plays_whole(clips(_CLIP), nginx.rtmp_url("clip"), edge.rtmp_url("live", "clip"), edge)


async def test_codec_headers_survive_the_return_of_a_publisher_to_nginx(clips: Callable[[str], Path]) -> None:
    """Somebody plays on meanwhile; whoever comes after the return gets the headers of what is published then."""
    clip = clips(_CLIP_OF_MANY_GROUPS)
    async with NginxRtmp() as nginx:
        return_ms = 4 * _RETURN_MS  # a publisher takes more than a second to come where others keep the machine busy
        with (
            EdgeServer(f"-proxy_to={nginx.address}", f"-publisher_return_ms={return_ms}") as edge,
            ffmpeg_play(edge.rtmp_url("live", "clip")) as first,
        ):

            async def wait_for_codecs() -> None:
                def has_codecs() -> bool:
                    (row,) = edge.streams()
                    return bool(row["video_codec"] and row["audio_codec"])

                await asyncio.to_thread(wait_until_sync, has_codecs, deadline(3), "codecs")

            await wait_for_stream(edge)
            with ffmpeg_publish(clips(_CLIP), nginx.rtmp_url("clip")):
                await wait_for_codecs()
            await asyncio.sleep(0.5)
            with ffmpeg_publish(clip, nginx.rtmp_url("clip"), rate=2) as publisher:
                await asyncio.sleep(1)
                await wait_for_codecs()
                with ffmpeg_play(edge.rtmp_url("live", "clip")) as second:
                    await publisher.wait_ok(10)
                    got = parse_framemd5(await second.wait_ok(return_ms / 1000 + 4))
            await first.wait_ok(4)
    assert_suffix(got, ffprobe_packets(clip))


async def test_R3_edge_pushes_to_nginx(clips: Callable[[str], Path]) -> None:
    async with NginxRtmp() as nginx:
        with EdgeServer(f"-proxy_to={nginx.address}", f"-publisher_return_ms={_RETURN_MS}") as edge:
            await assert_plays_whole(clips(_CLIP), edge.rtmp_url("live", "clip"), nginx.rtmp_url("clip"), None)


async def test_R3_nginx_pulls_from_origin(clips: Callable[[str], Path]) -> None:
    """nginx asks when its player comes, so the publisher has to be there before."""
    clip = clips(_CLIP)
    with EdgeServer() as origin:
        async with NginxRtmp(f"pull rtmp://{origin.address}/live") as nginx:
            with ffmpeg_publish(clip, origin.rtmp_url("live", "clip")) as publisher:
                await wait_for_stream(origin)
                with ffmpeg_play(nginx.rtmp_url("clip")) as player:
                    await publisher.wait_ok(9)
                    got = parse_framemd5(await player.wait_ok(4))
    assert_suffix(got, ffprobe_packets(clip))


async def test_R3_nginx_pushes_to_origin(clips: Callable[[str], Path]) -> None:
    """nginx begins to push at a keyframe and keeps none, so the clip needs several."""
    clip = clips(_CLIP_OF_MANY_GROUPS)
    with EdgeServer() as origin:
        async with NginxRtmp(f"push rtmp://{origin.address}/live") as nginx:
            with ffmpeg_publish(clip, nginx.rtmp_url("clip")) as publisher:
                await wait_for_stream(origin)
                with ffmpeg_play(origin.rtmp_url("live", "clip")) as player:
                    await publisher.wait_ok(14)
                    got = parse_framemd5(await player.wait_ok(4))
    assert_suffix(got, ffprobe_packets(clip))
