"""AMF0 values both ways; nested, endless, cut and otherwise hostile ones."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import Any

import pytest

from edge.errors import AmfError, LocalProtocolError
from edge.rtmp import amf0
from edge.rtmp.amf0 import (
    UNDEFINED,
    Date,
    EcmaArray,
    Readable,
    XmlDocument,
    decode_all,
    decode_readable,
    decode_value,
    encode,
    encode_all,
)
from edge.rtmp.config import RtmpConfig

CONFIG = RtmpConfig()
VECTORS: list[tuple[str, Any, str]] = [
    ("zero", 0.0, "000000000000000000"),
    ("number", 3.5, "00400c000000000000"),
    ("true", True, "0101"),
    ("false", False, "0100"),
    ("string", "abc", "020003616263"),
    ("empty-string", "", "020000"),
    ("utf8", "é", "020002c3a9"),
    ("bad-utf8", "\udcff", "020001ff"),
    ("null", None, "05"),
    ("undefined", UNDEFINED, "06"),
    ("object", {"a": 1.0, "b": {}}, "03000161003ff000000000000000016203000009000009"),
    ("ecma", EcmaArray({"w": None}), "080000000100017705000009"),
    ("ecma-empty", EcmaArray(), "0800000000000009"),
    ("array", [True, "x", None], "0a0000000301010200017805"),
    ("array-empty", [], "0a00000000"),
    ("date", Date(1000.0, -60), "0b408f400000000000ffc4"),
    ("xml", XmlDocument("<a/>"), "0f000000043c612f3e"),
    ("long-string", "y" * 65536, "0c00010000" + "79" * 65536),
]
IDS = [name for name, _, _ in VECTORS]
PAIRS = [(value, encoded) for _, value, encoded in VECTORS]


@pytest.mark.parametrize(("value", "encoded"), PAIRS, ids=IDS)
def test_value_both_ways(value: Any, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert encode(value) == data
    decoded, end = decode_value(data)
    assert decoded == value
    assert type(decoded) is type(value)
    assert end == len(data)
    assert decode_value(b"\x05" + data + b"\xff", 1) == (value, 1 + len(data))


@pytest.mark.parametrize(("value", "encoded"), PAIRS, ids=IDS)
def test_A1_every_truncation_is_malformed(value: Any, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    for length in range(min(len(data), 200)):
        with pytest.raises(AmfError) as caught:
            decode_value(data[:length])
        assert caught.value.reason == "amf_malformed"


def test_values_in_a_row() -> None:
    data = encode_all("connect", 1, {"app": "live"}, None)
    assert decode_all(data) == ["connect", 1.0, {"app": "live"}, None]
    assert decode_all(b"\x00" + data, offset=1) == ["connect", 1.0, {"app": "live"}, None]
    assert decode_all(b"") == []


def test_integers_and_tuples_are_encoded() -> None:
    assert encode(7) == encode(7.0)
    assert encode((1, 2)) == encode([1.0, 2.0])


def test_ecma_count_is_a_hint() -> None:
    body = "0001770500017805000009"
    for count in ("00000000", "00000001", "00000009", "ffffffff"):
        assert decode_all(bytes.fromhex("08" + count + body + "05")) == [{"w": None, "x": None}, None]


def nested(kind: str, depth: int) -> bytes:
    opening = {"object": b"\x03\0\1a", "ecma": b"\x08\0\0\0\0\0\1a", "array": b"\x0a\0\0\0\1"}
    closing = {"object": b"\0\0\x09", "ecma": b"\0\0\x09", "array": b""}
    kinds = ["object", "ecma", "array"] if kind == "mixed" else [kind]
    order = [kinds[i % len(kinds)] for i in range(depth)]
    return b"".join(opening[k] for k in order) + b"\x05" + b"".join(closing[k] for k in reversed(order))


@pytest.mark.parametrize("kind", ["object", "ecma", "array", "mixed"])
def test_A2_nesting_is_limited(kind: str) -> None:
    value, _ = decode_value(nested(kind, 128))
    assert encode(value)
    for depth in (129, 70_000):
        with pytest.raises(AmfError):
            decode_value(nested(kind, depth))


@pytest.mark.parametrize(
    "data",
    [
        "0affffffff050505",
        "08ffffffff050505",
        "020004616263",
        "0cffffffff616263",
        "0fffffffff616263",
        "0a0001000100",
    ],
)
def test_A3_announced_sizes_are_checked(data: str) -> None:
    with pytest.raises(AmfError):
        decode_value(bytes.fromhex(data))


def test_A3_limits_of_string_and_array() -> None:
    config = replace(CONFIG, amf_max_string_size=4, amf_max_array_size=2)
    assert decode_value(encode("abcd"), 0, config)[0] == "abcd"
    assert decode_value(encode([1, 2]), 0, config)[0] == [1.0, 2.0]
    for value in ("abcde", [1, 2, 3], {"a": 1, "b": 2, "c": 3}, {"abcde": 1}):
        with pytest.raises(AmfError):
            decode_value(encode(value), 0, config)


def test_A5_number_of_values_is_limited() -> None:
    assert len(decode_all(b"\x05" * 4096)) == 4096
    for data in (b"\x05" * 4097, encode([None] * 4096), encode({str(i): None for i in range(9000)})):
        with pytest.raises(AmfError):
            decode_all(data)


@pytest.mark.parametrize(
    "bits",
    ["7ff8000000000000", "7ff0000000000001", "fff8000000001234", "7ff0000000000000", "fff0000000000000",
     "bff0000000000000", "0000000000000000", "8000000000000000", "7fe1ccf385ebc8a0", "3fe0000000000000"],
)  # fmt: skip
def test_A7_any_number_comes_back_bit_for_bit(bits: str) -> None:
    data = b"\x00" + bytes.fromhex(bits)
    assert encode(decode_value(data)[0]) == data


def test_A9_duplicate_keys_last_wins() -> None:
    assert decode_value(bytes.fromhex("03000161050001610101000009"))[0] == {"a": True}


def test_A9_empty_key_is_malformed() -> None:
    for data in ("03000005000009", "03000003000009000009", "08000000000000020001"):
        with pytest.raises(AmfError):
            decode_value(bytes.fromhex(data))


@pytest.mark.parametrize("key", [b"\0", b"a\nb", b"\x1b[2J", b"\xff\xfe", b"\xed\xa0\x80"])
def test_A9_odd_keys_are_kept_exactly(key: bytes) -> None:
    data = b"\x03" + len(key).to_bytes(2, "big") + key + b"\x05\0\0\x09"
    assert encode(decode_value(data)[0]) == data


@pytest.mark.parametrize("data", ["070000", "07ffff", "11040a", "1101", "03000161070000000009"])
def test_A10_references_and_avmplus_are_malformed(data: str) -> None:
    with pytest.raises(AmfError):
        decode_value(bytes.fromhex(data))


def test_avmplus_is_decoded_by_the_decoder_given() -> None:
    def avmplus(data: bytes, offset: int, limits: RtmpConfig) -> tuple[Any, int]:
        return data[offset], offset + 1

    assert decode_all(bytes.fromhex("05112a05"), avmplus=avmplus) == [None, 42, None]


@pytest.mark.parametrize("marker", [0x04, 0x07, 0x09, 0x0D, 0x0E, 0x12, 0xFF])
def test_A11_other_markers_are_malformed(marker: int) -> None:
    with pytest.raises(AmfError):
        decode_value(bytes((marker,)) + bytes(20))


def test_A11_typed_object_loses_its_class() -> None:
    assert decode_value(bytes.fromhex("1000035f4f6200016105000009"))[0] == {"a": None}


def test_A11_xml_is_opaque() -> None:
    text = '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
    assert decode_value(encode(XmlDocument(text)))[0] == text


def test_A13_filler_after_the_needed_values_is_ignored() -> None:
    data = encode_all("play", 4, None, "name")
    assert decode_all(data + b"\xff\x00\x00", least=3) == ["play", 4.0, None, "name"]
    assert decode_all(data[:-1], least=3) == ["play", 4.0, None]
    with pytest.raises(AmfError):
        decode_all(data[:-1], least=4)
    with pytest.raises(AmfError):
        decode_all(data + nested("array", 129), least=3)


def test_misuse_is_ours() -> None:
    ring: list[Any] = []
    ring.append(ring)
    for value in (object(), b"bytes", {"": 1}, {"k" * 65536: 1}, 10**400, ring):
        with pytest.raises(LocalProtocolError):
            encode(value)


def test_lone_surrogates_of_other_origin_are_replaced() -> None:
    assert encode("a\ud800") == b"\x02\0\2a?"


def test_undefined_is_false_and_prints() -> None:
    assert not UNDEFINED
    assert repr(UNDEFINED) == "UNDEFINED"


def test_Y5_not_a_number_never_becomes_an_integer() -> None:
    assert math.isnan(decode_value(b"\0" + struct.pack(">d", math.nan))[0])


def test_reader_never_reads_past_the_end() -> None:
    reader = amf0.Reader(b"\1\2")
    assert reader.u16() == 0x0102
    with pytest.raises(AmfError):
        reader.u8()


# --- as far as it can be read ---------------------------------------------------------


def ecma(*pairs: bytes, end: bytes = b"\x00\x00\x09") -> bytes:
    return b"\x08" + len(pairs).to_bytes(4, "big") + b"".join(pairs) + end


def field(name: str, value: bytes) -> bytes:
    return len(name).to_bytes(2, "big") + name.encode() + value


WIDTH, CODEC = field("width", encode(1280.0)), field("codec", encode("avc"))
READ = {"width": 1280.0, "codec": "avc"}
BIG_LIST = b"\x0a" + (5000).to_bytes(4, "big") + encode(2.0) * 5000


@pytest.mark.parametrize(
    ("tail", "fields"),
    [
        pytest.param(ecma(WIDTH, CODEC), READ, id="whole"),
        pytest.param(ecma(WIDTH, CODEC, end=b""), READ, id="no-end-marker"),
        pytest.param(ecma(WIDTH, CODEC, end=b"\x00\x00"), READ, id="half-an-end-marker"),
        pytest.param(ecma(WIDTH, CODEC, end=b"\x00\x00\x05"), READ, id="wrong-end-marker"),
        pytest.param(ecma(WIDTH, CODEC) + b"\xff\xff", READ, id="filler"),
        pytest.param(ecma(WIDTH, CODEC)[:-5], {"width": 1280.0}, id="cut-in-a-value"),
        pytest.param(
            ecma(WIDTH, CODEC, field("x", ecma(WIDTH, end=b"")), end=b""), READ, id="open-array-in-an-open-one"
        ),
        pytest.param(ecma(WIDTH, CODEC, field("x", b"\x0e"), CODEC), READ, id="record-set"),
        pytest.param(ecma(WIDTH, CODEC, field("x", b"\x04"), CODEC), READ, id="movie-clip"),
        pytest.param(ecma(WIDTH, field("x", b"\x0d"), CODEC), READ, id="unsupported"),
        pytest.param(ecma(WIDTH, field("x", b"\x07\x00\x01"), CODEC), READ, id="reference"),
        pytest.param(ecma(WIDTH, field("x", b"\x03" + field("y", b"\x0d") + b"\0\0\x09"), CODEC), READ, id="nested"),
        pytest.param(ecma(WIDTH, field("x", BIG_LIST), CODEC), READ, id="index-of-a-film"),
        pytest.param(ecma(WIDTH, field("x", ecma(field("times", BIG_LIST))), CODEC), READ, id="index-in-an-object"),
        pytest.param(ecma(WIDTH, CODEC, field("x", nested("array", 129))), READ, id="too-deep"),
        pytest.param(ecma(WIDTH, CODEC, field("x", b"\x0a\xff\xff\xff\xff\x05")), READ, id="count-beyond-the-end"),
        pytest.param(ecma(WIDTH, CODEC, field("x", b"\x11\x04\x05")), READ, id="amf3-without-a-decoder"),
        pytest.param(b"\x10" + field("Class", b"") + WIDTH + CODEC, READ, id="typed-object-left-open"),
        pytest.param(ecma(WIDTH, field("x", b"\x05"), CODEC), {"width": 1280.0, "x": None, "codec": "avc"}, id="null"),
    ],
)
def test_A5_what_stands_before_a_fault_is_read(tail: bytes, fields: dict[str, object]) -> None:
    found = decode_readable(encode("onMetaData") + tail)
    assert found.values == ["onMetaData", fields]
    is_same = decode_all_or_none(encode("onMetaData") + tail) == found.values
    assert found.is_whole is is_same
    assert decode_readable(b"\x00" + encode("onMetaData") + tail, offset=1).values == found.values


def decode_all_or_none(data: bytes) -> list[object] | None:
    try:
        return decode_all(data)
    except AmfError:
        return None


@pytest.mark.parametrize("kind", ["object", "array"])
def test_reading_as_far_as_possible_never_raises(kind: str) -> None:
    whole = encode_all("onX", {"a": [1, {"b": None}], "c": Date(5.0), "d": "text"}, [1.0, "x"]) + nested(kind, 5)
    assert decode_readable(whole).is_whole
    for size in range(len(whole)):
        found = decode_readable(whole[:size])
        assert found.fault is not None or found.values == decode_all(whole[:size])
        assert encode_all(*found.values) is not None
    assert decode_readable(b"") == Readable([], None, True)


def test_list_of_too_many_numbers_is_passed_and_no_other_list() -> None:
    numbers = encode_all("x") + BIG_LIST + encode("y")
    assert decode_readable(numbers).values == ["x", "y"]
    assert not decode_readable(numbers).is_whole
    texts = encode_all("x") + b"\x0a" + (5000).to_bytes(4, "big") + encode("z") * 5000 + encode("y")
    assert decode_readable(texts).values == ["x"]
    assert decode_readable(encode_all("x", [1.0, 2.0])).values == ["x", [1.0, 2.0]]
