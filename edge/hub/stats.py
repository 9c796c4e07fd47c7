"""Counters of one stream, sampled once a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from edge.media.frame import AUDIO, MEDIA, VIDEO, Frame

#: Seconds that the rate of frames is a mean of.
_WINDOW_S = 10
#: Players that are remembered as stuck.
_MAX_STUCK = 256
#: Least time that tells how fast pictures come.
_PACE_SECONDS = 3


class StreamStats:
    """What came in.

    Attributes:
        video_bytes, audio_bytes: message bodies received, headers excluded.
        video_header_bytes, audio_header_bytes: bodies of their headers.
        video_frames, gop: frames, and those between the last two keyframes, of one video track where there are several.
        video_bps, audio_bps: bytes in the last sampled second.
        gap_count, dropped_count: losses seen upstream; frames refused
            (replaced publisher, waiting for a keyframe).
        clock_drift_ms: how far the sound's clock has run ahead of the picture's (negative: behind) since both
            began; 0 while there is one of them only.
        player_jump_count, player_dropped_count: times that a player too far
            behind went to a keyframe; frames that players left out by that.
        stuck: which frames, video and audio, by player (peer and message stream id), since somebody has taken
            them out; None where nobody does.
    """

    __slots__ = (
        "_ahead_ms",
        "_audio_dts_ms",
        "_clocks_counts",
        "_first_ahead_ms",
        "_gop_frames",
        "_last",
        "_last_dts_ms",
        "_marks",
        "_video_track",
        "audio_bps",
        "audio_bytes",
        "audio_frames",
        "audio_header_bytes",
        "clock_drift_ms",
        "dropped_count",
        "duplicate_count",
        "gap_count",
        "gop",
        "player_dropped_count",
        "player_jump_count",
        "stuck",
        "upstream_gap_ms",
        "video_bps",
        "video_bytes",
        "video_frames",
        "video_header_bytes",
    )

    def __init__(self) -> None:
        self.video_bytes = self.audio_bytes = self.video_frames = self.audio_frames = 0
        self.video_header_bytes = self.audio_header_bytes = 0
        self.stuck: dict[tuple[str, int], tuple[int, int]] | None = None
        self.gop = self._gop_frames = 0
        self._video_track = 0
        self.video_bps = self.audio_bps = 0
        self.gap_count = self.dropped_count = self.duplicate_count = 0
        self.player_jump_count = self.player_dropped_count = 0
        self.upstream_gap_ms = 0
        self._last = (0, 0)
        self._last_dts_ms = self._audio_dts_ms = 0
        self.clock_drift_ms = 0
        # Frames of each at the last sample, and the sound's clock less the picture's then and when both had begun.
        self._clocks_counts = (0, 0)
        self._ahead_ms: int | None = None
        self._first_ahead_ms: int | None = None
        # At each sample since the first video frame: frames so far, and the last one's time on the stream's clock.
        self._marks: deque[tuple[int, int]] = deque(maxlen=_WINDOW_S + 1)

    def count(self, frame: Frame) -> None:
        """One media frame (not a header) has been taken into the queue, which names its track."""
        if frame.type_id == VIDEO:
            self.video_bytes += len(frame.payload)
            if frame.track != self._video_track:
                if self._video_track and frame.track != VIDEO:
                    return
                self._video_track = frame.track
            self.video_frames += 1
            self._last_dts_ms = frame.dts_ms
            if frame.is_keyframe:
                self.gop, self._gop_frames = self._gop_frames, 0
            self._gop_frames += 1
        elif frame.type_id == AUDIO:
            self.audio_frames += 1
            self._audio_dts_ms = frame.dts_ms
            self.audio_bytes += len(frame.payload)

    def count_header(self, type_id: int, size_bytes: int) -> None:
        """A header, or metadata, has come."""
        if type_id == VIDEO:
            self.video_header_bytes += size_bytes
        elif type_id == AUDIO:
            self.audio_header_bytes += size_bytes

    def note_stuck(self, peer: str, message_stream_id: int, frames: Iterable[Frame]) -> None:
        """A player that was behind leaves out ``frames``; of more players than anybody reads nothing is kept."""
        if self.stuck is None or (len(self.stuck) >= _MAX_STUCK and (peer, message_stream_id) not in self.stuck):
            return
        video, audio = self.stuck.get((peer, message_stream_id), (0, 0))
        for frame in frames:
            video += frame.kind == MEDIA and frame.type_id == VIDEO
            audio += frame.kind == MEDIA and frame.type_id == AUDIO
        self.stuck[peer, message_stream_id] = video, audio

    def count_usual(
        self, pictures: int, picture_bytes: int, sounds: int, sound_bytes: int, last_dts: dict[int, int]
    ) -> None:
        """So many frames of each medium's own track, none of them a keyframe; ``last_dts``: stamps of the newest."""
        if pictures:
            self._video_track = VIDEO
            self.video_bytes += picture_bytes
            self.video_frames += pictures
            self._gop_frames += pictures
            self._last_dts_ms = last_dts[VIDEO]
        if sounds:
            self.audio_frames += sounds
            self.audio_bytes += sound_bytes
            self._audio_dts_ms = last_dts[AUDIO]

    def go_on(self) -> None:
        """The counters are those of another process: the second that is sampled next begins with them."""
        self._last = (self.video_bytes, self.audio_bytes)

    def sample(self) -> None:
        """Called once a second."""
        video_bytes, audio_bytes = self._last
        self.video_bps = self.video_bytes - video_bytes
        self.audio_bps = self.audio_bytes - audio_bytes
        self._last = (self.video_bytes, self.audio_bytes)
        self._sample_clocks()
        if self.video_frames:
            self._marks.append((self.video_frames, self._last_dts_ms))

    def _sample_clocks(self) -> None:
        """Compare the clocks where both have run for a second before and after: being switched off is no drift."""
        counts, before = (self.video_frames, self.audio_frames), self._clocks_counts
        self._clocks_counts = counts
        if counts[0] == before[0] or counts[1] == before[1]:
            self._ahead_ms = None
            return
        if self._ahead_ms is not None:
            if self._first_ahead_ms is None:
                self._first_ahead_ms = self._ahead_ms
            self.clock_drift_ms = self._ahead_ms - self._first_ahead_ms
        self._ahead_ms = self._audio_dts_ms - self._last_dts_ms

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

    @property
    def pace_pct(self) -> int | None:
        """How fast the pictures come beside their own clock, over up to ten seconds; None before three whole ones.

        100 is real time. Less means that the line which they come by, or the encoder, is too slow.
        """
        if len(self._marks) <= _PACE_SECONDS:
            return None
        passed_ms = 1000 * (len(self._marks) - 1)
        return round(100 * (self._marks[-1][1] - self._marks[0][1]) / passed_ms)
