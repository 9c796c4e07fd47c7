"""What is published at the origin is played over HTTP at the far edge of three nodes by what people use, and whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from edge.media.frame import VIDEO, Frame
from edge.media.mpegts import VIDEO_PID
from tests.harness.clients import Program, ffmpeg_publish, require_gst_element
from tests.harness.clock import deadline, require_program, wait_until_sync
from tests.harness.coded import synthesise
from tests.harness.http_media import TsReader
from tests.harness.recordings import (
    assert_ffmpeg_plays_clip,
    assert_ffprobe_sees,
    assert_flv_is_clip,
    assert_flv_is_frames,
    assert_ts_is_clip,
    framemd5,
    read_tags,
)
from tests.harness.server import Chain, EdgeServer
from tests.harness.tag_compare import compare_tags
from tests.harness.tag_rtmp import ENHANCED_CONNECT, TagPublisher, tags_of

pytestmark = pytest.mark.interop

_RETURN_FLAG = "-publisher_return_ms=500"
_SPEED = 2.0
_CLIPS = ["bbb-360p-10s.flv", "bbb-720p-5s.mp4"]
_NEW_KINDS = ["avc_opus", "hevc_aac", "hevc_opus", "av1_aac"]

Playing = Coroutine[Any, Any, Any]


def urls_of(node: EdgeServer, name: str) -> dict[str, str]:
    """Where a stream is played, by form."""
    place = f"{node.address}/live/{name}"
    return {"http": f"http://{place}.flv", "ws": f"ws://{place}.flv", "ts": f"http://{place}.ts"}


def folders_in(folder: Path) -> dict[str, Path]:
    """One for the recordings of each form."""
    folders = {form: folder / form for form in ("http", "ws", "ts")}
    for each in folders.values():
        each.mkdir(parents=True)
    return folders


async def wait_for_players(server: EdgeServer, name: str, count: int) -> None:
    def are_there() -> bool:
        return any(row["stream"] == name and row["players"] == count for row in server.streams())

    await asyncio.to_thread(wait_until_sync, are_there, deadline(4), f"{count} players that wait for {name}")


async def play_clip(chain: Chain, clip: Path, name: str, *players: Playing) -> None:
    """Publish at the origin once all players wait at the far edge; each judges what it got."""
    async with asyncio.TaskGroup() as group:
        for player in players:
            group.create_task(player)
        await wait_for_players(chain.far_edge, name, len(players))
        with ffmpeg_publish(clip, chain.origin.rtmp_url("live", name), rate=_SPEED) as publisher:
            await publisher.wait_ok(14)


async def run(*command: str) -> None:
    """A player that ends when the broadcast does."""
    with Program(require_program(command[0]), *command[1:]) as program:
        await program.wait_ok(20)


@pytest.mark.parametrize("name", _CLIPS)
async def test_clip_reaches_every_player_at_the_far_edge_whole(
    name: str, clips: Callable[[str], Path], tmp_path: Path
) -> None:
    """The clip's packets in FLV, its pictures and sound in step in TS; each player waits before the publisher comes."""
    clip = clips(name)
    with Chain(_RETURN_FLAG) as chain:
        urls, folders = urls_of(chain.far_edge, "clip"), folders_in(tmp_path)
        await play_clip(
            chain,
            clip,
            "clip",
            *(assert_flv_is_clip(urls[form], clip, folders[form], from_first=True) for form in ("http", "ws")),
            assert_ts_is_clip(urls["ts"], clip, folders["ts"], from_first=True),
            *(assert_ffmpeg_plays_clip(urls[form], clip, from_first=True) for form in ("http", "ts")),
            *(assert_ffprobe_sees(urls[form], clip) for form in ("http", "ts")),
        )


async def test_new_codecs_reach_the_far_edge(tmp_path: Path) -> None:
    """All of them side by side in one chain."""
    made = {kind: await asyncio.to_thread(synthesise, kind, tmp_path) for kind in _NEW_KINDS}
    with Chain(_RETURN_FLAG) as chain:

        async def cross(kind: str) -> None:
            (source, frames), urls, folders = made[kind], urls_of(chain.far_edge, kind), folders_in(tmp_path / kind)
            async with asyncio.TaskGroup() as group:
                for form in ("http", "ws"):
                    judge = assert_flv_is_frames(urls[form], frames, source, folders[form], from_first=True)
                    group.create_task(judge, name=f"{kind} {form}")
                if kind == "av1_aac":  # which no ffmpeg reads in TS
                    group.create_task(assert_ts_has_pictures(urls["ts"], frames))
                else:
                    group.create_task(assert_ts_is_clip(urls["ts"], source, folders["ts"], from_first=True))
                await wait_for_players(chain.far_edge, kind, 3)
                url = chain.origin.rtmp_url("live", kind)
                async with TagPublisher(url, tags_of(frames), speed=_SPEED, **ENHANCED_CONNECT) as publisher:
                    await publisher.wait_done(3)

        await asyncio.gather(*(cross(kind) for kind in _NEW_KINDS))


async def assert_ts_has_pictures(url: str, frames: list[Frame]) -> None:
    """A packet for each picture, each at its distance from the first."""
    sent = [frame for frame in frames if frame.type_id == VIDEO and not frame.kind]
    async with TsReader(url) as reader:
        await reader.wait_end(10)
        reader.assert_ended_well()
    got = reader.of(VIDEO_PID)
    assert [pes.is_random_access for pes in got] == [frame.is_keyframe for frame in sent]
    assert [round((pes.dts - got[0].dts) / 90) for pes in got] == [frame.dts_ms - sent[0].dts_ms for frame in sent]


async def test_curl_writes_the_clip_to_a_file(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """And leaves with 0 when the broadcast ends."""
    clip = clips(_CLIPS[1])
    flv, ts = tmp_path / "played.flv", tmp_path / "played.ts"
    with Chain(_RETURN_FLAG) as chain:
        urls = urls_of(chain.far_edge, "clip")
        await play_clip(
            chain,
            clip,
            "clip",
            run("curl", "-sS", "-o", str(flv), urls["http"]),
            run("curl", "-sS", "-o", str(ts), urls["ts"]),
        )
    compare_tags(read_tags(clip), read_tags(flv)).assert_exact(from_first=True)
    assert await pictures_of(ts) == await pictures_of(clip)


async def pictures_of(path: Path) -> list[str]:
    """Digests of what they look like."""
    return [sample.digest for sample in (await framemd5(path, decodes_video=True))["video"]]


def gst_command(url: str, demuxer: str, output: Path) -> tuple[str, ...]:
    """GStreamer's demuxers and parsers; pictures and sound go to a file each."""
    return (
        *("gst-launch-1.0", "-q", "souphttpsrc", f"location={url}", "is-live=true", "!", demuxer, "name=d"),
        *("d.", "!", "queue", "!", "h264parse", "!", "video/x-h264,stream-format=byte-stream,alignment=au"),
        *("!", "filesink", f"location={output}.h264"),
        *("d.", "!", "queue", "!", "aacparse", "!", "audio/mpeg,stream-format=adts"),
        *("!", "filesink", f"location={output}.aac"),
    )


async def test_gstreamer_demuxes_all_pictures_and_sound(clips: Callable[[str], Path], tmp_path: Path) -> None:
    for element in ("souphttpsrc", "flvdemux", "tsdemux", "h264parse", "aacparse"):
        require_gst_element(element)
    clip = clips(_CLIPS[1])
    with Chain(_RETURN_FLAG) as chain:
        urls = urls_of(chain.far_edge, "clip")
        await play_clip(
            chain,
            clip,
            "clip",
            run(*gst_command(urls["http"], "flvdemux", tmp_path / "flv")),
            run(*gst_command(urls["ts"], "tsdemux", tmp_path / "ts")),
        )
    pictures, packets = await pictures_of(clip), await framemd5(clip)
    # Sound from before the first picture is not played.
    sound = [sample for sample in packets["audio"] if sample.pts_ms > packets["video"][0].pts_ms]
    for form in ("flv", "ts"):
        assert await pictures_of(tmp_path / f"{form}.h264") == pictures, form
        heard = (await framemd5(tmp_path / f"{form}.aac"))["audio"]
        assert len(heard) >= len(sound), f"{form}: {len(heard)} of {len(sound)} frames of sound"
