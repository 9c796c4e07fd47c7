"""The stream's clock: from the publishers' 32-bit timestamps to milliseconds that never go back.

The clock starts at 0 with the stream's first frame. Within a track it never
decreases; between tracks the publisher's own differences are kept, so that
sound stays with the picture. A step larger than ``max_jitter_ms`` is taken as
it is only when it agrees with the other track or with real silence; otherwise
it is an encoder's restart and becomes ``frame_interval_ms``. When one track
has been corrected and the other jumps by the same amount, both move together.
"""

from __future__ import annotations

#: Backward steps up to this are late frames (clamped); larger ones are a new base.
_LATE_MS = 250


def signed_difference(newer: int, older: int) -> int:
    """Difference of two 32-bit timestamps as a signed number (RTMP 1.0 §5.3.1.3 and its wrap)."""
    return ((newer - older + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class _Track:
    __slots__ = ("dts_ms", "raw", "shift_ms")

    def __init__(self, raw: int, shift_ms: int) -> None:
        self.raw = raw
        self.shift_ms = shift_ms
        self.dts_ms = 0


class Timeline:
    """Maps wire timestamps of one publisher after the other onto one clock.

    Attributes:
        last_dts_ms: newest dts given out on any track; -1 before the first.
    """

    __slots__ = (
        "_arrived_ms",
        "_floor_ms",
        "_frame_interval_ms",
        "_max_jitter_ms",
        "_next_shift_ms",
        "_tracks",
        "jump_count",
        "last_dts_ms",
    )

    def __init__(self, max_jitter_ms: int = 5000, frame_interval_ms: int = 40) -> None:
        self._max_jitter_ms = max_jitter_ms
        self._frame_interval_ms = frame_interval_ms
        self._tracks: dict[int, _Track] = {}
        self._arrived_ms = 0
        self._floor_ms = 0
        self._next_shift_ms: int | None = None
        self.last_dts_ms = -1
        self.jump_count = 0

    def restart(self, shift_ms: int | None = None) -> None:
        """A new publisher begins: its first frame follows the last one by a frame interval.

        With ``shift_ms`` it is known to go on where the last one was: that is
        added to its timestamps. Without, none of its tracks begins before the
        last one's end.
        """
        self._tracks.clear()
        self._next_shift_ms = shift_ms
        self._floor_ms = max(self.last_dts_ms, 0) if shift_ms is None else 0

    @property
    def original_shift_ms(self) -> int:
        """Stream clock at which the publisher's own timestamps read 0."""
        track = next(iter(self._tracks.values()), None)
        return track.shift_ms if track is not None else 0

    def position_for_header(self) -> int:
        """Place of a sequence header or of metadata: with the newest frame (their own timestamps are often 0)."""
        return max(self.last_dts_ms, 0)

    def next_position(self) -> int:
        """Where the first frame of a new publisher goes."""
        return self.last_dts_ms + self._frame_interval_ms if self.last_dts_ms >= 0 else 0

    def map(self, type_id: int, wire_timestamp: int, now_ms: int) -> int:
        """Return the dts in milliseconds of a media frame that arrived at ``now_ms``."""
        track = self._tracks.get(type_id)
        if track is None:
            track = self._tracks[type_id] = self._first_of_track(wire_timestamp)
        else:
            step = ((wire_timestamp - track.raw + 0x80000000) & 0xFFFFFFFF) - 0x80000000
            track.raw += step
            if step > self._max_jitter_ms or step < -_LATE_MS:
                self._jump(track, step, now_ms)
        dts_ms = track.raw + track.shift_ms
        if dts_ms < track.dts_ms:
            dts_ms = track.dts_ms
        track.dts_ms = dts_ms
        if dts_ms > self.last_dts_ms:
            self.last_dts_ms = dts_ms
        self._arrived_ms = now_ms
        return dts_ms

    def _first_of_track(self, wire_timestamp: int) -> _Track:
        for other in self._tracks.values():
            raw = other.raw + signed_difference(wire_timestamp, other.raw)
            if abs(raw + other.shift_ms - self.last_dts_ms) <= self._max_jitter_ms:
                track = _Track(raw, other.shift_ms)
                track.dts_ms = max(self._floor_ms, min(self.last_dts_ms, raw + other.shift_ms))
                return track
        if self._next_shift_ms is not None and not self._tracks:
            track = _Track(wire_timestamp, self._next_shift_ms)
            self._next_shift_ms = None
            track.dts_ms = max(0, wire_timestamp + track.shift_ms)
            return track
        position = self.next_position() if not self._tracks else max(self.last_dts_ms, 0)
        track = _Track(wire_timestamp, position - wire_timestamp)
        track.dts_ms = position
        return track

    def _jump(self, track: _Track, step: int, now_ms: int) -> None:
        near = self._max_jitter_ms
        for shift_ms in [track.shift_ms, *(other.shift_ms for other in self._tracks.values() if other is not track)]:
            if track.dts_ms - _LATE_MS <= track.raw + shift_ms and abs(track.raw + shift_ms - self.last_dts_ms) <= near:
                track.shift_ms = shift_ms
                return
        if step > 0 and now_ms - self._arrived_ms >= step // 2:
            return  # the publisher was really silent that long
        self.jump_count += 1
        track.shift_ms = self.last_dts_ms + self._frame_interval_ms - track.raw
