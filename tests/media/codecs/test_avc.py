"""H.264: avcC, and access units as TS wants them."""

from __future__ import annotations

import pytest

from edge.errors import MalformedFrameError, MalformedHeaderError
from edge.media.codecs.avc import AvcConfig, decode_config
from tests.media.codecs.records import (
    AVC_HIGH,
    PPS,
    SPS,
    assert_only_documented_errors,
    by_length,
    by_start_code,
)
from tests.media.codecs.records import AVC_SMALL as RECORD

AUD = b"\0\0\0\1\x09\xf0"


def unit_of(config: AvcConfig, *units: bytes, is_keyframe: bool = False, size: int = 4) -> tuple[bytes, bool]:
    data = by_length(*units, size=size)
    return config.access_unit(b"head!" + data, 5, 5 + len(data), is_keyframe)


def test_record() -> None:
    assert decode_config(RECORD) == AvcConfig(0x42, 0xC0, 0x1E, 4, (SPS,), (PPS,))
    high = decode_config(AVC_HIGH)
    assert (high.profile, high.level, high.length_size, len(high.sps), len(high.pps)) == (100, 10, 4, 1, 1)
    assert (len(high.sps[0]), len(high.pps[0])) == (24, 6), "what follows for the high profiles is no set"


def test_any_number_of_sets() -> None:
    sets = b"\x01\x42\xc0\x1e\xfd\xe3" + by_length(b"\x67a", b"\x67b", b"\x67c", size=2) + b"\2"
    config = decode_config(sets + by_length(b"\x68d", b"\x68e", size=2))
    assert config == AvcConfig(0x42, 0xC0, 0x1E, 2, (b"\x67a", b"\x67b", b"\x67c"), (b"\x68d", b"\x68e"))
    assert decode_config(b"\x01\x42\xc0\x1e\xff\xe0\0").sps == (), "the sets may be in the frames"


def test_record_of_an_encoder_that_knows_annex_b_only() -> None:
    assert decode_config(by_start_code(SPS, PPS)) == AvcConfig(0, 0, 0, 4, (SPS,), (PPS,))


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\x01",
        b"\x02" + RECORD[1:],
        RECORD[:-1],
        RECORD[:12],
        b"\x01\x42\xc0\x1e\xff\xff\0\4" + SPS + b"\1\0\4" + PPS,  # announces 31 SPS
        b"\x01\x42\xc0\x1e\xff\xe1\0\0\1\0\4" + PPS,  # an empty one
    ],
)
def test_V4_malformed_records(record: bytes) -> None:
    with pytest.raises(MalformedHeaderError):
        decode_config(record)


def test_V4_only_documented_errors() -> None:
    assert_only_documented_errors(decode_config, RECORD)
    assert_only_documented_errors(decode_config, AVC_HIGH)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_picture(size: int) -> None:
    config = AvcConfig(0, 0, 0, size, (SPS,), (PPS,))
    assert unit_of(config, b"\x41slice", size=size) == (AUD + by_start_code(b"\x41slice"), False)
    several = unit_of(config, b"\x06sei", b"\x41one", b"\x41two", size=size)
    assert several == (AUD + by_start_code(b"\x06sei", b"\x41one", b"\x41two"), False)


def test_parameter_sets_stand_before_each_picture_from_which_decoding_may_begin() -> None:
    config = decode_config(RECORD)
    idr = AUD + by_start_code(SPS, PPS, b"\x65idr")
    assert unit_of(config, b"\x65idr", is_keyframe=True) == (idr, True)
    assert unit_of(config, b"\x65idr", is_keyframe=False) == (idr, True), "whatever the container says"
    intra = unit_of(config, b"\x06sei", b"\x41recovery", is_keyframe=True)
    assert intra == (AUD + by_start_code(SPS, PPS, b"\x06sei", b"\x41recovery"), True)


def test_sets_in_the_frame_are_enough() -> None:
    config = decode_config(RECORD)
    own = (b"\x67new", b"\x68new", b"\x65idr")
    assert unit_of(config, *own, is_keyframe=True) == (AUD + by_start_code(*own), True)
    half = unit_of(config, b"\x67new", b"\x65idr", is_keyframe=True)
    assert half == (AUD + by_start_code(SPS, PPS, b"\x67new", b"\x65idr"), True)


def test_there_is_one_delimiter() -> None:
    config = decode_config(RECORD)
    assert unit_of(config, b"\x09\x10", b"\x41slice") == (AUD + by_start_code(b"\x41slice"), False)
    assert unit_of(config, b"\x09\x10") == (b"", False)


def test_frames_without_units_and_malformed_ones() -> None:
    config = decode_config(RECORD)
    assert unit_of(config, b"", b"") == (b"", False)
    with pytest.raises(MalformedFrameError):
        config.access_unit(b"\0\0\0\x09abc", 0, 7, False)
