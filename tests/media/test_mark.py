"""The mark between nodes."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import AmfError, ChunkError
from edge.media.mark import MARK, MAX_DELAY_US, MAX_DELAYS, Mark, MarkDelay, decode_mark, is_mark
from edge.rtmp import amf0
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.chunk_writer import encode_message
from edge.rtmp.config import RtmpConfig

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


DELAYS = st.integers(-MAX_DELAY_US, MAX_DELAY_US)
DELAY = {"at": 1.8e15, "ingest": 5.0, "hops": [1.0, 2.0], "whole": True}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    began_us=st.integers(0, 2**53 - 1),
    ingest_us=st.integers(0, MAX_DELAY_US),
    hops_us=st.lists(DELAYS, max_size=MAX_DELAYS).map(tuple),
    is_whole=st.booleans(),
)
def test_delay_makes_the_round_trip(began_us: int, ingest_us: int, hops_us: tuple[int, ...], is_whole: bool) -> None:
    mark = Mark("e", 1, 2, 3, 4, delay=MarkDelay(began_us, ingest_us, hops_us, is_whole))
    assert decode_mark(mark.encode()) == mark


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 200), max_size=12), st.binary(max_size=30))
def test_mark_with_a_delay_comes_through_any_split_and_with_bytes_behind_it(sizes: list[int], behind: bytes) -> None:
    mark = Mark("e", 1, 2, 3, 4, delay=MarkDelay(1_796_000_000_000_000, 5, (1, -2, 30_000)))
    sent = encode_message(8, 18, 1, 0, mark.encode(), 128) + behind
    reader, found = ChunkReader(RtmpConfig()), list[Message]()
    for size in [*sizes, *([1] * len(sent))]:
        with suppress(ChunkError):  # of what is behind it
            reader.feed(sent[:size], 0, found)
        sent = sent[size:]
    assert decode_mark(found[0].payload) == mark


@pytest.mark.parametrize("delay", [None, MarkDelay(1_796_000_000_000_000, 5, (1, 2))])
def test_every_prefix_of_a_mark_is_refused(delay: MarkDelay | None) -> None:
    whole = Mark("e", 1, 2, 3, 4, delay=delay).encode()
    name = amf0.encode(MARK)
    for end in range(len(name), len(whole)):
        with pytest.raises(AmfError):
            decode_mark(whole[:end])


@pytest.mark.parametrize(
    "fields",
    [
        1.0,
        {},
        {**DELAY, "at": -1.0},
        {**DELAY, "at": math.nan},
        {**DELAY, "at": 2.0**53},
        {**DELAY, "at": True},
        {**DELAY, "ingest": -1.0},
        {**DELAY, "ingest": MAX_DELAY_US + 1},
        {**DELAY, "ingest": None},
        {**DELAY, "hops": None},
        {**DELAY, "hops": [1.0, "2"]},
        {**DELAY, "hops": [math.inf]},
        {**DELAY, "hops": [-MAX_DELAY_US - 1]},
        {**DELAY, "hops": [0.0] * (MAX_DELAYS + 1)},
    ],
)
def test_delay_that_makes_no_sense_leaves_a_mark_without_one(fields: object) -> None:
    assert decode_mark(amf0.encode_all(MARK, {**FIELDS, "delay": fields})) == Mark("e", 1, 2, 3, 4)


def test_fields_that_nobody_knows_are_left_out_as_older_nodes_leave_out_the_delay() -> None:
    later = {"more": {"deep": [1.0, {"x": "y"}]}, "at": 5.0, **FIELDS, "last": None}
    assert decode_mark(amf0.encode_all(MARK, later)) == Mark("e", 1, 2, 3, 4)
    assert decode_mark(amf0.encode_all(MARK, {**FIELDS, "delay": {**DELAY, "more": 1.0}})) == Mark(
        "e", 1, 2, 3, 4, delay=MarkDelay(1_800_000_000_000_000, 5, (1, 2))
    )


@given(st.binary(max_size=60))
def test_any_body_behind_the_name_is_a_mark_or_an_amf_error(tail: bytes) -> None:
    with suppress(AmfError):
        decode_mark(amf0.encode_all(MARK) + tail)
