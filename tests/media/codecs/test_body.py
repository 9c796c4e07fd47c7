"""Where the coded data stand: a table of every form that a body has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.media.codecs.body import CODED, HEADER, NOTHING, TS_HEADER, Body, read_audio, read_video

NONE = (b"", NOTHING, b"", 0)


def shown(payload: bytes, body: Body) -> tuple[bytes, int, bytes, int]:
    codec, what, start, end, offset_ms = body
    return codec, what, payload[start:end] if what != NOTHING else b"", offset_ms


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x17\x00\0\0\0cfg", (b"avc1", HEADER, b"cfg", 0)),
        (b"\x17\x01\0\0\x28data", (b"avc1", CODED, b"data", 40)),
        (b"\x27\x01\xff\xff\xd8data", (b"avc1", CODED, b"data", -40)),
        (b"\x27\x01\x80\0\0data", (b"avc1", CODED, b"data", -(1 << 23))),
        (b"\x17\x02\0\0\0", (b"avc1", NOTHING, b"", 0)),
        (b"\x17\x01\0\0\0", (b"avc1", NOTHING, b"", 0)),  # only the head
        (b"\x1c\x00\0\0\0cfg", (b"hvc1", HEADER, b"cfg", 0)),
        (b"\x2c\x01\0\0\1data", (b"hvc1", CODED, b"data", 1)),
        (b"\x1d\x01\0\0\0data", (b"av01", CODED, b"data", 0)),
        (b"\x22data", (b"\x02", CODED, b"data", 0)),
        (b"\x57\x01\0\0\0data", NONE),  # a command to the player
        (b"\x90hvc1cfg", (b"hvc1", HEADER, b"cfg", 0)),
        (b"\x91hvc1\xff\xff\xffdata", (b"hvc1", CODED, b"data", -1)),
        (b"\xa3hvc1data", (b"hvc1", CODED, b"data", 0)),
        (b"\x91avc1\0\0\7data", (b"avc1", CODED, b"data", 7)),
        (b"\x91av01data", (b"av01", CODED, b"data", 0)),  # bears no offset
        (b"\x92hvc1", (b"hvc1", NOTHING, b"", 0)),
        (b"\x94av01colour", (b"av01", NOTHING, b"", 0)),
        (b"\x95av01\x80\x04\x81abc", (b"av01", TS_HEADER, b"\x80\x04\x81abc", 0)),
        (b"\x91hvc1\0\0\0", (b"hvc1", NOTHING, b"", 0)),
        (b"\x91hvc", NONE),
        (b"\xd1\x00", NONE),
        (b"\x96\x00avc1\x00cfg", (b"avc1", HEADER, b"cfg", 0)),
        (b"\x96\x01avc1\x00\0\0\1data", (b"avc1", CODED, b"data", 1)),
        (b"\x96\x01avc1\x01\0\0\1data", NONE),  # another track
        (b"\x96\x11avc1\x01\0\0\4abcd\x00\0\0\6\0\0\2ef!", (b"avc1", CODED, b"ef!", 2)),
        (b"\x96\x21vp09\x01\0\0\2abhvc1\x00\0\0\4\0\0\2x", (b"hvc1", CODED, b"x", 2)),
        (b"\x96\x11avc1\x00\0\0\x09abcd", NONE),  # ends past the body
        (b"\x96", NONE),
        (b"\x97\x00\xff\x01hvc1\0\0\3data", (b"hvc1", CODED, b"data", 3)),
        (b"\x97\x02\1\2\3\x00hvc1cfg", (b"hvc1", HEADER, b"cfg", 0)),
        (b"\x97\x00\xff\x07\x00\xff\x03hvc1x", (b"hvc1", CODED, b"x", 0)),
        (b"\x97\xff\x00\x01\1\2\x03hvc1x", (b"hvc1", CODED, b"x", 0)),
        (b"\x97\x00\xff\x06\x01avc1\x00\0\0\1data", (b"avc1", CODED, b"data", 1)),
        (b"\x97\x50\xff\x01", NONE),
        (b"\x17", NONE),
        (b"", NONE),
    ],
)
def test_read_video(payload: bytes, expected: tuple[bytes, int, bytes, int]) -> None:
    assert shown(payload, read_video(payload)) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\xaf\x00\x12\x10", (b"mp4a", HEADER, b"\x12\x10", 0)),
        (b"\xaf\x01raw", (b"mp4a", CODED, b"raw", 0)),
        (b"\xaf\x01", (b"mp4a", NOTHING, b"", 0)),
        (b"\x2fmp3", (b".mp3", CODED, b"mp3", 0)),
        (b"\xefmp3", (b".mp3", CODED, b"mp3", 0)),
        (b"\x7fa", (b"\x07", CODED, b"a", 0)),
        (b"\x90OpusOpusHead", (b"Opus", HEADER, b"OpusHead", 0)),
        (b"\x91Opuspacket", (b"Opus", CODED, b"packet", 0)),
        (b"\x91.mp3frame", (b".mp3", CODED, b"frame", 0)),
        (b"\x94Opus\x01\x02", (b"Opus", NOTHING, b"", 0)),
        (b"\x95\x00mp4a\x00cfg", (b"mp4a", HEADER, b"cfg", 0)),
        (b"\x95\x01mp4a\x02raw", NONE),
        (b"\x97\x00\xff\x01mp4araw", (b"mp4a", CODED, b"raw", 0)),
        (b"\xaf", NONE),
        (b"", NONE),
    ],
)
def test_read_audio(payload: bytes, expected: tuple[bytes, int, bytes, int]) -> None:
    assert shown(payload, read_audio(payload)) == expected


def test_one_track_of_many_is_read() -> None:
    body = b"\x96\x11avc1\x00\0\0\4\0\0\1a\x01\0\0\4\0\0\2b"
    assert shown(body, read_video(body, 1)) == (b"avc1", CODED, b"b", 2)
    assert shown(body, read_video(body, 7)) == NONE
    assert read_video(b"\x17\x01\0\0\0data", 1)[1] == NOTHING, "a body that names no track is of track 0"
    assert read_audio(b"\xaf\x01raw", 1)[1] == NOTHING


@given(st.binary(max_size=400), st.sampled_from([0, 1]))
def test_V8_any_body_is_read_without_error(payload: bytes, track_id: int) -> None:
    for body in (read_video(payload, track_id), read_audio(payload, track_id)):
        _, what, start, end, _ = body
        assert 0 <= start <= end <= len(payload)
        assert what != CODED or start < end


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_V8_chained_modifiers_end(size: int) -> None:
    assert read_video(b"\x97" + b"\x00\xff\x07" * size)[1] == NOTHING
