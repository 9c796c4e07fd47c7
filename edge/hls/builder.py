"""Fills segments with frames, in MPEG-TS or in fragmented MP4.

The bytes follow from the frames of the segment and from the headers in force
at its beginning, and from nothing else that a node may know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from edge.hls.names import init_digest
from edge.hls.segment import Part, Segment
from edge.hub.cuts import Cut
from edge.media.fmp4 import Fmp4Muxer
from edge.media.frame import AUDIO, MEDIA, TRACK_BIT, VIDEO, Frame
from edge.media.mpegts import TsMuxer

#: Sound waits so long for more: fewer packets. Less than the lead of pictures over the clock.
_SOUND_HOLD_MS = 150
#: The first frames of a segment in TS wait so long: its tables name what is among them.
_TABLES_WAIT_MS = 500
#: Numbers of fragments (mfhd) follow from the number of the segment, which has fewer parts than this.
_PARTS_PER_NUMBER = 4096
_NEVER = -1 << 60
#: All parts but the last of a segment have this percentage of the target at least (RFC 8216bis §4.4.4.9).
_LEAST_PERCENT = 85
#: Stamps are whole milliseconds: how far a frame may be from where a steady rate has it.
_UNSTEADY_MS = 2


class Builder(Protocol):
    """Makes the bytes of one segment after the other."""

    def begin(self, segment: Segment, cut: Cut, headers: Sequence[Frame]) -> None:
        """A segment begins, with ``headers`` in force."""
        ...

    def header(self, frame: Frame) -> None:
        """Another one is in force from here on."""
        ...

    def add(self, frames: Sequence[Frame]) -> bool:
        """Frames that come together; True when a part is complete before one of them."""
        ...

    def end(self, end_ms: int) -> None:
        """The segment is complete up to there."""
        ...


class TsBuilder:
    """MPEG-TS: counters begin anew in each segment, so that any node makes the same bytes of it."""

    __slots__ = ("_lead_ms", "_muxer", "_segment", "_wait_until_ms", "_waiting")

    def __init__(self, pcr_lead_ms: int) -> None:
        self._lead_ms = pcr_lead_ms
        self._muxer = TsMuxer()
        self._segment: Segment | None = None
        self._wait_until_ms = 0
        self._waiting: list[Frame] | None = None  # the first frames; None once they are through

    def begin(self, segment: Segment, cut: Cut, headers: Sequence[Frame]) -> None:
        """See :class:`Builder`."""
        self._segment, self._waiting = segment, []
        self._wait_until_ms = cut.dts_ms + cut.epoch.shift_ms + _TABLES_WAIT_MS
        hold_ms = min(_SOUND_HOLD_MS, self._lead_ms)
        self._muxer = muxer = TsMuxer(
            pcr_lead_ms=self._lead_ms, audio_hold_ms=hold_ms, shift_ms=cut.epoch.shift_ms, is_segment=True
        )
        for header in headers:
            muxer.set_header(header)

    def header(self, frame: Frame) -> None:
        """See :class:`Builder`."""
        if self._waiting is not None:
            self._waiting.append(frame)
        elif self._segment is not None:
            self._segment.add(self._muxer.encode(frame))

    def add(self, frames: Sequence[Frame]) -> bool:
        """See :class:`Builder`; there are no parts."""
        waiting, until_ms = self._waiting, self._wait_until_ms
        if waiting is not None:
            waiting += frames
            if any(frame.dts_ms >= until_ms for frame in frames):
                self._encode_waiting()
        elif self._segment is not None:
            self._segment.add(self._muxer.encode_run(frames))
        return False

    def _encode_waiting(self) -> None:
        """The first tables name the tracks of these frames too whose codecs need no header.

        Whoever adds many frames at once must not find more codecs than who adds them one by one: only those up to the
        first that has not waited count.
        """
        segment, muxer, waiting = self._segment, self._muxer, self._waiting or []
        self._waiting = None
        for frame in waiting:
            if frame.kind == MEDIA:
                muxer.expect(frame)
                if frame.dts_ms >= self._wait_until_ms:
                    break
        if segment is not None:
            segment.add(muxer.encode_run(waiting))

    def end(self, end_ms: int) -> None:
        """See :class:`Builder`."""
        self._encode_waiting()
        if self._segment is not None:
            self._segment.add(self._muxer.flush())
            self._segment = None


class Mp4Builder:
    """Fragmented MP4: each part is a fragment.

    Attributes:
        inits: decoder configurations by their digest.
        part_target_ms: PART-TARGET: longest part so far, or that was meant to be.
    """

    __slots__ = (
        "_cut",
        "_frames",
        "_gap_ms",
        "_headers",
        "_init",
        "_is_pace_known",
        "_last_ms",
        "_muxer",
        "_part_ms",
        "_segment",
        "_tracks",
        "inits",
        "part_target_ms",
    )

    def __init__(self, tracks: int) -> None:
        """``tracks``: bits of those that go in."""
        self._tracks = tracks
        self._muxer = Fmp4Muxer(tracks)
        self._headers: tuple[bytes, ...] = ()
        self._init = ""
        self._segment: Segment | None = None
        self._cut: Cut | None = None
        self._frames: list[Frame] = []
        self._part_ms = 0  # where the part in progress begins
        # Of this segment: the newest frame of each medium, and how far it is from the one before, 0 for the first.
        self._last_ms = {VIDEO: _NEVER, AUDIO: _NEVER}
        self._gap_ms = {VIDEO: 0, AUDIO: 0}
        self._is_pace_known = False
        self.inits: dict[str, bytes] = {}
        self.part_target_ms = 0

    def expect(self, part_ms: int) -> None:
        """Parts are meant to be up to this long, those of a segment that other nodes make as well."""
        if not self._is_pace_known:
            self.part_target_ms = max(self.part_target_ms, part_ms)

    def learn(self, longest_ms: int) -> None:
        """Parts that another node lists are up to this long: the target is the same there."""
        if not self._is_pace_known and longest_ms * 100 < _LEAST_PERCENT * self.part_target_ms:
            self.part_target_ms = longest_ms
        self._is_pace_known = True
        self.part_target_ms = max(self.part_target_ms, longest_ms)

    def begin(self, segment: Segment, cut: Cut, headers: Sequence[Frame]) -> None:
        """See :class:`Builder`."""
        self._segment, self._cut = segment, cut
        payloads = tuple(frame.payload for frame in headers)
        if payloads != self._headers:
            self._headers = payloads
            self._muxer, self._init = Fmp4Muxer(self._tracks), ""
            for header in headers:
                self._muxer.take_header(header)
        self._frames = []
        self._part_ms = cut.dts_ms
        self._last_ms = {VIDEO: _NEVER, AUDIO: _NEVER}
        self._gap_ms = {VIDEO: 0, AUDIO: 0}
        segment.init = self._init

    def header(self, frame: Frame) -> None:
        """See :class:`Builder`; what comes after the first part is for the next segment."""
        segment = self._segment
        if segment is not None and not segment.parts:
            self._muxer.take_header(frame)
            self._headers = (*self._headers, frame.payload)
            self._init = segment.init = ""

    @property
    def muxer(self) -> Fmp4Muxer:
        """What is known of the stream."""
        return self._muxer

    def add(self, frames: Sequence[Frame]) -> bool:
        """See :class:`Builder`."""
        if self._cut is None:
            return False
        shift_ms, is_complete = self._cut.epoch.shift_ms, False
        for frame in frames:
            is_complete |= self._add(self._cut, frame, frame.dts_ms - shift_ms)
        return is_complete

    def _add(self, cut: Cut, frame: Frame, dts_ms: int) -> bool:
        """A frame, with its stamp by the origin's clock."""
        type_id = frame.type_id
        last_ms = self._last_ms[type_id]
        if last_ms not in (_NEVER, dts_ms):
            # Of a steady rate the longest: 29.97 a second are 33 or 34 ms apart.
            gap_ms, known_ms = max(dts_ms - last_ms, 0), self._gap_ms[type_id]
            self._gap_ms[type_id] = max(gap_ms, known_ms) if abs(gap_ms - known_ms) <= _UNSTEADY_MS else gap_ms
        is_complete = False
        if self._frames and self._is_enough(type_id, dts_ms, cut.rule.part_ms):
            self._note_pace(type_id, dts_ms, cut.rule.part_ms)
            is_complete = self._close(dts_ms, self._end_of_picture(type_id, dts_ms))
        self._frames.append(frame)
        self._last_ms[type_id] = dts_ms
        return is_complete

    def _is_enough(self, type_id: int, dts_ms: int, part_ms: int) -> bool:
        """Whether the part ends before a frame: with one more as far apart it would be too long.

        Pictures end parts. Sound does where they are further apart than a part may be long, or have not
        come for that long.
        """
        passed_ms, last_ms = dts_ms - self._part_ms, self._last_ms
        are_sparse = self._gap_ms[VIDEO] > part_ms
        if type_id == VIDEO and are_sparse and dts_ms - last_ms[AUDIO] <= part_ms:
            type_id = AUDIO  # more of it will come before the next picture
        gap_ms = self._gap_ms[type_id]
        if passed_ms <= 0 or passed_ms + gap_ms <= part_ms:
            return False
        return type_id == VIDEO or are_sparse or dts_ms - last_ms[VIDEO] + gap_ms > part_ms

    def _end_of_picture(self, type_id: int, dts_ms: int) -> dict[int, int]:
        """Until when the last picture of a part is shown that a frame ends.

        Where the next one comes with a later part it must fill the time up to that: players take a hole
        for a cut, and wait for a keyframe.
        """
        last_ms, gap_ms = self._last_ms[VIDEO], self._gap_ms[VIDEO]
        if type_id != VIDEO and last_ms != _NEVER and gap_ms:
            dts_ms = last_ms + gap_ms
        segment, cut = self._segment, self._cut
        assert segment is not None and cut is not None
        return {VIDEO: dts_ms + cut.epoch.shift_ms}

    def _note_pace(self, type_id: int, dts_ms: int, part_ms: int) -> None:
        """With few frames a second all parts are shorter than they may be: then that is the target.

        The first part tells; the target must not change after it.
        """
        if self._is_pace_known:
            return
        self._is_pace_known = True
        passed_ms = dts_ms - self._part_ms
        count = sum(frame.type_id == type_id for frame in self._frames)
        is_steady = abs(count * self._gap_ms[type_id] - passed_ms) <= _UNSTEADY_MS * count
        if is_steady and passed_ms * 100 < _LEAST_PERCENT * part_ms:
            self.part_target_ms = passed_ms

    def _close(self, end_ms: int, ends: dict[int, int]) -> bool:
        """End the part in progress; whether there is one more."""
        segment, cut, frames = self._segment, self._cut, self._frames
        assert segment is not None and cut is not None
        self._frames = []
        number = (segment.name.number * _PARTS_PER_NUMBER + len(segment.parts)) & 0xFFFFFFFF
        data = self._muxer.fragment(frames, number, ends, cut.epoch.shift_ms)
        if not data and not segment.parts:
            return False  # the first part is longer by what cannot be used
        if not segment.init:
            segment.init = self._init = self._keep_init()
        first = next((frame for frame in frames if frame.type_id == VIDEO), None)
        is_independent = first.is_keyframe if first is not None else not self._has_video
        part = Part(end_ms - self._part_ms, segment.size, len(data), is_independent=is_independent)
        segment.parts.append(part)
        segment.pieces.append(data)
        segment.size += len(data)
        self._part_ms = end_ms
        self.part_target_ms = max(self.part_target_ms, part.duration_ms)
        return True

    @property
    def _has_video(self) -> bool:
        return bool(self._muxer.tracks & TRACK_BIT[VIDEO])

    def _keep_init(self) -> str:
        data = self._muxer.init_segment
        digest = init_digest(data)
        self.inits[digest] = data
        return digest

    def end(self, end_ms: int) -> None:
        """See :class:`Builder`."""
        cut = self._cut
        if self._segment is not None and cut is not None and self._frames:
            self._is_pace_known = True  # the target has been listed
            self._close(max(end_ms, self._part_ms + 1), {VIDEO: end_ms + cut.epoch.shift_ms})
        self._segment = self._cut = None

    def forget_inits(self, used: set[str]) -> None:
        """Keep those that segments need."""
        for digest in [digest for digest in self.inits if digest not in used and digest != self._init]:
            del self.inits[digest]
