"""Any value survives the way through AMF0 and AMF3; any bytes give a value or AmfError."""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import AmfError
from edge.rtmp import amf0, amf3
from edge.rtmp.amf0 import UNDEFINED, Date, EcmaArray, XmlDocument

texts = st.binary(max_size=20).map(lambda body: body.decode("utf-8", "surrogateescape"))
keys = texts.filter(bool)
scalars = st.one_of(
    st.none(),
    st.just(UNDEFINED),
    st.booleans(),
    st.floats(allow_nan=False),
    texts,
    texts.map(XmlDocument),
    st.floats(allow_nan=False).map(Date),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(keys, inner, max_size=5),
        st.dictionaries(keys, inner, min_size=1, max_size=5).map(EcmaArray),
    ),
    max_leaves=20,
)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@given(st.lists(values, max_size=4), st.binary(max_size=3))
@settings(max_examples=150, deadline=None)
def test_amf0_round_trip(sent: list[Any], filler: bytes) -> None:
    data = amf0.encode_all(*sent)
    decoded = amf0.decode_all(data)
    assert same(decoded, sent)
    assert amf0.encode_all(*decoded) == data
    offset = 0
    for value in sent:
        found, offset = amf0.decode_value(data + filler, offset)
        assert same(found, value)
    assert offset == len(data)


@given(values)
@settings(max_examples=100, deadline=None)
def test_amf3_round_trip(sent: Any) -> None:
    data = amf3.encode(sent)
    decoded, end = amf3.decode_value(data)
    assert same(decoded, sent)
    assert end == len(data)


@given(st.integers(0, (1 << 64) - 1))
@settings(max_examples=200, deadline=None)
def test_any_double_comes_back_bit_for_bit(bits: int) -> None:
    data = b"\x00" + struct.pack(">Q", bits)
    assert amf0.encode(amf0.decode_value(data)[0]) == data


@given(values, st.data())
@settings(max_examples=100, deadline=None)
def test_A1_a_truncated_value_is_malformed(value: Any, data: st.DataObject) -> None:
    for encode, decode in ((amf0.encode, amf0.decode_value), (amf3.encode, amf3.decode_value)):
        encoded = encode(value)
        length = data.draw(st.integers(0, len(encoded) - 1))
        try:
            decode(encoded[:length])
        except AmfError:
            continue
        raise AssertionError(f"{encoded[:length].hex()} was accepted")


def marked(markers: int) -> st.SearchStrategy[bytes]:
    """Bytes with many type markers and small numbers in them."""
    byte = st.one_of(st.integers(0, markers), st.integers(0, 255), st.just(1))
    return st.lists(byte, max_size=120).map(bytes)


@given(marked(17), marked(17))
@settings(max_examples=400, deadline=None)
def test_garbage_gives_a_value_or_amf_error(first: bytes, second: bytes) -> None:
    for data, decode in ((first, amf0.decode_value), (second, amf3.decode_value)):
        try:
            _, end = decode(data)
        except AmfError as error:
            assert error.reason == "amf_malformed"
        else:
            assert 0 < end <= len(data)
