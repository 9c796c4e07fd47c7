"""AV1: av1C, units, temporal units between start codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedFrameError, MalformedHeaderError
from edge.media.codecs.av1 import Av1Config, decode_config, decode_ts_header, split_units
from tests.media.codecs.records import AV1_MAIN, assert_only_documented_errors

FIXED = b"\x81\0\x0c\0"
HEADER = b"\x0a\x02hd"
FRAME = b"\x32\x03abc"
CONFIG = Av1Config(FIXED, HEADER)


def units_in(data: bytes) -> list[bytes]:
    """Take a temporal unit of TS apart, as a receiver would."""
    assert data.startswith(b"\0\0\1")
    found = []
    for part in data[3:].split(b"\0\0\1"):
        plain, zeros = bytearray(), 0
        for byte in part:
            if zeros >= 2 and byte == 3:
                zeros = 0
                continue
            assert zeros < 2 or byte > 3, f"{part.hex()} looks like a start code"
            plain.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        found.append(bytes(plain))
    return found


def unit_of(data: bytes, is_keyframe: bool = False, config: Av1Config = CONFIG) -> list[bytes]:
    unit, _ = config.access_unit(b"head" + data, 4, 4 + len(data), is_keyframe)
    return units_in(unit)


def test_record() -> None:
    assert decode_config(FIXED + b"\x12\0" + HEADER) == CONFIG
    assert decode_config(FIXED) == Av1Config(FIXED, b"")
    main = decode_config(AV1_MAIN)
    assert (main.fixed, main.sequence_header) == (AV1_MAIN[:4], AV1_MAIN[4:])


def test_header_of_e_rtmp_for_transport_streams() -> None:
    assert decode_ts_header(b"\x80\x04" + FIXED) == Av1Config(FIXED, b"")
    for data in (b"", b"\x80\x05" + FIXED, b"\x80\x04\x81\0\x0c"):
        with pytest.raises(MalformedHeaderError):
            decode_ts_header(data)


@pytest.mark.parametrize("data", [b"", FIXED[:3], b"\x01\0\x0c\0", b"\x82\0\x0c\0", FIXED + b"\x0a\x09a"])
def test_V4_malformed_records(data: bytes) -> None:
    with pytest.raises(MalformedHeaderError):
        decode_config(data)


def test_V4_only_documented_errors() -> None:
    def decode(data: bytes) -> bytes:
        return decode_config(data).fixed

    assert_only_documented_errors(decode, AV1_MAIN)
    assert_only_documented_errors(decode_ts_header, b"\x80\x04" + FIXED)


def test_units() -> None:
    data = b"\x12\0" + HEADER + b"\x36\x10\x02xy" + b"\x30rest"  # an extension; the last without a size
    assert split_units(data, 0, len(data)) == [
        (2, b"\x12\0"),
        (1, HEADER),
        (6, b"\x36\x10\x02xy"),
        (6, b"\x30rest"),
    ]
    long = b"\x32\x85\x01" + bytes(133)
    assert split_units(long, 0, len(long)) == [(6, long)]


@pytest.mark.parametrize("data", [b"\x32", b"\x32\x04abc", b"\x32\xff", b"\x32" + b"\xff" * 9, b"\x34"])
def test_V4_malformed_units(data: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        split_units(data, 0, len(data))


def test_temporal_unit() -> None:
    assert unit_of(FRAME) == [FRAME]
    assert unit_of(b"\x12\0" + FRAME + b"\x7a\x01p" + FRAME) == [FRAME, FRAME], "no delimiter, no padding"
    assert unit_of(FRAME, is_keyframe=True) == [HEADER, FRAME]
    assert unit_of(b"\x0a\x01h" + FRAME, is_keyframe=True) == [b"\x0a\x01h", FRAME]
    assert unit_of(FRAME, True, Av1Config(FIXED, b"")) == [FRAME]
    assert CONFIG.access_unit(FRAME, 0, 5, True)[1] and not CONFIG.access_unit(FRAME, 0, 5, False)[1]
    assert CONFIG.access_unit(b"\x12\0", 0, 2, True) == (b"", False), "nothing but a delimiter"


def test_V4_millions_of_units_or_zeros_cost_no_time() -> None:
    """Each loop over them would stop everybody else."""
    for data in (b"\x32\0" * (1 << 20), b"\x30" + bytes(1 << 22), b"\x30" + b"\0\0\1" * (1 << 20)):
        with pytest.raises(MalformedFrameError):
            CONFIG.access_unit(data, 0, len(data), True)
    with pytest.raises(MalformedHeaderError):
        decode_config(FIXED + b"\x32\0" * 5000)


@given(st.lists(st.integers(0, 4), max_size=60).map(bytes))
def test_nothing_in_a_unit_looks_like_a_start_code(content: bytes) -> None:
    """But for zeros at the very end, which some receivers take for padding: those are kept by a 3."""
    unit = b"\x32" + bytes((len(content),)) + content
    assert unit_of(unit) == [unit]
