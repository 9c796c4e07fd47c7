"""NAL units by length and by start code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedFrameError, MalformedHeaderError
from edge.media.codecs.nal import (
    MAX_UNITS,
    is_annex_b,
    join_annex_b,
    split_annex_b,
    split_by_length,
    split_header,
)

#: No zeros: units are kept from looking like a start code by their encoder.
units = st.lists(st.binary(min_size=1, max_size=40).map(lambda unit: unit.replace(b"\0", b"\xff")), max_size=6)


@given(units, st.sampled_from([1, 2, 3, 4]), st.binary(max_size=5), st.binary(max_size=5))
def test_units_by_length(found: list[bytes], size: int, before: bytes, after: bytes) -> None:
    body = b"".join(len(unit).to_bytes(size, "big") + unit for unit in found)
    data = before + body + after
    assert split_by_length(data, len(before), len(before) + len(body), size) == found


@given(units)
def test_units_by_start_code(found: list[bytes]) -> None:
    data = join_annex_b(found) if found else b""
    assert split_annex_b(data) == found
    assert is_annex_b(data) == bool(found)
    assert split_annex_b(data.replace(b"\0\0\0\1", b"\0\0\1")) == found


def test_zeros_before_a_start_code_are_of_no_unit() -> None:
    assert split_annex_b(b"\0\0\0\0\0\1a\0\0\0\0\1b") == [b"a", b"b"]
    assert split_annex_b(b"lost\0\0\1a\0\0\1\0\0\1b") == [b"a", b"b"]


def test_V4_empty_units_are_left_out() -> None:
    assert split_by_length(b"\0\0\0\0\0\0\0\1a\0\0\0\0", 0, 13, 4) == [b"a"]
    assert split_by_length(b"\0\0\0\0", 0, 4, 4) == []


@pytest.mark.parametrize("size", [1, 2, 4])
def test_V4_lengths_past_the_end(size: int) -> None:
    for length in (5, 200, 256**size - 1):
        data = min(length, 256**size - 1).to_bytes(size, "big") + b"abcd"
        with pytest.raises(MalformedFrameError):
            split_by_length(data, 0, len(data), size)
    with pytest.raises(MalformedFrameError):
        split_by_length(b"\1a" + b"\0" * (size - 1), 0, size + 1, size) if size > 1 else split_by_length(b"\1", 0, 1, 1)


def test_V4_millions_of_units_cost_no_time() -> None:
    """Each loop over them would stop everybody else."""
    for data in (bytes(1 << 20), b"\0\0\0\1a" * (MAX_UNITS + 1), b"\0\1a" * (MAX_UNITS + 1)):
        with pytest.raises(MalformedFrameError, match="more than"):
            split_by_length(data, 0, len(data), 2 if data.startswith(b"\0\1") else 4)
    data = b"\0\0\1a" * (MAX_UNITS + 1)
    with pytest.raises(MalformedFrameError):
        split_annex_b(data)
    with pytest.raises(MalformedHeaderError):
        split_header(data)
    assert len(split_annex_b(data[:-4])) == MAX_UNITS
    assert split_annex_b(b"\0\0\1a" + bytes(1 << 22) + b"\1b") == [b"a", b"b"]


def test_annex_b_where_lengths_belong() -> None:
    """Only where it is no length: 00 00 00 01 is a unit of one byte, 00 00 01 xx one of 256 and more."""
    data = b"\0\0\0\1\x09\xf0\0\0\1\x67abc\0\0\0\1\x65def"
    assert split_by_length(b"head" + data, 4, 4 + len(data), 4) == [b"\x09\xf0", b"\x67abc", b"\x65def"]
    one = b"\0\0\0\1\x0a"
    assert split_by_length(one, 0, len(one), 4) == [b"\x0a"]
    long = b"\0\0\1\4" + bytes(260)
    assert split_by_length(long, 0, len(long), 4) == [bytes(260)]
