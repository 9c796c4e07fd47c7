"""A span of ours as OpenTelemetry has it. Imported only where spans are sent.

Attributes bear the names of OpenTelemetry's conventions where it has any, else they begin with ``edge.``. What a
client said beside the name of a stream is in none of them: a span does not know it.
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from edge.service.spans import FIRST_FRAME, SERVER, FinishedSpan

_SCOPE = InstrumentationScope("edge")
_Value = str | int | Sequence[str]


def otlp_span(span: FinishedSpan, resource: Resource) -> ReadableSpan:
    """Convert it; ``resource`` is what all spans of the process share."""
    is_server = span.side == SERVER
    flags = TraceFlags(TraceFlags.SAMPLED if span.is_sampled else TraceFlags.DEFAULT)
    state = TraceState.from_header([span.trace_state]) if span.trace_state else TraceState()
    parent = None
    if span.parent_id:
        parent = SpanContext(span.trace_id, span.parent_id, is_remote=is_server, trace_flags=flags, trace_state=state)
    began_ns = span.began_us * 1000
    return ReadableSpan(
        span.method,
        context=SpanContext(span.trace_id, span.span_id, is_remote=False, trace_flags=flags, trace_state=state),
        parent=parent,
        resource=resource,
        attributes=attributes_of(span),
        events=[Event(note.text, timestamp=began_ns + note.at_us * 1000) for note in span.notes],
        kind=SpanKind.SERVER if is_server else SpanKind.CLIENT,
        instrumentation_scope=_SCOPE,
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=began_ns,
        end_time=began_ns + span.latency_us * 1000,
    )


def attributes_of(span: FinishedSpan) -> dict[str, _Value]:
    """What is known of it; what is not has no attribute."""
    found: dict[str, _Value] = {}
    if span.subject:
        found["edge.stream"] = span.subject
    if span.peer:
        host, _, port = span.peer.rpartition(":")
        side = "client" if span.side == SERVER else "server"
        if host and port.isascii() and port.isdigit():
            found[f"{side}.address"], found[f"{side}.port"] = host.strip("[]"), int(port)
        else:
            found[f"{side}.address"] = span.peer
    if span.side != SERVER:
        found["edge.upstream"] = span.peer
    if span.log_id:
        found["edge.connection"] = span.log_id
    if span.hops:
        found["edge.hops"] = span.hops
    if span.request_bytes:
        found["edge.request_bytes"] = span.request_bytes
    if span.error:
        found["error.type"] = span.error.partition(":")[0]
    first = next((note.at_us for note in span.notes if note.text == FIRST_FRAME), None)
    if first is not None:
        found["edge.first_frame_ms"] = first // 1000
    return found
