"""Traces from a viewer's request over nodes of ours to a collector, and what else is not to be in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from edge.runtime.assembly import assemble
from edge.service.spans import trace_of
from tests.harness.at_once import at_once
from tests.harness.clock import deadline
from tests.harness.collector import Collected, Collector
from tests.net.live import WAIT_S, eventually, pictures
from tests.runtime.nodes import RunningNode, running, settings_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
#: Words that clients and the environment bring and nobody else is to see.
SECRETS = ("geheim", "hush")
PLAY, PULL, PUSH, PUBLISH = "service.play", "upstream.pull", "upstream.push", "service.publish"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """One that is open for the length of a test, and gets what comes soon."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=hush")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    one = Collector()
    yield one
    one.close()


async def play_flv(node: RunningNode, path: str, *lines: str) -> None:
    """Play by HTTP until media have come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port())
    try:
        writer.write("\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode())
        async with asyncio.timeout(deadline(WAIT_S)):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            await reader.readuntil(b"FLV")
    finally:
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def behind(origin: RunningNode, *flags: str) -> AsyncIterator[RunningNode]:
    """An edge of ``origin``, whose end comes later: by then no socket of either may be left."""
    settings = settings_of(f"-proxy_to=127.0.0.1:{origin.port()}", "-timeout_ms=60000", *flags)
    daemon = assemble(settings, asyncio.get_running_loop())
    await daemon.start()
    edge = RunningNode(daemon)
    try:
        yield edge
    finally:
        await edge.close()


def one(spans: list[Collected], service: str, name: str) -> Collected:
    (found,) = [span for span in spans if (span.service, span.name) == (service, name)]
    return found


def flags_of(collector: Collector, service: str) -> tuple[str, str]:
    return f"-otlp_endpoint={collector.url}", f"-otlp_service_name={service}"


async def test_a_viewers_trace_goes_up_to_the_origin(collector: Collector) -> None:
    wanted = {("edge", PLAY), ("edge", PULL), ("origin", PLAY)}
    async with running(*flags_of(collector, "origin")) as origin, behind(origin, *flags_of(collector, "edge")) as edge:
        await origin.publisher(pictures=3)
        lines = (f"traceparent: 00-{TRACE}-{SPAN}-01", "tracestate: vendor=1")
        await play_flv(edge, "/live/s.flv?token=geheim", *lines)
        await eventually(lambda: wanted <= {(s.service, s.name) for s in collector.spans()}, "spans", 5)
        await eventually(lambda: at_once(edge.facts.counters())["otlp_sent_count"] >= 2, "the exporter to know it", 5)
    spans = collector.spans()
    viewer, pull, hop = one(spans, "edge", PLAY), one(spans, "edge", PULL), one(spans, "origin", PLAY)
    assert {span.trace_id for span in (viewer, pull, hop)} == {TRACE}
    assert (viewer.parent_id, pull.parent_id, hop.parent_id) == (SPAN, viewer.span_id, pull.span_id)
    assert {span.span.trace_state for span in (viewer, pull, hop)} == {"vendor=1"}
    assert [span.span.kind for span in (viewer, pull, hop)] == [2, 3, 2]  # server, client, server
    assert {span.attributes["edge.stream"] for span in (viewer, pull, hop)} == {"_/live/s"}
    assert pull.attributes["edge.upstream"] == f"127.0.0.1:{origin.port()}"
    assert (pull.attributes["server.address"], pull.attributes["server.port"]) == ("127.0.0.1", origin.port())
    assert pull.attributes["edge.first_frame_ms"] >= 0
    assert "first frame" in [event.name for event in pull.span.events]
    assert len(hop.attributes["edge.hops"]) == 1
    paths, keys = {path for path, _, _ in collector.requests}, {head["x-api-key"] for _, head, _ in collector.requests}
    assert (paths, keys) == ({"/v1/traces"}, {"hush"})
    assert not [word for word in SECRETS for _, _, body in collector.requests if word.encode() in body]


async def test_without_a_context_the_trace_is_that_of_the_stream_on_all_nodes(collector: Collector) -> None:
    wanted = {("edge", PUBLISH), ("edge", PUSH), ("origin", PUBLISH), ("edge", PLAY), ("edge", PULL), ("origin", PLAY)}
    async with running(*flags_of(collector, "origin")) as origin, behind(origin, *flags_of(collector, "edge")) as edge:
        await edge.publisher("s?secret=geheim", pictures=3)
        await eventually(lambda: origin.node.units[0].service.publishes, "the push", 5)
        await pictures(await edge.player("s"), 0)
        lines = ("traceparent: 00-junk", "tracestate: vendor=1")
        await play_flv(edge, "/live/s.flv", *lines)
        await eventually(lambda: wanted <= {(s.service, s.name) for s in collector.spans()}, "spans", 5)
    spans = collector.spans()
    publish, push, there = one(spans, "edge", PUBLISH), one(spans, "edge", PUSH), one(spans, "origin", PUBLISH)
    assert (publish.parent_id, push.parent_id, there.parent_id) == ("", publish.span_id, push.span_id)
    pull, hop = one(spans, "edge", PULL), one(spans, "origin", PLAY)
    plays = [span for span in spans if (span.service, span.name) == ("edge", PLAY)]
    assert hop.parent_id == pull.span_id
    assert pull.parent_id in {span.span_id for span in plays}
    assert {span.parent_id for span in plays} == {""}
    of_stream = {f"{trace_of('_/live/s'):032x}"}
    assert {span.trace_id for span in (publish, push, there, pull, hop, *plays)} == of_stream
    assert not [word for word in SECRETS for _, _, body in collector.requests if word.encode() in body]


async def test_a_trace_that_is_not_to_be_recorded_is_not_sent_and_passes_nodes_without_spans(
    collector: Collector,
) -> None:
    async with running(*flags_of(collector, "origin")) as origin, behind(origin) as edge:
        await origin.publisher(pictures=3)
        await origin.publisher("t", pictures=3)
        await play_flv(edge, "/live/s.flv", f"traceparent: 00-{TRACE}-{SPAN}-00")
        await play_flv(edge, "/live/t.flv", f"traceparent: 00-{TRACE}-{SPAN}-01")
        wanted = ("origin", PLAY)
        await eventually(lambda: wanted in {(s.service, s.name) for s in collector.spans()}, "spans", 5)
    hop = one(collector.spans(), "origin", PLAY)
    assert (hop.attributes["edge.stream"], hop.trace_id, hop.parent_id) == ("_/live/t", TRACE, SPAN)
