"""Frames in any pieces, and how much of them is kept."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.h2_frames import (
    Code,
    FrameHead,
    FrameReader,
    FrameTooLargeError,
    Kind,
    encode_frame,
    goaway,
    settings_of,
)

SETTINGS = bytes.fromhex("0004 00001000 0005 00004000".replace(" ", ""))
SENT = b"".join(
    (
        encode_frame(Kind.SETTINGS, SETTINGS),
        encode_frame(Kind.HEADERS, b"h" * 20, flags=4, stream_id=1),
        encode_frame(Kind.DATA, b"", flags=1, stream_id=1),
        encode_frame(Kind.DATA, b"d" * 16384, stream_id=3),
        encode_frame(Kind.WINDOW_UPDATE, b"\0\0\0\x09", stream_id=3),
        encode_frame(99, b"odd"),
        goaway(Code.ENHANCE_YOUR_CALM, 3, "why"),
    )
)
FOUND = [
    FrameHead(Kind.SETTINGS, 0, 0, 12, SETTINGS),
    FrameHead(Kind.HEADERS, 4, 1, 20, b"h" * 20),
    FrameHead(Kind.DATA, 1, 1, 0),
    FrameHead(Kind.DATA, 0, 3, 16384),
    FrameHead(Kind.WINDOW_UPDATE, 0, 3, 4, b"\0\0\0\x09"),
    FrameHead(99, 0, 0, 3),
    FrameHead(Kind.GOAWAY, 0, 0, 11, b"\0\0\0\x03\0\0\0\x0bwhy"),
]


def test_frames_that_come_whole() -> None:
    reader = FrameReader()
    assert list(reader.frames(SENT)) == FOUND
    assert reader.is_between


@given(cuts=st.sets(st.integers(1, len(SENT) - 1), max_size=12))
def test_any_pieces_give_the_same_frames(cuts: set[int]) -> None:
    reader, found = FrameReader(), []
    places = [0, *sorted(cuts), len(SENT)]
    for begin, end in pairwise(places):
        found += reader.frames(SENT[begin:end])
    assert found == FOUND and reader.is_between


def test_what_is_in_the_middle_of_a_frame_is_known() -> None:
    reader = FrameReader()
    for data in (b"\0", b"\0\x02\0\0\0\0\0\x01", b"x"):  # a head in two pieces, half of its payload
        list(reader.frames(data))
        assert not reader.is_between
    list(reader.frames(b"x"))
    assert reader.is_between


def test_an_empty_frame_that_is_read_whole_is_there_at_once() -> None:
    assert list(FrameReader().frames(encode_frame(Kind.SETTINGS, flags=1))) == [FrameHead(Kind.SETTINGS, 1, 0, 0)]


def test_a_frame_that_is_too_large_is_not_waited_for() -> None:
    with pytest.raises(FrameTooLargeError, match="16385"):
        list(FrameReader().frames(encode_frame(Kind.DATA, bytes(16385))[:9]))


def test_settings_are_pairs_and_a_rest_is_none() -> None:
    assert list(settings_of(SETTINGS + b"\0\x01\0")) == [(4, 4096), (5, 16384)]
    assert list(settings_of(b"")) == []
