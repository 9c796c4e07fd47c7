"""What was made of a stream for HLS as documents, for the process that goes on with it: same names, same bytes.

A window is its complete segments; the one in progress is made again from its
frames, which a segmenter keeps. A segment of the two-level scheme that is in
progress ends with the hand-over: it may end anywhere, and the next one begins
with the next frame.

A document of each segmenter comes first, then its segments in lots.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import msgspec

from edge.errors import HandoverError
from edge.hls.config import HlsConfig
from edge.hls.names import SegmentName
from edge.hls.segment import Part, Segment
from edge.hls.segmenter import Segmenter, Window
from edge.hls.two_level import GrowingSegment, TwoLevelSegmenter, TwoLevelWindow
from edge.hub.stream import Stream

VERSION = 1
"""What the newcomer says that it takes; to one that takes another version nothing of this is told."""
_LOT_BYTES = 1048576


class SegmentState(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag="segment"):
    """The fields of ``Segment``; a part is its duration, its size, and whether decoding may begin with it."""

    epoch: str
    number: int
    dts_ms: int
    wall_ms: int
    duration_ms: int
    discontinuity: int
    is_discontinuity: bool
    target_s: int
    init: str
    parts: list[tuple[int, int, bool]]
    data: bytes | None
    is_elsewhere: bool
    is_gap: bool
    is_listed: bool


class GrowingState(msgspec.Struct, array_like=True, forbid_unknown_fields=True, tag="growing"):
    """The fields of ``GrowingSegment``, complete."""

    number: int
    begin_ms: int
    duration_ms: int
    is_independent: bool
    is_discontinuity: bool
    data: bytes


class WindowState(msgspec.Struct, forbid_unknown_fields=True, tag="window"):
    """A segmenter; ``seq`` as that of a frame, ``first`` and the following as in ``Window``."""

    kind: str
    tracks: int
    seq: int
    first: int
    target_s: int
    parts_from_number: int
    was_filled: bool
    inits: dict[str, bytes]
    part_target_ms: int


class TwoLevelState(msgspec.Struct, forbid_unknown_fields=True, tag="two-level"):
    """A segmenter of the two-level scheme; the fields of ``TwoLevelWindow``."""

    tracks: int
    at_keyframes: bool
    epoch: str
    seq: int
    next_number: int
    discontinuities: int
    target_s: int
    last_ms: int
    frame_ms: int
    is_present: bool


_Head = WindowState | TwoLevelState
_Document = _Head | list[SegmentState | GrowingState]


def window_documents(segmenter: Segmenter, tracks: int) -> Iterator[bytes]:
    """Those of a segmenter of ``tracks``."""
    window = segmenter.window()
    head = WindowState(
        segmenter.kind,
        tracks,
        window.seq,
        window.first,
        window.target_s,
        window.parts_from_number,
        window.was_filled,
        window.inits,
        window.part_target_ms,
    )
    yield msgspec.msgpack.encode(head)
    behind = [_state_of(segment, is_listed=False) for segment in window.behind]
    yield from _lots([*behind, *(_state_of(segment, is_listed=True) for segment in window.segments)])


def two_level_documents(segmenter: TwoLevelSegmenter, tracks: int, *, at_keyframes: bool) -> Iterator[bytes]:
    """Those of a segmenter of the two-level scheme, for ``tracks``."""
    window = segmenter.window()
    head = TwoLevelState(
        tracks,
        at_keyframes,
        segmenter.epoch,
        window.seq,
        window.next_number,
        window.discontinuities,
        window.target_s,
        window.last_ms,
        window.frame_ms,
        window.is_present,
    )
    yield msgspec.msgpack.encode(head)
    yield from _lots(
        [
            GrowingState(
                each.number,
                each.begin_ms,
                each.duration_ms,
                each.is_independent,
                each.is_discontinuity,
                b"".join(each.pieces),
            )
            for each in window.segments
        ]
    )


class HlsImport:
    """What was made of one stream, on its way in."""

    def __init__(self) -> None:
        self.windows: list[tuple[WindowState, list[SegmentState]]] = []
        self.two_level: list[tuple[TwoLevelState, list[GrowingState]]] = []
        self._is_window_last = True

    def add(self, document: bytes) -> None:
        """The next of its documents; raises HandoverError (``handover_malformed``)."""
        try:
            found: _Document = msgspec.msgpack.decode(document, type=_Document)
        except msgspec.MsgspecError as error:
            raise HandoverError(f"segments: {error}", reason="handover_malformed") from error
        if isinstance(found, WindowState):
            self.windows.append((found, []))
            self._is_window_last = True
        elif isinstance(found, TwoLevelState):
            self.two_level.append((found, []))
            self._is_window_last = False
        else:
            self._add_segments(found)

    def _add_segments(self, found: list[SegmentState | GrowingState]) -> None:
        """Those of the last one that was told of."""
        for each in found:
            if isinstance(each, SegmentState) and self._is_window_last and self.windows:
                self.windows[-1][1].append(each)
            elif isinstance(each, GrowingState) and not self._is_window_last and self.two_level:
                self.two_level[-1][1].append(each)
            else:
                raise HandoverError("segments of nothing", reason="handover_malformed")


def resume_window(
    state: WindowState,
    segments: Iterable[SegmentState],
    stream: Stream,
    config: HlsConfig,
    place_of: Callable[[int], int],
    on_change: Callable[[], None],
    on_work: Callable[[Segmenter], None] | None = None,
) -> Segmenter:
    """A segmenter that goes on; ``place_of`` says where a frame stands here, the rest as for ``Segmenter``."""
    made = [(each.is_listed, _segment_of(each)) for each in segments]
    window = Window(
        seq=place_of(state.seq),
        segments=[segment for is_listed, segment in made if is_listed],
        behind=[segment for is_listed, segment in made if not is_listed],
        first=state.first,
        target_s=state.target_s,
        parts_from_number=state.parts_from_number,
        was_filled=state.was_filled,
        inits=state.inits,
        part_target_ms=state.part_target_ms,
    )
    return Segmenter(stream, state.kind, state.tracks, config, on_change, on_work, window=window)


def resume_two_level(
    state: TwoLevelState,
    segments: Iterable[GrowingState],
    stream: Stream,
    config: HlsConfig,
    place_of: Callable[[int], int],
    on_change: Callable[[], None],
    *,
    max_bytes: int,
) -> TwoLevelSegmenter:
    """The same of the two-level scheme."""
    window = TwoLevelWindow(
        seq=place_of(state.seq),
        segments=deque(map(_growing_of, segments)),
        next_number=state.next_number,
        discontinuities=state.discontinuities,
        target_s=state.target_s,
        last_ms=state.last_ms,
        frame_ms=state.frame_ms,
        is_present=state.is_present,
    )
    return TwoLevelSegmenter(
        stream,
        state.tracks,
        config,
        state.epoch,
        on_change,
        at_keyframes=state.at_keyframes,
        max_bytes=max_bytes,
        window=window,
    )


def _lots(states: list[SegmentState] | list[GrowingState]) -> Iterator[bytes]:
    lot: list[SegmentState | GrowingState] = []
    size = 0
    for state in states:
        lot.append(state)
        size += len(state.data or b"")
        if size >= _LOT_BYTES:
            yield msgspec.msgpack.encode(lot)
            lot, size = [], 0
    if lot:
        yield msgspec.msgpack.encode(lot)


def _state_of(segment: Segment, *, is_listed: bool) -> SegmentState:
    name = segment.name
    return SegmentState(
        name.epoch,
        name.number,
        name.dts_ms,
        segment.wall_ms,
        segment.duration_ms,
        segment.discontinuity,
        segment.is_discontinuity,
        segment.target_s,
        segment.init,
        [(part.duration_ms, part.size, part.is_independent) for part in segment.parts],
        segment.data,
        segment.is_elsewhere,
        segment.is_gap,
        is_listed,
    )


def _segment_of(state: SegmentState) -> Segment:
    segment = Segment(
        SegmentName(state.epoch, state.number, state.dts_ms),
        state.wall_ms,
        state.discontinuity,
        state.target_s,
        is_discontinuity=state.is_discontinuity,
        duration_ms=state.duration_ms,
        init=state.init,
        is_gap=state.is_gap,
    )
    segment.is_elsewhere, segment.data = state.is_elsewhere, state.data
    segment.size = len(state.data or b"")
    start = 0
    for duration_ms, size, is_independent in state.parts:
        segment.parts.append(Part(duration_ms, start, size, is_independent=is_independent))
        start += size
    return segment


def _growing_of(state: GrowingState) -> GrowingSegment:
    segment = GrowingSegment(
        state.number,
        state.begin_ms,
        is_independent=state.is_independent,
        is_discontinuity=state.is_discontinuity,
    )
    segment.is_complete, segment.duration_ms = True, state.duration_ms
    segment.pieces, segment.size = [state.data], len(state.data)
    return segment
