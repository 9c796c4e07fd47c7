"""Sends spans to a collector by OTLP over HTTP. Imported only where ``-otlp_endpoint`` is set.

The loop hands a span over and goes on; a thread of OpenTelemetry's SDK encodes and sends them, many at once, and
tries again for a while where the collector does not answer. What waits is bounded, and what finds no room is counted
and gone. What the SDK says in the log is kept back: a collector that is away is worth a line a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from edge.errors import ConfigError
from edge.flags.tracing import traces_url
from edge.net.aio import now_ms
from edge.runtime.otlp_span import otlp_span
from edge.service.spans import FinishedSpan

logger = logging.getLogger(__name__)

#: Spans that wait for the thread or are under way, about 1.5 KB each; more are dropped.
MAX_WAITING = 2048
MAX_BATCH = 512
#: So long the last spans may take when the server ends.
CLOSE_WITHIN_S = 2.0
_WARN_EVERY_MS = 60_000
_MAX_WORDS = 300


class _KeptBack(logging.Handler):
    """What the SDK complains of in a thread, for a line of ours; it goes nowhere else."""

    def __init__(self) -> None:
        super().__init__("WARNING")
        self._of_thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):  # the text and arguments are those of others
            if not getattr(self._of_thread, "words", ""):
                self._of_thread.words = record.getMessage()

    def take(self) -> str:
        """The first complaint of the calling thread since the last time: it has the cause, those after it repeat it."""
        words, self._of_thread.words = str(getattr(self._of_thread, "words", "")), ""
        return words[:_MAX_WORDS]


_kept_back = _KeptBack()


class CountingExporter(SpanExporter):
    """Counts what another exporter sends; all calls come from one thread.

    Attributes:
        taken_count: spans that wait no more.
        sent_count, failed_count: what has become of them.
        dropped_count: spans for which there was no room, as the loop has counted them.
    """

    def __init__(self, inner: SpanExporter, url: str, clock_ms: Callable[[], int]) -> None:
        """``url`` is for the log; ``clock_ms`` only goes forward."""
        self.taken_count = self.sent_count = self.failed_count = self.dropped_count = 0
        self._inner = inner
        self._url = url
        self._clock_ms = clock_ms
        self._lost_count = 0  # that the log has told of
        self._warned_ms: int | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; whatever goes wrong is an answer."""
        words = ""
        try:
            result = self._inner.export(spans)
            words = _kept_back.take()
        except Exception as error:  # of the library: the next batch is tried all the same
            result, words = SpanExportResult.FAILURE, repr(error)[:_MAX_WORDS]
        if result is SpanExportResult.SUCCESS:
            self.sent_count += len(spans)
        else:
            self.failed_count += len(spans)
        self.taken_count += len(spans)
        self._warn(words if result is not SpanExportResult.SUCCESS else "the collector is too slow")
        return result

    def _warn(self, words: str) -> None:
        lost, now = self.failed_count + self.dropped_count, self._clock_ms()
        is_time = self._warned_ms is None or now - self._warned_ms >= _WARN_EVERY_MS
        if lost == self._lost_count or not is_time:
            return
        text = "spans lost reason=otlp url=%s count=%d why=%s"
        logger.warning(text, self._url, lost - self._lost_count, words or "no answer")
        self._lost_count, self._warned_ms = lost, now

    def shutdown(self) -> None:
        """Give up what is under way."""
        self._inner.shutdown()


class SpanExport:
    """Takes spans from the loop; made and closed there."""

    def __init__(self, exporter: SpanExporter, url: str, resource: Resource, *, delay_ms: float | None = None) -> None:
        """``delay_ms``: how long a span waits for others; None for ``OTEL_BSP_SCHEDULE_DELAY``, else 5 s."""
        self._exporter = CountingExporter(exporter, url, now_ms)
        self._resource = resource
        self._handed_count = 0
        self._processor = BatchSpanProcessor(
            self._exporter,
            max_queue_size=MAX_WAITING,
            max_export_batch_size=MAX_BATCH,
            schedule_delay_millis=delay_ms,
        )

    def take(self, span: FinishedSpan) -> None:
        """Hand a span over, unless whoever began its trace does not want it recorded, or too many wait."""
        if not span.is_sampled:
            return
        if self._handed_count - self._exporter.taken_count >= MAX_WAITING:
            self._exporter.dropped_count += 1
            return
        self._handed_count += 1
        self._processor.on_end(otlp_span(span, self._resource))

    def counters(self) -> dict[str, int]:
        """Spans since the start: sent, failed (the collector did not take them), and dropped for want of room."""
        exporter = self._exporter
        return {
            "otlp_sent_count": exporter.sent_count,
            "error_otlp_failed_count": exporter.failed_count,
            "error_otlp_dropped_count": exporter.dropped_count,
        }

    async def close(self, within_s: float = CLOSE_WITHIN_S) -> None:
        """Send what waits, for ``within_s`` at most; the thread, which may hang in a call, is left to itself then."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not ended.done():
                ended.set_result(None)

        def shut_down() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(tell)

        threading.Thread(target=shut_down, name="otlp-end", daemon=True).start()
        try:
            async with asyncio.timeout(within_s):
                await ended
        except TimeoutError:
            self._exporter.shutdown()
            left = self._handed_count - self._exporter.taken_count
            logger.info("spans lost reason=otlp %d not sent at the end", left)  # the WARNING has been


def open_export(endpoint: str, service_name: str, *, version: str, hostname: str, instance_id: str) -> SpanExport:
    """Begin to send; raises ConfigError when the environment (``OTEL_EXPORTER_OTLP_*``) cannot be used.

    ``instance_id`` is that of this run of the program.
    """
    sdk_log = logging.getLogger("opentelemetry")
    sdk_log.propagate = False
    sdk_log.handlers = [_kept_back]
    url = traces_url(endpoint)
    try:
        exporter = OTLPSpanExporter(endpoint=url)
        resource = Resource.create(
            {
                "service.name": service_name,
                "service.version": version,
                "service.instance.id": instance_id,
                "host.name": hostname,
            }
        )
        return SpanExport(exporter, url, resource)
    except (ValueError, RuntimeError, OSError) as error:
        raise ConfigError(f"-otlp_endpoint: spans cannot be sent as OTEL_* of the environment say: {error}") from error
