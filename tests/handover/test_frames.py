"""Frames of a hand-over: any cut of the bytes, limits, descriptors in their order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import HandoverError
from edge.handover.frames import MAX_CONTROL_BYTES, MAX_DESCRIPTORS, Frame, FrameReader, Kind, encode_frame

SAID = (Frame(Kind.HELLO, b"a"), Frame(Kind.LISTENERS, b"", (7, 8)), Frame(Kind.READY), Frame(Kind.STREAM, bytes(300)))


@settings(deadline=None)
@given(cuts=st.sets(st.integers(0, 360)))
def test_any_cut_gives_the_same_frames(cuts: set[int]) -> None:
    data = b"".join(encode_frame(one.kind, one.body, len(one.descriptors)) for one in SAID)
    reader, found = FrameReader(), []
    reader.feed(b"", [7, 8])
    places = [0, *sorted(cuts), len(data)]
    for start, stop in itertools.pairwise(places):
        reader.feed(data[start:stop])
        while (frame := reader.next_frame()) is not None:
            found.append(frame)
    assert tuple(found) == SAID
    assert reader.take_descriptors() == []


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1",
        encode_frame(Kind.HELLO)[:4] + b"\x63" + encode_frame(Kind.HELLO)[5:],
        encode_frame(Kind.HELLO)[:5] + b"\1" + encode_frame(Kind.HELLO)[6:],
        encode_frame(Kind.HELLO, bytes(MAX_CONTROL_BYTES + 1)),
        encode_frame(Kind.LISTENERS, b"", 1),
        encode_frame(Kind.HELLO)[:6] + b"\xff\xff" + bytes(4),
    ],
    ids=["no frame", "kind", "flags", "too long", "no descriptor", "too many descriptors"],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    reader = FrameReader()
    reader.feed(data)
    with pytest.raises(HandoverError) as refused:
        reader.next_frame()
    assert refused.value.reason == "handover_malformed"


def test_descriptors_without_a_frame_are_given_back() -> None:
    reader = FrameReader()
    reader.feed(b"", [3, 4])
    assert reader.next_frame() is None
    assert reader.take_descriptors() == [3, 4]
    assert reader.take_descriptors() == []


def test_no_frame_beyond_the_limits_is_made() -> None:
    with pytest.raises(HandoverError):
        encode_frame(Kind.CONNECTIONS, b"", MAX_DESCRIPTORS + 1)
