"""Segments of our nodes, joined and read by ffmpeg: silent, and all frames are there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.media.frame import AUDIO, MEDIA, VIDEO, Frame, has_picture
from tests.harness.coded import run_ffmpeg, synthesise
from tests.harness.flv_file import frame_of, read_flv
from tests.harness.media_file import streams_of
from tests.hls.feeding import Hop, Origin, Watched, init_of
from tests.hls.test_segmenter import assert_same

pytestmark = pytest.mark.interop


def assert_silent(path: Path) -> None:
    """No warning either."""
    assert run_ffmpeg("-v", "warning", "-xerror", "-i", str(path), "-f", "null", "-") == ""


def joined(watched: Watched, path: Path) -> Path:
    segments = list(watched.it.segments)
    assert len(segments) > 1 and all(each.data for each in segments)
    init = init_of(watched.it, segments[0]) if segments[0].init else b""
    path.write_bytes(init + b"".join(each.data or b"" for each in segments))
    return path


def with_keyframes(frames: list[Frame], count: int) -> list[Frame]:
    """The clip, repeated until it has so many keyframes: one of a single group of pictures has one."""
    span = max(frame.dts_ms for frame in frames) + 40
    times = -(-count // sum(frame.is_keyframe for frame in frames))
    return [
        frame_of(frame.type_id, frame.dts_ms + span * time, frame.payload) for time in range(times) for frame in frames
    ]


@pytest.mark.parametrize("kind", ["ts", "m4s"])
@pytest.mark.parametrize("name", ["bbb-360p-10s.flv", "bbb-720p-5s.mp4", "avc_aac", "enhanced_avc_aac", "hevc_aac"])
def test_segments_joined(name: str, kind: str, clips: Callable[[str], Path], tmp_path: Path) -> None:
    """Another node, which began at the second keyframe, makes the same ones."""
    frames = read_flv(clips(name).read_bytes()) if "." in name else synthesise(name, tmp_path, seconds=4)[1]
    frames = with_keyframes(frames, 3)
    origin = Origin()
    watched, node, second = Watched(origin.stream, kind, may_grow=True), None, None
    keyframes = 0
    for frame in frames:
        origin.push(frame.type_id, frame.dts_ms, frame.payload)
        keyframes += frame.is_keyframe
        if keyframes == 2 and node is None:
            node = Hop(origin)
            node.receive()
            second = Watched(node.stream, kind, may_grow=True)
        elif node is not None:
            node.receive()
    origin.stream.end("")
    path = joined(watched, tmp_path / f"joined.{kind}")
    assert_silent(path)
    streams = streams_of(path)
    counts = {kind: int(streams[kind]["nb_read_frames"]) for kind in ("video", "audio")}
    for kind_of, type_id in (("video", VIDEO), ("audio", AUDIO)):
        assert counts[kind_of] == sum(
            frame.type_id == type_id and frame.kind == MEDIA and (type_id == AUDIO or has_picture(frame.payload))
            for frame in frames
        )
    assert second is not None
    assert_same(watched, second)
