"""The stream's clock: from the publishers' 32-bit timestamps to milliseconds that never go back.

The clock starts at 0 with the stream's first frame. Within a track it never
decreases; between tracks the publisher's own differences are kept, so that
sound stays with the picture. A step larger than ``max_jitter_ms`` is taken as
it is only when it agrees with the other track or with real silence; otherwise
it is an encoder's restart and becomes ``frame_interval_ms``. When one track
has been corrected and the other jumps by the same amount, both move together.

Data messages follow the clock of sound and picture as far as their stamps
agree with it, and never move it: many encoders stamp them all 0. A stream of
data alone goes by their own.
"""

from __future__ import annotations

from typing import NamedTuple

#: Backward steps up to this are late frames (clamped); larger ones are a new base.
_LATE_MS = 250


def signed_difference(newer: int, older: int) -> int:
    """Difference of two 32-bit timestamps as a signed number (RTMP 1.0 §5.3.1.3 and its wrap)."""
    return ((newer - older + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class TimelineState(NamedTuple):
    """Where a clock is, for the process that goes on with it.

    Attributes:
        tracks: by type id, the newest raw timestamp, what is added to it and the newest dts.
        data: the same of data messages, or None.
    """

    tracks: dict[int, tuple[int, int, int]]
    data: tuple[int, int, int] | None
    data_beside_ms: int
    arrived_ms: int
    floor_ms: int
    next_shift_ms: int | None
    last_dts_ms: int
    jump_count: int


class _Track:
    __slots__ = ("dts_ms", "raw", "shift_ms")

    def __init__(self, raw: int, shift_ms: int) -> None:
        self.raw = raw
        self.shift_ms = shift_ms
        self.dts_ms = 0


class Timeline:
    """Maps wire timestamps of one publisher after the other onto one clock.

    Attributes:
        last_dts_ms: newest dts given out on any track, of data only while there is nothing else;
            -1 before the first.
    """

    __slots__ = (
        "_arrived_ms",
        "_data",
        "_data_beside_ms",
        "_floor_ms",
        "_frame_interval_ms",
        "_max_jitter_ms",
        "_next_shift_ms",
        "_tracks",
        "jump_count",
        "last_dts_ms",
    )

    def __init__(self, max_jitter_ms: int = 5000, frame_interval_ms: int = 40) -> None:
        self.set_limits(max_jitter_ms, frame_interval_ms)
        self._tracks: dict[int, _Track] = {}
        self._data: _Track | None = None
        self._data_beside_ms = -1
        self._arrived_ms = 0
        self._floor_ms = 0
        self._next_shift_ms: int | None = None
        self.last_dts_ms = -1
        self.jump_count = 0

    def set_limits(self, max_jitter_ms: int, frame_interval_ms: int) -> None:
        """Take a step above ``max_jitter_ms`` as one of ``frame_interval_ms``, from now on."""
        self._max_jitter_ms = max_jitter_ms
        self._frame_interval_ms = frame_interval_ms

    def restart(self, shift_ms: int | None = None) -> None:
        """A new publisher begins: its first frame follows the last one by a frame interval.

        With ``shift_ms`` it is known to go on where the last one was: that is
        added to its timestamps. Without, none of its tracks begins before the
        last one's end.
        """
        self._tracks.clear()
        self._data = None
        self._next_shift_ms = shift_ms
        self._floor_ms = self.newest_position() if shift_ms is None else 0

    def state(self) -> TimelineState:
        """Where the clock is."""
        data = self._data
        return TimelineState(
            {type_id: (track.raw, track.shift_ms, track.dts_ms) for type_id, track in self._tracks.items()},
            None if data is None else (data.raw, data.shift_ms, data.dts_ms),
            self._data_beside_ms,
            self._arrived_ms,
            self._floor_ms,
            self._next_shift_ms,
            self.last_dts_ms,
            self.jump_count,
        )

    def go_on(self, state: TimelineState) -> None:
        """Be where a clock of another process is."""
        self._tracks = {type_id: _go_on(*track) for type_id, track in state.tracks.items()}
        self._data = None if state.data is None else _go_on(*state.data)
        self._data_beside_ms, self._arrived_ms = state.data_beside_ms, state.arrived_ms
        self._floor_ms, self._next_shift_ms = state.floor_ms, state.next_shift_ms
        self.last_dts_ms, self.jump_count = state.last_dts_ms, state.jump_count

    @property
    def original_shift_ms(self) -> int:
        """Stream clock at which the publisher's own timestamps read 0."""
        track = next(iter(self._tracks.values()), self._data)
        return track.shift_ms if track is not None else 0

    def newest_position(self) -> int:
        """Place of the newest frame, 0 before the first; data without a stamp stand there."""
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

    def map_data(self, wire_timestamp: int, now_ms: int) -> int:
        """Return the dts in milliseconds of a data message that arrived at ``now_ms``."""
        if not self._tracks:
            return self._map_lone_data(wire_timestamp, now_ms)
        data = self._data
        if data is None:
            track = next(iter(self._tracks.values()))
            data = self._data = _Track(track.raw, track.shift_ms)
            data.dts_ms = self._floor_ms
        data.dts_ms = max(self._beside_media(data, wire_timestamp, now_ms), data.dts_ms)
        return data.dts_ms

    def _beside_media(self, data: _Track, wire_timestamp: int, now_ms: int) -> int:
        """Where the stamp of a data message is on a clock of sound or picture, or on its own as it has run so far.

        A stamp is believed within ``max_jitter_ms`` of the newest sound or picture, and ahead of
        that as far as they may really have been silent; or after another data message, with
        neither sound nor picture between the two.
        """
        is_next = self._data_beside_ms == self.last_dts_ms
        self._data_beside_ms = self.last_dts_ms
        newest_ms = self.newest_position()
        near_ms = self._max_jitter_ms
        ahead_ms = max(near_ms, 2 * (now_ms - self._arrived_ms))
        if wire_timestamp == 0:
            near_ms = _LATE_MS  # this is rather no stamp at all
        for track in (*self._tracks.values(), data):
            raw = track.raw + signed_difference(wire_timestamp, track.raw)
            dts_ms = raw + track.shift_ms
            if dts_ms < max(data.dts_ms - _LATE_MS, newest_ms - near_ms):
                continue
            if dts_ms <= newest_ms + ahead_ms or (is_next and dts_ms - data.dts_ms <= near_ms):
                data.raw, data.shift_ms = raw, track.shift_ms
                return dts_ms
        return newest_ms

    def _map_lone_data(self, wire_timestamp: int, now_ms: int) -> int:
        data = self._data
        if data is None:
            shift_ms = self._next_shift_ms
            position = self.next_position() if shift_ms is None else max(wire_timestamp + shift_ms, 0)
            data = self._data = _Track(wire_timestamp, position - wire_timestamp)
            data.dts_ms = max(position, self._floor_ms)
        else:
            step = signed_difference(wire_timestamp, data.raw)
            if step >= -_LATE_MS or wire_timestamp != 0:
                data.raw += step
                is_silence = now_ms - self._arrived_ms >= step // 2
                if step < -_LATE_MS or (step > self._max_jitter_ms and not is_silence):
                    self.jump_count += 1
                    data.shift_ms = data.dts_ms + self._frame_interval_ms - data.raw
                data.dts_ms = max(data.raw + data.shift_ms, data.dts_ms)
        self._arrived_ms = now_ms
        self.last_dts_ms = max(self.last_dts_ms, data.dts_ms)
        return data.dts_ms

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
        is_first = not self._tracks and self._data is None
        position = self.next_position() if is_first else self.newest_position()
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


def _go_on(raw: int, shift_ms: int, dts_ms: int) -> _Track:
    track = _Track(raw, shift_ms)
    track.dts_ms = dts_ms
    return track
