"""Data messages as players get them."""

from __future__ import annotations

import pytest

from edge.errors import AmfError
from edge.rtmp import amf0
from edge.rtmp.config import RtmpConfig
from edge.rtmp.data_message import read_data

LIMITS = RtmpConfig()
META = amf0.encode_all("onMetaData", amf0.EcmaArray({"width": 1.0}))
PREFIX = amf0.encode("@setDataFrame")


@pytest.mark.parametrize("prefix", [b"", PREFIX])
def test_readable_body_stays_byte_exact(prefix: bytes) -> None:
    found = read_data(18, prefix + META, LIMITS)
    assert (found.values, found.body, found.fault) == (["onMetaData", {"width": 1.0}], META, None)


@pytest.mark.parametrize("prefix", [b"", PREFIX])
@pytest.mark.parametrize("tail", [b"\xff", b"\x0e"])
def test_A5_body_with_a_fault_is_made_anew_of_what_stands_before(prefix: bytes, tail: bytes) -> None:
    found = read_data(18, prefix + META + tail, LIMITS)
    assert found.body == META
    assert found.fault is not None


def test_value_that_nothing_can_stand_for_is_left_out_without_a_fault() -> None:
    found = read_data(18, amf0.encode_all("onX", 1.0) + b"\x0d" + amf0.encode(2.0), LIMITS)
    assert (found.body, found.fault) == (amf0.encode_all("onX", 1.0, 2.0), None)


@pytest.mark.parametrize("mark", [b"\0", b""])
def test_amf3_data_may_lack_their_zero(mark: bytes) -> None:
    assert read_data(15, mark + PREFIX + META, LIMITS).body == META


def test_amf3_values_become_amf0_in_either_type() -> None:
    for type_id, mark in ((15, b"\0"), (18, b"")):
        found = read_data(type_id, mark + amf0.encode("onX") + b"\x11\x04\x07", LIMITS)
        assert found.values == ["onX", 7.0]


@pytest.mark.parametrize(
    ("type_id", "payload"),
    [
        (15, b""),
        (15, b"\x01" + META),
        (18, b"\xff"),
        (18, amf0.encode_all(1.0, "x")),
        (18, amf0.encode("onX") + b"\x03\x00\x01a"),
        (18, PREFIX + amf0.encode("onX") + b"\xff"),
    ],
)
def test_data_without_a_name_or_anything_behind_it_raise(type_id: int, payload: bytes) -> None:
    with pytest.raises(AmfError):
        read_data(type_id, payload, LIMITS)


@pytest.mark.parametrize("payload", [b"", PREFIX])
def test_data_of_nothing_are_nothing(payload: bytes) -> None:
    assert read_data(18, payload, LIMITS).body == b""
