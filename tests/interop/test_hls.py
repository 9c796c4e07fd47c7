"""What is published at the origin is watched by HLS at the far edge of three nodes, by what people use, and whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.hls.config import HlsConfig
from edge.hls.segmenter import Segmenter
from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.fmp4 import AUDIO_TRACK_ID
from edge.media.frame import AUDIO, VIDEO, Epoch, Frame
from edge.media.mpegts import AUDIO_PID
from edge.net.track_filter import AUDIO_BIT, VIDEO_BIT
from tests.harness.clients import Program, ffmpeg_publish, require_gst_element
from tests.harness.clock import require_program
from tests.harness.coded import AV1_OPTIONS, FOURCCS, KINDS, TEST_PICTURE, TEST_SOUND, coded_frames, encode
from tests.harness.hls_client import HlsClient
from tests.harness.media_file import ffprobe
from tests.harness.mp4_reader import read_fragments
from tests.harness.recordings import framemd5
from tests.harness.server import Chain
from tests.harness.tag_rtmp import ENHANCED_CONNECT, TagPublisher, tags_of
from tests.harness.ts_demux import demux
from tests.httpd.feeding import H264_HEADER, picture
from tests.interop.hls_playing import (
    SCHEMES,
    assert_ffmpeg_plays,
    assert_ffprobe_sees,
    assert_pictures,
    assert_rules_kept,
    play_by_the_rules,
    url_of,
    wait_begun,
)

pytestmark = pytest.mark.interop

# A machine that others use may take longer than 3 s to bring the first frame to the far edge.
_FLAGS = ("-publisher_return_ms=500", "-hls_playlist_wait_ms=20000")
_CLIPS = ["bbb-360p-10s.flv", "bbb-720p-5s.mp4"]


@pytest.mark.parametrize("name", _CLIPS)
async def test_clip_is_watched_whole_at_the_far_edge(name: str, clips: Callable[[str], Path], tmp_path: Path) -> None:
    """Of each scheme, by ffmpeg, ffprobe, and a client that keeps the rules."""
    clip = clips(name)
    with Chain(*_FLAGS) as chain, ffmpeg_publish(clip, chain.origin.rtmp_url("live", "clip")) as publisher:
        await wait_begun(chain.origin, "clip")
        async with asyncio.TaskGroup() as group:
            for scheme in SCHEMES:
                url = url_of(chain.far_edge, "clip", scheme)
                group.create_task(assert_ffmpeg_plays(url, clip), name=f"ffmpeg {scheme}")
                group.create_task(assert_ffprobe_sees(url, clip), name=f"ffprobe {scheme}")
                if scheme == "two-level" and clip_is_one_group(clip):
                    continue  # cut by time: a client that begins in the middle of the group decodes nothing
                group.create_task(play_by_the_rules(url, scheme, clip, tmp_path), name=f"client {scheme}")
            await publisher.wait_ok(20)


def clip_is_one_group(clip: Path) -> bool:
    """Its first keyframe is the only one for as long as segments of the two-level scheme are kept from the end."""
    packets = ffprobe(clip, "-select_streams", "v", "-show_packets")["packets"]
    return max(float(each["dts_time"]) for each in packets if each["flags"].startswith("K")) < 2


#: Made by ffmpeg: name, its options for the encoders, picture and sound, and who can play it by which scheme.
_KINDS = {
    "hevc_aac": SCHEMES,
    "av1_opus": ["classic", "low-latency"],
    "avc_mp3": ["two-level", "classic"],
    "sound": SCHEMES,
    "pictures": SCHEMES,
}
_H264 = ("-c:v", "libx264", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p")
_SECONDS = 6


def made(kind: str, folder: Path) -> tuple[Path, list[Frame]]:
    """A file of a kind, and its frames as they are published."""
    seconds = ("-t", str(_SECONDS))
    picture, sound = (re.sub(r"duration=\d+", f"duration={_SECONDS}", each) for each in (TEST_PICTURE, TEST_SOUND))
    path = folder / f"{kind}.mp4"
    if kind == "hevc_aac":
        encode(path, *KINDS["hevc_aac"][0], *seconds, picture=picture, sound=sound)
    elif kind == "av1_opus":
        encode(path, *AV1_OPTIONS, "-pix_fmt", "yuv420p", "-c:a", "libopus", *seconds, picture=picture, sound=sound)
    elif kind == "avc_mp3":
        encode(path, *_H264, "-c:a", "libmp3lame", *seconds, picture=picture, sound=sound)
    elif kind == "sound":
        encode(path, "-c:a", "aac", *seconds, sound=sound)
    else:
        encode(path, *_H264, *seconds, picture=picture)
    return path, coded_frames(path, FOURCCS, classic={"h264": 7})


async def test_other_codecs_and_one_medium_alone(tmp_path: Path) -> None:
    """All of them side by side in one chain; classic segments are fragmented MP4 where TS has no place."""
    sources = {kind: await asyncio.to_thread(made, kind, tmp_path) for kind in _KINDS}
    with Chain(*_FLAGS) as plain, Chain(*_FLAGS, "-hls_use_fmp4", depth=2) as fragmented:

        async def cross(kind: str) -> None:
            path, frames = sources[kind]
            chain = fragmented if kind == "av1_opus" else plain
            folder = tmp_path / f"{kind}.played"
            folder.mkdir()
            origin = chain.origin.rtmp_url("live", kind)
            async with (
                asyncio.TaskGroup() as group,
                TagPublisher(origin, tags_of(frames), **ENHANCED_CONNECT) as publisher,
            ):
                await wait_begun(chain.origin, kind)
                for scheme in _KINDS[kind]:
                    url = url_of(chain.far_edge, kind, scheme)
                    group.create_task(assert_ffmpeg_plays(url, path), name=f"ffmpeg {kind} {scheme}")
                    if scheme != "classic":
                        group.create_task(play_by_the_rules(url, scheme, path, folder), name=f"{kind} {scheme}")
                await publisher.wait_done(20)

        for kinds in (("hevc_aac", "sound"), ("av1_opus",), ("avc_mp3", "pictures")):  # all at once are too much
            async with asyncio.TaskGroup() as group:
                for kind in kinds:
                    group.create_task(cross(kind), name=kind)


@pytest.mark.parametrize("early_ms", [200, -1500], ids=["negative", "large"])
async def test_composition_offsets(early_ms: int, tmp_path: Path) -> None:
    """Pictures that are shown before they are decoded, as old encoders say, and long after."""
    path = encode(
        tmp_path / "made.mp4",
        *_H264,
        "-c:a",
        "aac",
        "-t",
        "6",
        picture=TEST_PICTURE.replace("=4", "=6"),
        sound=TEST_SOUND.replace("duration=4", "duration=6"),
    )
    frames = coded_frames(path, FOURCCS, classic={"h264": 7}, shown_early_ms=early_ms)
    with Chain(*_FLAGS, depth=2) as chain:
        async with (
            asyncio.TaskGroup() as group,
            TagPublisher(chain.origin.rtmp_url("live", "s"), tags_of(frames)) as publisher,
        ):
            await wait_begun(chain.origin, "s")
            for scheme in SCHEMES:
                if scheme == "low-latency" and early_ms > 0:
                    continue  # ffmpeg moves all pictures of fragmented MP4 by the least offset, which is wrong
                url = url_of(chain.far_edge, "s", scheme)
                group.create_task(assert_ffmpeg_plays(url, path), name=scheme)
            await publisher.wait_done(20)


async def test_publisher_that_comes_back_with_another_resolution(tmp_path: Path) -> None:
    """ffmpeg and a client that keeps the rules go on behind the discontinuity; all is decoded."""
    made = []
    for size, seconds in (("160x120", 4), ("320x240", 4)):
        picture = TEST_PICTURE.replace("160x120", size).replace("=4", f"={seconds}")
        path = encode(tmp_path / f"{size}.mp4", *_H264, "-c:a", "aac", picture=picture, sound=TEST_SOUND)
        made.append(coded_frames(path, FOURCCS, classic={"h264": 7}))
    with Chain(*_FLAGS, "-publisher_grace_ms=4000", depth=2) as chain:
        origin = chain.origin.rtmp_url("live", "s")
        clients = {scheme: HlsClient(url_of(chain.far_edge, "s", scheme), keeps_bodies=True) for scheme in SCHEMES}
        async with asyncio.TaskGroup() as group:
            async with TagPublisher(origin, tags_of(made[0])) as publisher:
                await wait_begun(chain.origin, "s")
                players = [group.create_task(ffmpeg_decodes(url_of(chain.far_edge, "s", scheme))) for scheme in SCHEMES]
                for client in clients.values():
                    group.create_task(client.run())
                await publisher.wait_done(15)
            async with TagPublisher(origin, tags_of(made[1])) as publisher:
                await publisher.wait_done(15)
    for scheme, client in clients.items():
        assert_rules_kept(client, scheme)
        assert client.playlist is not None
        assert [segment.is_discontinuity for segment in client.playlist.segments].count(True) == 1, scheme
        assert client.playlist.is_ended
    for player in players:
        assert player.result() > 100, "pictures of both"


async def ffmpeg_decodes(url: str) -> int:
    """How many pictures ffmpeg decodes until the end of the broadcast; it may say what changes, at a discontinuity."""
    command = (
        *(require_program("ffmpeg"), "-nostdin", "-v", "fatal", "-live_start_index", "0", "-i", url),
        *("-map", "0:v", "-vf", "scale=160:120", "-vsync", "passthrough", "-f", "framemd5", "-"),
    )
    with Program(*command) as program:
        text = await program.wait_ok(30)
        assert program.stderr == "", program.stderr
    return sum(1 for line in text.splitlines() if not line.startswith(b"#"))


async def test_gstreamer_and_curl(clips: Callable[[str], Path], tmp_path: Path) -> None:
    """GStreamer plays the classic playlist to its end; curl gets what is in it."""
    for element in ("souphttpsrc", "hlsdemux", "tsdemux", "h264parse"):
        require_gst_element(element)
    clip, output = clips(_CLIPS[1]), tmp_path / "gst.h264"
    with Chain(*_FLAGS, depth=2) as chain:
        url = url_of(chain.far_edge, "clip", "classic")
        async with asyncio.TaskGroup() as group:
            with ffmpeg_publish(clip, chain.origin.rtmp_url("live", "clip")) as publisher:
                await wait_begun(chain.origin, "clip")
                group.create_task(gst_plays(url, output), name="gstreamer")
                await publisher.wait_ok(20)
        media = f"http://{chain.far_edge.address}/live/clip.classic.media.m3u8"
        text = await curl(media)
        assert text.endswith(b"#EXT-X-ENDLIST\n")
        names = [line.decode() for line in text.splitlines() if line and not line.startswith(b"#")]
        path = tmp_path / "curl.ts"
        path.write_bytes(b"".join([await curl(f"{media.rpartition('/')[0]}/{name}") for name in names]))
    have, want = await framemd5(path, decodes_video=True), await framemd5(clip, decodes_video=True)
    assert_pictures(have, want)
    shown = [sample.digest for sample in (await framemd5(output, decodes_video=True))["video"]]
    assert shown == [sample.digest for sample in want["video"]][-len(shown) :] and len(shown) >= 50


async def gst_plays(url: str, output: Path) -> None:
    command = (
        *("-q", "souphttpsrc", f"location={url}", "!", "hlsdemux", "!", "tsdemux", "!", "h264parse", "!"),
        *("video/x-h264,stream-format=byte-stream,alignment=au", "!", "filesink", f"location={output}"),
    )
    with Program(require_program("gst-launch-1.0"), *command) as program:
        await program.wait_ok(40)


async def curl(url: str) -> bytes:
    with Program(require_program("curl"), "-sS", "--fail", url) as program:
        return await program.wait_ok(10)


def test_sound_at_44100_hz_does_not_drift() -> None:
    """Ten minutes, whose stamps are whole milliseconds, fed as fast as they are taken."""
    config = HubConfig()
    stream = Stream(StreamKey("_", "live", "s"), config, 0)
    publisher: Publisher[Stream] = Publisher(stream, "test", 0)
    stream.begin_publish(publisher, Epoch("e", started_wall_ms=1_796_000_000_000), 0)
    heard: dict[str, list[float]] = {"ts": [], "m4s": []}
    segmenters = {kind: Segmenter(stream, kind, AUDIO_BIT | VIDEO_BIT, HlsConfig(), lambda: None) for kind in heard}
    seen: set[tuple[str, int]] = set()
    stream.push(VIDEO, 0, H264_HEADER, 0)
    stream.push(AUDIO, 0, b"\xaf\x00\x12\x10", 0)
    number, count = 0, round(600 * 44100 / 1024)
    for at_ms in range(0, 600_000, 200):
        stream.push(VIDEO, at_ms, picture(is_keyframe=at_ms % 2000 == 0), at_ms)
        while number < count and number * 1024000 / 44100 < at_ms + 200:
            at = int(number * 1024000 / 44100)
            stream.push(AUDIO, at, b"\xaf\x01" + number.to_bytes(4, "big") + bytes(60), at)
            number += 1
        stream.commit()
        for kind, segmenter in segmenters.items():
            for segment in segmenter.segments:
                if segment.data is not None and (kind, segment.name.number) not in seen:
                    seen.add((kind, segment.name.number))
                    heard[kind] += sound_drift_ms(kind, segment.data)
    for kind, drift in heard.items():
        assert len(drift) > 280
        assert max(drift) - min(drift) < 20, f"{kind}: {min(drift)} to {max(drift)} ms"


def sound_drift_ms(kind: str, data: bytes) -> list[float]:
    """How far the first frame of sound in a segment is from where it belongs, by its number."""
    if kind == "ts":
        pes = next(each for each in demux(data).found if each.pid == AUDIO_PID)
        at_ms, body = pes.pts / 90, pes.data[7:]
    else:
        samples = read_fragments(data)[AUDIO_TRACK_ID]
        at_ms, body = samples[0].dts * 1000 / 44100, samples[0].data
    return [at_ms - int.from_bytes(body[:4], "big") * 1024000 / 44100]
