"""The judges of recordings are judged: a clip that is given out as it is passes, and each harm shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from edge.media.frame import AUDIO, VIDEO, Frame
from tests.harness.coded import synthesise
from tests.harness.flv_file import read_flv, write_flv
from tests.harness.recordings import (
    assert_ffmpeg_plays_clip,
    assert_ffprobe_sees,
    assert_flv_is_clip,
    assert_flv_is_frames,
    assert_ts_is_clip,
    framemd5,
)
from tests.harness.stand_in import StandIn

pytestmark = pytest.mark.interop

_SPEED = 20.0
#: The clip is cut to this many seconds.
_CLIP_S = 4


@pytest.fixture(scope="module")
def clip(clips: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of a clip with several groups of pictures."""
    frames = [frame for frame in read_flv(clips("bbb-360p-10s.flv").read_bytes()) if frame.dts_ms < _CLIP_S * 1000]
    return write_flv(tmp_path_factory.mktemp("short") / "clip.flv", frames)


def frames_of(clip: Path) -> list[Frame]:
    return read_flv(clip.read_bytes())


@pytest.fixture
async def server(clip: Path) -> AsyncIterator[StandIn]:
    async with StandIn(frames_of(clip), speed=_SPEED) as stand_in:
        yield stand_in


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_flv_that_is_the_clip(scheme: str, server: StandIn, clip: Path, tmp_path: Path) -> None:
    found = await assert_flv_is_clip(server.url("flv", scheme=scheme), clip, tmp_path, from_first=True)
    assert found.shift_ms == 0 and found.matched_count > 200


async def test_ts_that_is_the_clip(server: StandIn, clip: Path, tmp_path: Path) -> None:
    reader = await assert_ts_is_clip(server.url("ts"), clip, tmp_path, from_first=True)
    assert reader.keyframe_count > 1


@pytest.mark.parametrize("ending", ["flv", "ts"])
async def test_ffmpeg_and_ffprobe_read_the_url(ending: str, server: StandIn, clip: Path) -> None:
    await assert_ffmpeg_plays_clip(server.url(ending), clip, from_first=True)
    await assert_ffprobe_sees(server.url(ending), clip)


async def test_framemd5_of_a_part(server: StandIn, clip: Path) -> None:
    part, whole = [await framemd5(server.url("flv"), duration) for duration in (1.0, None)]
    assert 20 <= len(part["video"]) <= 30 and len(whole["video"]) > 90
    assert part["video"] == whole["video"][: len(part["video"])]
    assert whole == await framemd5(clip)


@pytest.mark.parametrize("kind", ["avc_opus", "hevc_aac", "hevc_opus"])
async def test_ts_of_new_codecs(kind: str, tmp_path: Path) -> None:
    source, frames = await asyncio.to_thread(synthesise, kind, tmp_path)
    async with StandIn(frames, speed=_SPEED) as server:
        await assert_ts_is_clip(server.url("ts"), source, tmp_path, from_first=True)


async def test_flv_of_new_codecs(tmp_path: Path) -> None:
    source, frames = await asyncio.to_thread(synthesise, "hevc_opus", tmp_path)
    async with StandIn(frames, speed=_SPEED) as server:
        for scheme in ("http", "ws"):
            await assert_flv_is_frames(server.url("flv", scheme=scheme), frames, source, tmp_path, from_first=True)
    async with StandIn(late(frames), speed=_SPEED) as server:
        found = await assert_flv_is_frames(server.url("flv"), frames, source, tmp_path)
        assert found.skipped["video"] == 25
    async with StandIn(without(frames, VIDEO, 30), speed=_SPEED) as server:
        with pytest.raises(AssertionError, match="bad_resumes"):
            await assert_flv_is_frames(server.url("flv"), frames, source, tmp_path)


def late(frames: list[Frame]) -> list[Frame]:
    """From the second keyframe on, as a player gets them that came late; the clock begins anew."""
    start = [number for number, frame in enumerate(frames) if frame.is_keyframe][1]
    rest = [frame for frame in frames[:start] if frame.kind] + frames[start:]
    return moved(rest, -frames[start].dts_ms, lambda frame: not frame.kind)


def moved(frames: list[Frame], by_ms: int, which: Callable[[Frame], bool]) -> list[Frame]:
    for frame in frames:
        if which(frame):
            frame.dts_ms += by_ms
    return frames


def without(frames: list[Frame], type_id: int, number: int) -> list[Frame]:
    chosen = [frame for frame in frames if frame.type_id == type_id and not frame.kind]
    return [frame for frame in frames if frame is not chosen[number]]


async def test_player_that_came_late_is_no_fault_unless_it_was_there_first(clip: Path, tmp_path: Path) -> None:
    async with StandIn(late(frames_of(clip)), speed=_SPEED) as server:
        found = await assert_flv_is_clip(server.url("flv"), clip, tmp_path)
        assert found.skipped["video"] > 0 and (found.shift_ms or 0) < 0
        await assert_ts_is_clip(server.url("ts"), clip, tmp_path)
        with pytest.raises(AssertionError, match="skipped at the start"):
            await assert_flv_is_clip(server.url("flv"), clip, tmp_path, from_first=True)
        with pytest.raises(AssertionError, match="pictures are missing"):
            await assert_ts_is_clip(server.url("ts"), clip, tmp_path, from_first=True)


@pytest.mark.parametrize(
    ("harm", "flv_complaint", "ts_complaint"),
    [
        (lambda frames: without(frames, VIDEO, 30), "bad_resumes|missing", "differs|ended with|concealing|error"),
        (lambda frames: without(frames, AUDIO, 30), "missing 1", "audio: number"),
        (lambda frames: moved(frames, 45, lambda frame: frame.type_id == AUDIO), "retimed", "audio number .* ms off"),
        (
            lambda frames: moved(frames, 45, lambda frame: frame.type_id == VIDEO and frame.dts_ms > 2000),
            "retimed",
            "video number .* ms off",
        ),
        (lambda frames: frames[:-20], "wanting at the end", "differs"),
    ],
    ids=["picture_lost", "sound_lost", "sound_late", "pictures_late", "end_lost"],
)
async def test_each_harm_shows(
    harm: Callable[[list[Frame]], list[Frame]], flv_complaint: str, ts_complaint: str, clip: Path, tmp_path: Path
) -> None:
    frames = sorted(harm(frames_of(clip)), key=lambda frame: frame.dts_ms)
    async with StandIn(frames, speed=_SPEED) as server:
        with pytest.raises(AssertionError, match=flv_complaint):
            await assert_flv_is_clip(server.url("flv"), clip, tmp_path)
        with pytest.raises(AssertionError, match=ts_complaint):
            await assert_ts_is_clip(server.url("ts"), clip, tmp_path)
