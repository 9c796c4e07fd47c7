"""Counters of one stream, sampled once a second."""

from __future__ import annotations

from collections import deque

from edge.media.frame import AUDIO, VIDEO, Frame


class StreamStats:
    """What came in.

    Attributes:
        video_bytes, audio_bytes: message bodies received, headers excluded.
        gop: video frames between the last two keyframes.
        video_bps, audio_bps: bytes in the last sampled second.
        gap_count, dropped_count: losses seen upstream; frames refused
            (replaced publisher, waiting for a keyframe).
        player_jump_count, player_dropped_count: times that a player too far
            behind went to a keyframe; frames that players left out by that.
    """

    __slots__ = (
        "_fps",
        "_gop_frames",
        "_last",
        "audio_bps",
        "audio_bytes",
        "audio_frames",
        "dropped_count",
        "duplicate_count",
        "gap_count",
        "gop",
        "player_dropped_count",
        "player_jump_count",
        "upstream_gap_ms",
        "video_bps",
        "video_bytes",
        "video_frames",
    )

    def __init__(self) -> None:
        self.video_bytes = self.audio_bytes = self.video_frames = self.audio_frames = 0
        self.gop = self._gop_frames = 0
        self.video_bps = self.audio_bps = 0
        self.gap_count = self.dropped_count = self.duplicate_count = 0
        self.player_jump_count = self.player_dropped_count = 0
        self.upstream_gap_ms = 0
        self._last = (0, 0, 0)
        self._fps: deque[int] = deque(maxlen=10)

    def count(self, frame: Frame) -> None:
        """One media frame (not a header) was accepted."""
        if frame.type_id == VIDEO:
            self.video_frames += 1
            self.video_bytes += len(frame.payload)
            if frame.is_keyframe:
                self.gop, self._gop_frames = self._gop_frames, 0
            self._gop_frames += 1
        elif frame.type_id == AUDIO:
            self.audio_frames += 1
            self.audio_bytes += len(frame.payload)

    def sample(self) -> None:
        """Called once a second."""
        video_bytes, audio_bytes, frames = self._last
        self.video_bps = self.video_bytes - video_bytes
        self.audio_bps = self.audio_bytes - audio_bytes
        self._fps.append(self.video_frames - frames)
        self._last = (self.video_bytes, self.audio_bytes, self.video_frames)

    @property
    def fps(self) -> int:
        """Mean of up to the last ten one-second video frame counts."""
        return round(sum(self._fps) / len(self._fps)) if self._fps else 0
