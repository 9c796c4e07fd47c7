"""Bytes of segments and of their parts, whole or in progress."""

from __future__ import annotations

from edge.hls.names import SegmentName
from edge.hls.segment import Part, Segment

NAME = SegmentName("e1", 7, 14_000)


def test_a_segment_grows_and_is_complete() -> None:
    segment = Segment(NAME, 0, 3, 2)
    for piece in (b"abc", b"", b"de"):
        segment.add(piece)
    assert (segment.size, segment.pieces, segment.data, segment.duration_ms) == (5, [b"abc", b"de"], None, 0)
    segment.complete(1990, 3)
    assert (segment.data, segment.pieces, segment.duration_ms, segment.target_s) == (b"abcde", [], 1990, 3)


def test_parts_are_the_same_before_and_after_it_is_complete() -> None:
    segment = Segment(NAME, 0, 3, 2, is_discontinuity=True, init="d")
    for piece in (b"abc", b"", b"de"):
        segment.parts.append(Part(300, segment.size, len(piece), is_independent=False))
        segment.pieces.append(piece)
        segment.size += len(piece)
    before = [segment.part_bytes(index) for index in range(4)]
    segment.complete(900, 2)
    assert before == [segment.part_bytes(index) for index in range(4)] == [b"abc", b"", b"de", None]
    assert [part.is_gap for part in segment.parts] == [False, True, False]


def test_parts_of_what_is_not_here() -> None:
    segment = Segment(NAME, 0, 3, 2, is_gap=True)
    segment.parts.append(Part(300, 0, 3, is_independent=True))
    assert segment.part_bytes(0) is None and segment.is_gap
