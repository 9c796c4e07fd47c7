"""Sound that an encoder sends 300 ms behind its pictures is put beside them where ``mix_correct`` is on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from edge.media.flv import Tag
from edge.media.frame import AUDIO, MEDIA
from tests.harness.clients import Program, assert_suffix, ffmpeg_play, ffprobe_packets, parse_framemd5
from tests.harness.clock import deadline, require_program, wait_until, wait_until_sync
from tests.harness.flv_file import read_flv
from tests.harness.nginx import NginxRtmp
from tests.harness.server import EdgeServer
from tests.harness.tag_rtmp import TagPublisher, tags_of

pytestmark = pytest.mark.interop

_LATE_MS = 300
_VHOSTS = """
listen 1935;
vhost ordered.example.com { play { mix_correct on; } }
vhost plain.example.com { }
"""


def late_sound(clip: Path) -> list[Tag]:
    """The clip with its sound that far behind in the file; stamps are what they were."""
    frames = read_flv(clip.read_bytes())
    is_late = {id(frame): frame.type_id == AUDIO and frame.kind == MEDIA for frame in frames}
    return tags_of(sorted(frames, key=lambda frame: frame.dts_ms + _LATE_MS * is_late[id(frame)]))


def ffprobe_order(url: str) -> Program:
    """Time in s of every packet, in the order in which they come out of the demuxer."""
    what = ("-show_entries", "packet=dts_time", "-of", "csv=p=0")
    return Program(require_program("ffprobe"), "-v", "error", "-rtmp_live", "live", *what, url)


def steps_back(times: list[float]) -> list[float]:
    """How far each packet is before the one ahead of it, where it is."""
    return [round(a - b, 3) for a, b in pairwise(times) if b < a]


async def times_of(program: Program) -> list[float]:
    """What it has printed by the end of the stream."""
    lines = (await program.wait_ok(5)).decode().split()
    assert len(lines) > 30
    return [float(line.strip(",")) for line in lines]


async def test_audio_behind_video_is_in_order_in_its_vhost_and_not_in_another(
    clips: Callable[[str], Path], tmp_path: Path
) -> None:
    clip, config = clips("bbb-360p-10s.flv"), tmp_path / "edge.conf"
    config.write_text(_VHOSTS)
    tags, found = late_sound(clip), dict[str, list[float]]()
    with EdgeServer(f"-c={config}", "-publisher_return_ms=500") as server:
        urls = {name: server.rtmp_url("live", f"s?vhost={name}.example.com") for name in ("ordered", "plain")}
        async with AsyncExitStack() as publishers:
            sent = [await publishers.enter_async_context(TagPublisher(url, tags, speed=4)) for url in urls.values()]
            await asyncio.to_thread(wait_until_sync, lambda: len(server.streams()) == 2, deadline(3), "both streams")
            with (
                ffmpeg_play(urls["ordered"]) as player,
                ffprobe_order(urls["ordered"]) as ordered,
                ffprobe_order(urls["plain"]) as plain,
            ):
                await wait_until(lambda: server.log.count("play started") == 3, deadline(5), "the players")
                for publisher in sent:
                    await publisher.wait_done(10)
                await publishers.aclose()
                assert_suffix(parse_framemd5(await player.wait_ok(5)), ffprobe_packets(clip))
                for vhost, program in (("ordered", ordered), ("plain", plain)):
                    found[vhost] = steps_back(await times_of(program))
    assert found["ordered"] == []
    assert max(found["plain"]) > 0.2


async def test_what_a_server_of_another_make_sends_is_put_in_order_too(clips: Callable[[str], Path]) -> None:
    tags = late_sound(clips("bbb-360p-10s.flv"))
    async with NginxRtmp() as nginx, AsyncExitStack() as publishers:
        with EdgeServer(f"-proxy_to={nginx.address}", "-publisher_return_ms=500", "-mix_correct") as edge:
            publisher = await publishers.enter_async_context(TagPublisher(nginx.rtmp_url("s"), tags, speed=4))
            with ffprobe_order(edge.rtmp_url("live", "s")) as ordered, ffprobe_order(nginx.rtmp_url("s")) as plain:
                await wait_until(lambda: edge.log.count("play started") == 1, deadline(5), "the player")
                await publisher.wait_done(10)
                await publishers.aclose()
                assert steps_back(await times_of(ordered)) == []
                assert max(steps_back(await times_of(plain))) > 0.2
