"""Counters of one stream, sampled once a second."""

from __future__ import annotations

from collections import deque

from edge.media.frame import AUDIO, VIDEO, Frame

#: Seconds that the rate of frames is a mean of.
_WINDOW_S = 10


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
        "_gop_frames",
        "_last",
        "_last_dts_ms",
        "_marks",
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
        self._last = (0, 0)
        self._last_dts_ms = 0
        # At each sample since the first video frame: frames so far, and the last one's time on the stream's clock.
        self._marks: deque[tuple[int, int]] = deque(maxlen=_WINDOW_S + 1)

    def count(self, frame: Frame) -> None:
        """One media frame (not a header) was accepted."""
        if frame.type_id == VIDEO:
            self.video_frames += 1
            self._last_dts_ms = frame.dts_ms
            self.video_bytes += len(frame.payload)
            if frame.is_keyframe:
                self.gop, self._gop_frames = self._gop_frames, 0
            self._gop_frames += 1
        elif frame.type_id == AUDIO:
            self.audio_frames += 1
            self.audio_bytes += len(frame.payload)

    def sample(self) -> None:
        """Called once a second."""
        video_bytes, audio_bytes = self._last
        self.video_bps = self.video_bytes - video_bytes
        self.audio_bps = self.audio_bytes - audio_bytes
        self._last = (self.video_bytes, self.audio_bytes)
        if self.video_frames:
            self._marks.append((self.video_frames, self._last_dts_ms))

    @property
    def fps(self) -> float | None:
        """Video frames per second over up to ten seconds, None before the first whole second.

        A burst, as of the frames that an upstream holds or of those that a stall has
        held up, is spread over the time that it spans on the stream's own clock. What
        spans less than the time that has passed is counted by the latter, so that a
        stall shows; one interval of frames is allowed for the edges of the window.
        """
        if len(self._marks) < 2:
            return None
        (frames_before, since_ms), (frames, until_ms) = self._marks[0], self._marks[-1]
        count, span_ms, passed_ms = frames - frames_before, max(until_ms - since_ms, 0), 1000 * (len(self._marks) - 1)
        return 1000 * count / max(span_ms, passed_ms - span_ms / count) if count else 0.0
