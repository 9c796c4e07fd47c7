from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.proto.trace.v1.trace_pb2 import Status as WireStatus
from opentelemetry.sdk.resources import Resource

from edge.runtime.otlp_span import attributes_of, otlp_span
from edge.service.spans import CLIENT, FIRST_FRAME, SERVER, FinishedSpan, Note

PLAY = FinishedSpan(
    trace_id=0xA << 124 | 1,
    span_id=0xB,
    side=SERVER,
    method="service.play",
    subject="_/live/s",
    peer="10.0.0.9:5000",
    log_id=7,
    began_us=1_700_000_000_000_000,
    latency_us=1500,
    request_bytes=0,
    response_bytes=0,
    error="",
    hops=("e1", "e2"),
    notes=(Note(1000, "runs, 2 players"),),
    parent_id=0xC,
    trace_state="a=1,b=2",
)
PULL = replace(
    PLAY,
    side=CLIENT,
    method="upstream.pull",
    peer="10.0.0.1:1935",
    log_id=0,
    hops=(),
    notes=(Note(100, "accepted"), Note(42_900, FIRST_FRAME)),
    parent_id=0,
    trace_state="",
)


def on_the_wire(span: FinishedSpan) -> Span:
    """As the SDK writes it."""
    (of_resource,) = encode_spans([otlp_span(span, Resource({"service.name": "x"}))]).resource_spans
    assert [each.value.string_value for each in of_resource.resource.attributes] == ["x"]
    return of_resource.scope_spans[0].spans[0]


def test_span_of_what_was_asked_of_us() -> None:
    wire = on_the_wire(PLAY)
    assert (wire.name, wire.kind) == ("service.play", Span.SPAN_KIND_SERVER)
    assert (wire.trace_id.hex(), wire.span_id.hex()) == (f"a{'0' * 30}1", f"{'0' * 15}b")
    assert (wire.parent_span_id.hex(), wire.trace_state) == (f"{'0' * 15}c", "a=1,b=2")
    assert wire.start_time_unix_nano == 1_700_000_000_000_000_000
    assert wire.end_time_unix_nano - wire.start_time_unix_nano == 1_500_000
    assert [(event.name, event.time_unix_nano - wire.start_time_unix_nano) for event in wire.events] == [
        ("runs, 2 players", 1_000_000)
    ]
    assert wire.status.code == WireStatus.STATUS_CODE_UNSET
    # Bits 8 and 9: whether the parent is of another process is known, and it is.
    assert wire.flags & 0x300 == 0x300


def test_span_of_what_we_asked_of_others() -> None:
    wire = on_the_wire(PULL)
    assert (wire.kind, wire.parent_span_id) == (Span.SPAN_KIND_CLIENT, b"")
    assert not on_the_wire(replace(PULL, parent_id=1)).flags & 0x200


def test_errors() -> None:
    wire = on_the_wire(replace(PULL, error="lost: refused by 10.0.0.1"))
    assert (wire.status.code, wire.status.message) == (WireStatus.STATUS_CODE_ERROR, "lost: refused by 10.0.0.1")
    assert attributes_of(replace(PULL, error="lost: refused"))["error.type"] == "lost"


@pytest.mark.parametrize(
    ("span", "attributes"),
    [
        (
            PLAY,
            {
                "edge.stream": "_/live/s",
                "client.address": "10.0.0.9",
                "client.port": 5000,
                "edge.connection": 7,
                "edge.hops": ("e1", "e2"),
            },
        ),
        (
            PULL,
            {
                "edge.stream": "_/live/s",
                "server.address": "10.0.0.1",
                "server.port": 1935,
                "edge.upstream": "10.0.0.1:1935",
                "edge.first_frame_ms": 42,
            },
        ),
        (
            replace(PLAY, subject="", log_id=0, hops=(), peer="[::1]:5", request_bytes=9),
            {"client.address": "::1", "client.port": 5, "edge.request_bytes": 9},
        ),
        (replace(PLAY, subject="", log_id=0, hops=(), peer="unix"), {"client.address": "unix"}),
        (replace(PLAY, subject="", log_id=0, hops=(), peer=""), {}),
    ],
)
def test_attributes(span: FinishedSpan, attributes: dict[str, object]) -> None:
    assert attributes_of(span) == attributes
