"""What is written is read by the library of Protocol Buffers, from the published numbers of the fields."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from edge.profiling.pprof import compressed, encode, number, packed, varint
from edge.profiling.stacks import CONTENTION, GROWTH, HEAP, Kind
from tests.profiling import samples

_INT, _UINT, _STRING, _MESSAGE = (
    descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{name}") for name in ("INT64", "UINT64", "STRING", "MESSAGE")
)
_ONE, _MANY = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL, descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
# profile.proto of github.com/google/pprof: name, number, type or message, label.
_MESSAGES: dict[str, list[tuple[str, int, Any, int]]] = {
    "ValueType": [("type", 1, _INT, _ONE), ("unit", 2, _INT, _ONE)],
    "Sample": [("location_id", 1, _UINT, _MANY), ("value", 2, _INT, _MANY)],
    "Line": [("function_id", 1, _UINT, _ONE), ("line", 2, _INT, _ONE)],
    "Location": [("id", 1, _UINT, _ONE), ("address", 3, _UINT, _ONE), ("line", 4, "Line", _MANY)],
    "Function": [
        *(("id", 1, _UINT, _ONE), ("name", 2, _INT, _ONE), ("system_name", 3, _INT, _ONE)),
        *(("filename", 4, _INT, _ONE), ("start_line", 5, _INT, _ONE)),
    ],
    "Profile": [
        *(("sample_type", 1, "ValueType", _MANY), ("sample", 2, "Sample", _MANY), ("location", 4, "Location", _MANY)),
        *(("function", 5, "Function", _MANY), ("string_table", 6, _STRING, _MANY), ("time_nanos", 9, _INT, _ONE)),
        *(("duration_nanos", 10, _INT, _ONE), ("period_type", 11, "ValueType", _ONE), ("period", 12, _INT, _ONE)),
        ("default_sample_type", 14, _INT, _ONE),
    ],
}


def _reader() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="profile_for_test.proto", package="t", syntax="proto3")
    for name, fields in _MESSAGES.items():
        described = file.message_type.add(name=name)
        for field, tag, kind, label in fields:
            is_message = isinstance(kind, str)
            described.field.add(
                name=field,
                number=tag,
                label=label,
                type=_MESSAGE if is_message else kind,
                type_name=f".t.{kind}" if is_message else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Profile"))


READER = _reader()


def test_stacks_come_back_as_they_were() -> None:
    profile = samples.profile()
    read = READER.FromString(gzip.decompress(compressed(profile)))
    texts = read.string_table
    assert texts[0] == ""
    assert [(texts[each.type], texts[each.unit]) for each in read.sample_type] == [
        ("samples", "count"),
        ("cpu", "nanoseconds"),
    ]
    functions = {each.id: (texts[each.name], texts[each.filename], each.start_line) for each in read.function}
    places = {each.id: each.line[0] for each in read.location}
    assert 0 not in functions and 0 not in places
    found = [
        (tuple(functions[places[each].function_id] for each in reversed(row.location_id)), *row.value)
        for row in read.sample
    ]
    assert found == [(tuple(map(tuple, row.stack)), row.times, row.value) for row in profile.rows]
    assert (read.time_nanos, read.duration_nanos) == (1_767_000_000_123_000_000, 1_000_000_000)
    assert (texts[read.period_type.unit], read.period) == ("nanoseconds", 10_000_000)
    assert texts[read.default_sample_type] == "cpu"


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        (HEAP, ["inuse_objects", "inuse_space"]),
        (GROWTH, ["inuse_objects", "inuse_space"]),
        (CONTENTION, ["contentions", "delay"]),
    ],
)
def test_types_of_the_other_kinds(kind: Kind, types: list[str]) -> None:
    read = READER.FromString(encode(samples.profile(kind=kind)))
    assert [read.string_table[each.type] for each in read.sample_type] == types


def test_profile_of_nothing_is_one() -> None:
    read = READER.FromString(encode(samples.profile(())))
    assert list(read.sample) == [] and len(read.sample_type) == 2


@pytest.mark.parametrize(
    ("value", "data"), [(0, b"\0"), (1, b"\1"), (127, b"\x7f"), (150, b"\x96\1"), (-1, b"\xff" * 9 + b"\1")]
)
def test_varint(value: int, data: bytes) -> None:
    assert varint(value) == data


def test_fields() -> None:
    assert number(1, 150) == b"\x08\x96\x01"
    assert number(1, 0) == b""
    assert packed(4, [3, 270, 86942]) == b"\x22\x06\x03\x8e\x02\x9e\xa7\x05"
