"""Records and messages have the same fields, and what is in the one comes to be in the other."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import pytest

from edge.control.convert import message_of, messages_of, plain_of
from edge.facts.records import (
    AddressFacts,
    ConnectionFacts,
    HealthFacts,
    PlayerFacts,
    ProcessFacts,
    QualityFacts,
    ReadinessFacts,
    ServerFacts,
    ServiceFacts,
    SourceFacts,
    StreamFacts,
)
from edge.facts.rows import plain
from edge.flags.book import FlagFacts
from edge.service.answers import AddressAnswer, Cause, Diagnosis, Happened, NodeReport, OpenConnection, Trouble
from edge.service.insight import Way
from proto.edge.v1 import clients_pb2, flags_pb2, node_pb2, streams_pb2, upstreams_pb2, why_pb2
from tests.builtin import sample

MESSAGES: dict[Any, Any] = {
    StreamFacts: streams_pb2.Stream,
    QualityFacts: streams_pb2.Quality,
    ConnectionFacts: clients_pb2.Connection,
    PlayerFacts: clients_pb2.Player,
    ServerFacts: upstreams_pb2.UpstreamServer,
    SourceFacts: upstreams_pb2.UpstreamSource,
    ServiceFacts: node_pb2.ServiceInfo,
    ProcessFacts: node_pb2.Process,
    AddressFacts: node_pb2.Address,
    HealthFacts: node_pb2.Health,
    ReadinessFacts: node_pb2.Readiness,
    FlagFacts: flags_pb2.Flag,
    Diagnosis: why_pb2.Diagnosis,
    Cause: why_pb2.Cause,
    NodeReport: why_pb2.NodeReport,
    Way: why_pb2.Way,
    Trouble: why_pb2.Trouble,
    Happened: why_pb2.Happened,
    AddressAnswer: why_pb2.AddressAnswer,
    OpenConnection: why_pb2.OpenConnection,
}


@pytest.mark.parametrize("record", MESSAGES, ids=lambda record: record.__name__)
def test_each_field_of_a_record_is_one_of_its_message(record: Any) -> None:
    """A new one goes behind the others in ``proto/edge/v1``; then: python -m edge.tools.protos."""
    message = MESSAGES[record]
    assert {field.name for field in message.DESCRIPTOR.fields} == {field.name for field in fields(record)}


def test_a_record_comes_through_whole() -> None:
    for stream in (sample.stream(), sample.stream("b", pull_error="gone", fps=None, hop_delays_ms=(1.5, 2.0))):
        found = plain_of(message_of(streams_pb2.Stream, stream))
        assert {name: value for name, value in found.items() if value not in (None, [])} == {
            name: value for name, value in plain(stream).items() if value not in (None, [])
        }


def test_what_is_unknown_stays_apart_from_none_at_all() -> None:
    made = message_of(streams_pb2.Stream, replace(sample.stream(), fps=None, fluency_pct=0.0))
    assert not made.HasField("fps") and made.HasField("fluency_pct")
    found = plain_of(made)
    assert found["fps"] is None and found["fluency_pct"] == 0.0


def test_records_within_records_are_messages_within_messages() -> None:
    way = Way("pull", "live", "h:1", "", 2)
    report = NodeReport("1", "n", "edge", "live", "pulled", 3, "H264", "AAC", (way,), (), ())
    made = message_of(why_pb2.Diagnosis, Diagnosis("k", True, "it plays", (), (report,), ("kk",), "plays"))
    assert made.nodes[0].ways[0].server == "h:1"
    assert plain_of(made) == plain(Diagnosis("k", True, "it plays", (), (report,), ("kk",), "plays"))


async def test_many_are_made_in_slices() -> None:
    assert len(await messages_of(streams_pb2.Stream, [sample.stream()] * 300)) == 300


def test_enums_are_words() -> None:
    event = streams_pb2.StreamEvent(kind=streams_pb2.StreamEvent.KIND_ENDED)
    assert plain_of(event)["kind"] == "KIND_ENDED" and plain_of(event)["stream"] is None


def test_what_a_message_has_no_field_for_is_left_out() -> None:
    @dataclass(frozen=True)
    class Later:
        key: str
        news: int
        quality: Any

    made = message_of(streams_pb2.Stream, Later("k", 1, {"reporting": 2, "more": 3}))
    assert (made.key, made.quality.reporting) == ("k", 2)


def test_names_that_are_no_text_are_shown_and_break_nothing() -> None:
    made = message_of(streams_pb2.Stream, sample.stream(key="_/live/a\udcff", muted_publishers=("\udc80", "b")))
    assert made.key == "_/live/a\\udcff" and list(made.muted_publishers) == ["\\udc80", "b"]
