"""The mark between nodes."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import AmfError
from edge.media.mark import MARK, Mark, decode_mark, is_mark
from edge.rtmp import amf0

FIELDS = {"epoch": "e", "index": 1.0, "dts": 2.0, "wall": 3.0, "age": 4.0}


@given(
    epoch=st.text(st.characters(codec="ascii"), min_size=1, max_size=64),
    numbers=st.tuples(*[st.integers(0, 2**53 - 1)] * 4),
    is_lost=st.booleans(),
)
def test_round_trip(epoch: str, numbers: tuple[int, int, int, int], is_lost: bool) -> None:
    mark = Mark(epoch, *numbers, is_lost=is_lost)
    assert decode_mark(mark.encode()) == mark
    assert is_mark(mark.encode())


@pytest.mark.parametrize("payload", [b"", b"x", amf0.encode_all("onMetaData", {}), amf0.encode_all("onEdgeMar", {})])
def test_other_data_is_no_mark(payload: bytes) -> None:
    assert decode_mark(payload) is None
    assert not is_mark(payload)


@pytest.mark.parametrize(
    "fields",
    [
        None,
        {},
        {**FIELDS, "epoch": ""},
        {**FIELDS, "epoch": "x" * 65},
        {**FIELDS, "epoch": 1.0},
        {**FIELDS, "index": -1.0},
        {**FIELDS, "index": math.nan},
        {**FIELDS, "dts": math.inf},
        {**FIELDS, "wall": 2.0**53},
        {**FIELDS, "wall": "3"},
        {**FIELDS, "age": -1.0},
        {**FIELDS, "age": None},
    ],
)
def test_malformed_mark_raises(fields: object) -> None:
    with pytest.raises(AmfError):
        decode_mark(amf0.encode_all(MARK, fields))


def test_mark_without_an_age_is_of_a_publish_that_begins() -> None:
    fields = {name: value for name, value in FIELDS.items() if name != "age"}
    assert decode_mark(amf0.encode_all(MARK, fields)) == Mark("e", 1, 2, 3)


@given(st.binary(max_size=60))
def test_any_body_behind_the_name_is_a_mark_or_an_amf_error(tail: bytes) -> None:
    with suppress(AmfError):
        decode_mark(amf0.encode_all(MARK) + tail)
