"""``[CONN_STATS]``: a line per connection of a stream, for programs that watch quality."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from edge.logbook.fluency import Expected, score
from edge.logbook.words import word


class Subject(Enum):
    """What a line is about; the values stand in it."""

    INGESTER = "ingester stats, "
    PUBLISH = "publish stats, "
    PLAY = "play stats, "
    FORWARD = "forward stats, "
    PLAY_FLV = "play_flv stats, "
    PLAY_TS = "play_ts stats, "


class Counts(NamedTuple):
    """What has passed so far: bytes of message bodies, and video frames."""

    video_bytes: int = 0
    audio_bytes: int = 0
    video_frames: int = 0


class Rates(NamedTuple):
    """The same per second, in bits."""

    video_bps: int
    audio_bps: int
    fps: int


def rates(before: Counts, now: Counts, elapsed_ms: int) -> Rates:
    """What has passed within ``elapsed_ms``, in whole numbers; what is counted never goes back."""
    span_ms = max(elapsed_ms, 1)
    video, audio, frames = (max(new - old, 0) for old, new in zip(before, now, strict=True))
    return Rates(video * 8000 // span_ms, audio * 8000 // span_ms, frames * 1000 // span_ms)


def conn_line(
    subject: Subject, key: str, peer: str, flow: Rates, expected: Expected | None
) -> tuple[str, tuple[object, ...]]:
    """The line as a ``%``-style text and its arguments; ``expected``: what the stream's source should have."""
    return (
        "[CONN_STATS]%ssession:%s, ip:%s, flowrate:%d, videorate:%d, audiorate:%d, videofps:%d, score:%d",
        (
            subject.value,
            word(key, " ,"),
            word(peer, " ,"),
            flow.video_bps + flow.audio_bps,
            flow.video_bps,
            flow.audio_bps,
            flow.fps,
            score(flow.fps, expected),
        ),
    )
