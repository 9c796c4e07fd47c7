"""Sizes of headers that are sent compressed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.net.hpack_size import ENTRY_BYTES, HeaderSizes, HpackError
from tests.hostile._h2 import block, literal, literal_kept

# RFC 7541 §C.3.1: the first request of the examples, without Huffman's code, and §C.4.1 with it.
PLAIN = bytes.fromhex("828684410f7777772e6578616d706c652e636f6d")
HUFFMAN = bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff")


def test_literals_count_what_they_are() -> None:
    assert HeaderSizes().measure(literal(b"name", b"value")) == 9 + ENTRY_BYTES
    assert HeaderSizes().measure(literal(b"name", b"x" * 5000)) == 5004 + ENTRY_BYTES
    assert HeaderSizes().measure(b"") == 0


def test_examples_of_the_standard_are_no_smaller_than_they_are() -> None:
    true = sum(len(text) for text in (":methodGET", ":schemehttp", ":path/", ":authoritywww.example.com"))
    for sent in (PLAIN, HUFFMAN):
        assert true + 4 * ENTRY_BYTES <= HeaderSizes().measure(sent) <= 2 * (true + 4 * ENTRY_BYTES)


def test_what_was_kept_counts_each_time_that_it_is_meant() -> None:
    sizes = HeaderSizes()
    one = sizes.measure(literal_kept(b"a", b"x" * 1000))
    assert one == 1001 + ENTRY_BYTES
    assert sizes.measure(b"\xbe" * 50) == 50 * one
    sizes.measure(literal_kept(b"b", b""))
    assert sizes.measure(b"\xbe") == 1 + ENTRY_BYTES and sizes.measure(b"\xbf") == one
    assert sizes.measure(b"\x7f\x00\x01y") == 1 + 1 + ENTRY_BYTES  # the name of index 63, with a value of its own


@pytest.mark.parametrize(
    "sent",
    [
        b"\x80",
        b"\xbe",
        b"\xff\xff\xff\xff\xff\xff\x01",
        b"\xff\x80",
        b"\x00\x05abc",
        b"\x00",
        b"\x00\x01a",
        b"\x3f\xe1\x3f",
        b"\x20\x20\x20",
        b"\x82\x20",
    ],
    ids=["index_0", "unknown_index", "endless", "cut_number", "cut_string", "no_name", "no_value", *"tsl"],
)
def test_blocks_that_no_decoder_takes(sent: bytes) -> None:
    with pytest.raises(HpackError):
        HeaderSizes().measure(sent)


def test_the_size_of_the_table_may_change_first() -> None:
    assert HeaderSizes().measure(b"\x20\x3f\xe1\x1f" + block()) == HeaderSizes().measure(block())


@given(st.binary(max_size=200))
def test_nothing_else_comes_of_any_bytes(sent: bytes) -> None:
    sizes = HeaderSizes()
    with contextlib.suppress(HpackError):
        assert sizes.measure(sent) >= 0
