"""AMF3 values, reference tables, and references that lead nowhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge.errors import AmfError, LocalProtocolError
from edge.rtmp import amf0
from edge.rtmp.amf0 import UNDEFINED, Date, EcmaArray, XmlDocument
from edge.rtmp.amf3 import decode_all, decode_value, encode, encode_u29
from edge.rtmp.config import RtmpConfig

CONFIG = RtmpConfig()
BOTH_WAYS: list[tuple[str, Any, str]] = [
    ("undefined", UNDEFINED, "00"),
    ("null", None, "01"),
    ("false", False, "02"),
    ("true", True, "03"),
    ("integer", 5, "0405"),
    ("integer-2", 0x80, "048100"),
    ("integer-3", 0x4000, "04818000"),
    ("integer-4", 0x200000, "0480c08000"),
    ("integer-most", (1 << 28) - 1, "04bfffffff"),
    ("integer-least", -(1 << 28), "04c0808000"),
    ("minus-one", -1, "04ffffffff"),
    ("double", 0.5, "053fe0000000000000"),
    ("large-integer", 1 << 28, "0541b0000000000000"),
    ("string", "abc", "0607616263"),
    ("empty-string", "", "0601"),
    ("bad-utf8", "\udcff", "0603ff"),
    ("xml", XmlDocument("<a/>"), "0b093c612f3e"),
    ("date", Date(1000.0), "0801408f400000000000"),
    ("array", [1, "a"], "0905010401060361"),
    ("array-empty", [], "090101"),
    ("associative", EcmaArray({"k": None}), "0901036b0101"),
    ("object", {"k": True}, "0a0b01036b0301"),
    ("bytes", b"\1\2", "0c050102"),
]
ONE_WAY: list[tuple[str, Any, str]] = [
    ("xml-document", XmlDocument("<a/>"), "07093c612f3e"),
    ("mixed-array", EcmaArray({"k": None, "0": True}), "0903036b010103"),
    ("sealed-object", {"a": 1.0, "b": None}, "0a23034103610362040101"),
    ("sealed-and-dynamic", {"a": 1.0, "b": None}, "0a1b010361040103620101"),
    ("vector-int", [-1.0, 2.0], "0d0500ffffffff00000002"),
    ("vector-uint", [4294967295.0], "0e0301ffffffff"),
    ("vector-double", [0.5], "0f03003fe0000000000000"),
    ("vector-object", [None, True], "10050003410103"),
    ("dictionary", EcmaArray({"a": None, "2.0": True}), "11050006036101040203"),
    ("string-reference", ["ab", "ab"], "090501060561620600"),
    ("object-reference", [[], []], "0905010901010902"),
    ("traits-reference", [{"a": None}, {"a": True}], "0905010a13010361010a0103"),
]
ALL = BOTH_WAYS + ONE_WAY


@pytest.mark.parametrize(("value", "encoded"), [v[1:] for v in ALL], ids=[v[0] for v in ALL])
def test_value_is_decoded(value: Any, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    expected = float(value) if type(value) is int else value
    decoded, end = decode_value(data)
    assert decoded == expected
    assert type(decoded) is type(expected)
    assert end == len(data)
    assert decode_value(b"\1" + data + b"\xff", 1) == (expected, len(data) + 1)


@pytest.mark.parametrize(("value", "encoded"), [v[1:] for v in BOTH_WAYS], ids=[v[0] for v in BOTH_WAYS])
def test_value_is_encoded(value: Any, encoded: str) -> None:
    assert encode(value).hex() == encoded


@pytest.mark.parametrize("encoded", [v[2] for v in ALL], ids=[v[0] for v in ALL])
def test_A1_every_truncation_is_malformed(encoded: str) -> None:
    data = bytes.fromhex(encoded)
    for length in range(len(data)):
        with pytest.raises(AmfError):
            decode_value(data[:length])


@pytest.mark.parametrize(
    "data",
    [
        "0903010900",  # an array that holds itself
        "0a0b0103610a0001",  # an object that holds itself
        "0903010903010900",  # through one between
        "1103000603611100",  # a dictionary that holds itself
        "0902",  # forward, nothing there
        "0600",
        "0a01",
        "06fffffffe",  # "negative"
        "09fffffffe",
        "04fffffffff0",  # five bytes: the fifth is no marker
    ],
)
def test_A10_cycles_and_bad_references_are_malformed(data: str) -> None:
    with pytest.raises(AmfError):
        decode_all(bytes.fromhex(data))


def test_A10_references_cannot_unfold_without_bound() -> None:
    doubling = bytes.fromhex("09030101") + b"".join(
        bytes.fromhex("090501") + encode_reference(n) * 2 for n in range(20)
    )
    with pytest.raises(AmfError):
        decode_all(doubling)
    text = encode("x" * 60000)
    assert len(decode_all(text + bytes.fromhex("0600") * 10)) == 11
    with pytest.raises(AmfError):
        decode_all(text + bytes.fromhex("0600") * 20)


def encode_reference(index: int) -> bytes:
    return b"\x09" + encode_u29(index << 1)


def test_A2_nesting_is_limited() -> None:
    for opening, closing in ((b"\x09\x03\x01", b""), (b"\x0a\x0b\x01\x03a", b"\x01")):
        assert decode_value(opening * 128 + b"\x01" + closing * 128)
        for depth in (129, 70_000):
            with pytest.raises(AmfError):
                decode_value(opening * depth + b"\x01" + closing * depth)


@pytest.mark.parametrize(
    "data",
    ["09ffffffff01", "0dffffffff00", "0fffffffff00", "10ffffffff0001", "11ffffffff00", "0cffffffff", "06ffffffff",
     "0afffffff301"],
)  # fmt: skip
def test_A3_announced_sizes_are_checked(data: str) -> None:
    with pytest.raises(AmfError):
        decode_value(bytes.fromhex(data) + bytes(3))


def test_A5_number_of_values_is_limited() -> None:
    assert len(decode_all(b"\1" * 4096)) == 4096
    for data in (b"\1" * 4097, encode([None] * 4096), b"\x0d" + encode_u29(4096 << 1 | 1) + b"\0" + bytes(4096 * 4)):
        with pytest.raises(AmfError):
            decode_all(data)


def test_limit_of_string() -> None:
    with pytest.raises(AmfError):
        decode_value(encode("abcde"), 0, replace(CONFIG, amf_max_string_size=4))


@pytest.mark.parametrize("data", ["12", "ff", "0a0701", "1103000101", "110300060101"])
def test_other_forms_are_malformed(data: str) -> None:
    with pytest.raises(AmfError):
        decode_value(bytes.fromhex(data) + bytes(8))


def test_amf0_switches_to_it_when_told() -> None:
    data = amf0.encode_all("cmd", 1) + b"\x11" + encode({"a": [1, 2]}) + amf0.encode(None)
    assert amf0.decode_all(data, avmplus=decode_value) == ["cmd", 1.0, {"a": [1.0, 2.0]}, None]
    for length in range(data.index(0x11, 10) + 1, len(data) - 1):
        with pytest.raises(AmfError):
            amf0.decode_all(data[:length], avmplus=decode_value)


def test_misuse_is_ours() -> None:
    for value in (object(), 10**400):
        with pytest.raises(LocalProtocolError):
            encode(value)
    for number in (-1, 1 << 29):
        with pytest.raises(LocalProtocolError):
            encode_u29(number)
