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
