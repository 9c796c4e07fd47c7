"""Bits in and out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedHeaderError
from edge.media.codecs.bits import BitReader, BitWriter

fields = st.lists(
    st.integers(1, 24).flatmap(lambda size: st.tuples(st.integers(0, 2**size - 1), st.just(size))), max_size=20
)


@given(fields)
def test_what_is_written_is_read(values: list[tuple[int, int]]) -> None:
    writer = BitWriter()
    for value, size in values:
        writer.write(value, size)
    reader = BitReader(bytes(writer))
    assert [(reader.read(size), size) for _, size in values] == values
    assert 0 <= reader.left < 8
    reader.align()
    assert reader.left == 0


def test_past_the_end() -> None:
    reader = BitReader(b"\xa5")
    assert reader.read(3) == 5
    with pytest.raises(MalformedHeaderError):
        reader.read(6)


def test_alignment() -> None:
    writer = BitWriter()
    writer.align()
    writer.write(1, 1)
    writer.align()
    writer.write(255, 8)
    assert bytes(writer) == b"\x80\xff"


def test_exp_golomb() -> None:
    """H.264 table 9-2 and §9.1.1."""
    codes = ["1", "010", "011", "00100", "00101", "00110", "00111", "0001000"]
    text = "".join(codes)
    data = int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")
    unsigned, signed = BitReader(data), BitReader(data)
    assert [unsigned.read_ue() for _ in codes] == list(range(8))
    assert [signed.read_se() for _ in codes] == [0, 1, -1, 2, -2, 3, -3, 4]
    with pytest.raises(MalformedHeaderError, match="Exp-Golomb"):
        BitReader(bytes(20)).read_ue()
    with pytest.raises(MalformedHeaderError):
        BitReader(b"\0\0\1").read_ue()
