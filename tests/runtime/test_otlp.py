"""What becomes of spans on their way to a collector that is slow, away, or says no."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from edge.errors import ConfigError
from edge.runtime import otlp
from edge.runtime.otlp import MAX_BATCH, MAX_WAITING, CountingExporter, SpanExport, open_export
from tests.harness.clock import deadline
from tests.harness.collector import Collector
from tests.net.live import eventually
from tests.runtime.test_otlp_span import PLAY

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE


class Inner(SpanExporter):
    """Does as it is told, and holds its caller while ``is_open`` is not set."""

    def __init__(self) -> None:
        self.result: SpanExportResult | Exception = SUCCESS
        self.batches: list[int] = []
        self.is_open = threading.Event()
        self.is_open.set()
        self.threads: set[str] = set()
        self.is_shut_down = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.threads.add(threading.current_thread().name)
        self.is_open.wait(deadline(10))
        self.batches.append(len(spans))
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def shutdown(self) -> None:
        self.is_shut_down = True


@pytest.fixture
def inner() -> Iterator[Inner]:
    """Let go of at the end, so that no thread of a test outlives it for long."""
    one = Inner()
    yield one
    one.is_open.set()


def exporting(inner: Inner) -> SpanExport:
    return SpanExport(inner, "http://c/v1/traces", Resource({}), delay_ms=20)


async def test_spans_leave_in_batches_on_another_thread(inner: Inner) -> None:
    export = exporting(inner)
    for _ in range(MAX_BATCH + 1):
        export.take(PLAY)
    await eventually(lambda: sum(inner.batches) == MAX_BATCH + 1, "all to be sent", 5)
    assert max(inner.batches) <= MAX_BATCH
    assert threading.main_thread().name not in inner.threads
    await eventually(lambda: export.counters()["otlp_sent_count"] == MAX_BATCH + 1, "the count", 5)
    await export.close()
    assert inner.is_shut_down


async def test_the_rest_is_sent_at_the_end(inner: Inner) -> None:
    export = SpanExport(inner, "", Resource({}), delay_ms=3_600_000)
    export.take(PLAY)
    await export.close(deadline(5))
    assert inner.batches == [1]


async def test_what_nobody_wants_recorded_is_not_sent_and_takes_no_room(inner: Inner) -> None:
    export = exporting(inner)
    for _ in range(MAX_WAITING):
        export.take(replace(PLAY, is_sampled=False))
    export.take(PLAY)
    await export.close(deadline(5))
    assert (inner.batches, export.counters()["error_otlp_dropped_count"]) == ([1], 0)


async def test_a_collector_that_hangs_costs_no_more_than_the_queue_and_holds_nobody(
    inner: Inner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "edge.runtime.otlp")
    inner.is_open.clear()
    export = exporting(inner)
    for _ in range(MAX_WAITING + 100):
        export.take(PLAY)
    assert export.counters()["error_otlp_dropped_count"] == 100
    assert export.counters()["otlp_sent_count"] == 0
    began = time.monotonic()
    await export.close(0.05)
    assert time.monotonic() - began < deadline(5)
    assert f"spans lost reason=otlp {MAX_WAITING} not sent at the end" in caplog.text
    assert inner.is_shut_down


@pytest.mark.parametrize("result", [FAILURE, RuntimeError("odd")])
async def test_a_collector_that_is_away_is_worth_a_line_a_minute(
    inner: Inner, caplog: pytest.LogCaptureFixture, result: SpanExportResult | Exception
) -> None:
    now_ms = [1_000_000]
    counting = CountingExporter(inner, "http://c/v1/traces", lambda: now_ms[0])
    inner.result = result
    spans = [otlp.otlp_span(PLAY, Resource({}))] * 3
    for _ in range(120):
        assert counting.export(spans) is FAILURE
        now_ms[0] += 1000
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 2
    assert lines[0].startswith("spans lost reason=otlp url=http://c/v1/traces count=3 why=")
    assert " count=180 " in lines[1]
    assert (counting.failed_count, counting.sent_count, counting.taken_count) == (360, 0, 360)
    inner.result = SUCCESS
    now_ms[0] += 60_000
    counting.export(spans)  # what was lost since the last line is told
    counting.export(spans)
    assert len(caplog.records) == 3 and counting.sent_count == 6


async def test_what_the_sdk_says_comes_in_our_line_and_nowhere_else(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=hush, hush without equals")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    collector = Collector()
    collector.status = 400
    try:
        export = open_export(collector.url, "x", version="1", hostname="h", instance_id="i")
        export.take(PLAY)
        await eventually(lambda: export.counters()["error_otlp_failed_count"] == 1, "the failure", 5)
        await eventually(lambda: caplog.records, "the line", 5)
        await export.close(deadline(5))
    finally:
        collector.close()
    (record,) = caplog.records
    assert record.name == "edge.runtime.otlp" and "400" in record.getMessage()
    assert "hush" not in caplog.text


async def test_an_environment_that_cannot_be_used_is_an_error_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "-1")
    with pytest.raises(ConfigError) as caught:
        open_export("http://127.0.0.1:1", "x", version="1", hostname="h", instance_id="i")
    assert caught.value.detail.startswith("-otlp_endpoint: spans cannot be sent as OTEL_* of the environment say: ")
