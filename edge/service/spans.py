"""What took how long lately, a *span* each: connections set up, plays and publishes answered, pulls and pushes begun.

Off unless it is switched on. Then the last spans are held in a ring, to be looked at; nothing is kept longer, and
nothing here is asked per frame. A span that is about a stream bears a trace by the stream's name: the same on all
nodes, so that what each of them did about one stream is found under one number. Where whoever asks has brought a
trace of its own (``edge.service.trace_context``), the span is one of that trace. Somebody else may take the spans
as well (``SpanRing.sink``); what the ring leaves out it is given too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from edge.service.trace_context import TraceContext

#: More spans in a second are counted only: whoever connects that often is seen all the same.
MAX_PER_SECOND = 1000
#: Notes of one span; an attempt that goes on for ever makes no more.
MAX_NOTES = 32
#: Longer texts, most of which peers have chosen, are cut.
MAX_TEXT = 256

SERVER, CLIENT = "S", "C"

#: The note of a pull when the first data of its stream have come.
FIRST_FRAME = "first frame"


class SpanSettings(Protocol):
    """The fields bear the names of the flags that set them."""

    @property
    def enable_rpcz(self) -> bool:
        """Spans are made from the start."""
        ...

    @property
    def rpcz_max_spans(self) -> int:
        """Those that are held."""
        ...

    @property
    def rpcz_keep_span_seconds(self) -> int:
        """Older ones are not shown."""
        ...

    @property
    def rpcz_save_span_min_latency_us(self) -> int:
        """Quicker ones are not kept."""
        ...


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened ``at_us`` after the span began."""

    at_us: int
    text: str


@dataclass(frozen=True, slots=True)
class FinishedSpan:
    """One span; all numbers are whole.

    Attributes:
        trace_id: that of the trace which was brought; else, of 64 bits, equal for all that concerns one stream, and
            of others their own ``span_id``.
        side: ``S`` for what a peer asked of us, ``C`` for what we asked of one.
        method: what was done: ``rtmp.connect``, ``service.play``, ``upstream.pull`` and so on.
        subject: the stream, or "".
        log_id: number of the connection, 0 for none.
        began_us: wall clock.
        error: why it failed; "" when it did not.
        hops: services of ours through which it came or goes.
        parent_id: the span for whose sake it was, 0 for none that is known.
        is_sampled: whoever began the trace wants it recorded, or nobody did.
        trace_state: what came with the trace.
    """

    trace_id: int
    span_id: int
    side: str
    method: str
    subject: str
    peer: str
    log_id: int
    began_us: int
    latency_us: int
    request_bytes: int
    response_bytes: int
    error: str
    hops: tuple[str, ...]
    notes: tuple[Note, ...]
    parent_id: int = 0
    is_sampled: bool = True
    trace_state: str = ""


class Span:
    """One that has begun; ``end`` puts it into the ring."""

    __slots__ = (
        "_began_us",
        "_hops",
        "_log_id",
        "_method",
        "_notes",
        "_parent",
        "_peer",
        "_ring",
        "_side",
        "_span_id",
        "_subject",
    )

    def __init__(
        self,
        ring: SpanRing | None,
        side: str,
        method: str,
        subject: str,
        *,
        peer: str,
        log_id: int,
        hops: tuple[str, ...],
        began_us: int,
        parent: TraceContext | None = None,
    ) -> None:
        self._ring = ring
        self._side, self._method, self._subject = side, method, subject
        self._peer, self._log_id, self._hops = peer, log_id, hops
        self._began_us = began_us
        self._parent = parent
        self._span_id = ring.new_id() if ring is not None else 0
        self._notes: list[Note] = []

    @property
    def context(self) -> TraceContext | None:
        """What others are told who work for its sake; None where no spans are made."""
        if not self._span_id:
            return None
        parent = self._parent
        if parent is None:
            return TraceContext(self._trace_id, self._span_id)
        return TraceContext(parent.trace_id, self._span_id, parent.is_sampled, parent.state)

    @property
    def _trace_id(self) -> int:
        if self._parent is not None:
            return self._parent.trace_id
        return trace_of(self._subject[:MAX_TEXT]) if self._subject else self._span_id

    def note(self, text: str) -> None:
        """Something happened on the way."""
        if self._ring is not None and len(self._notes) < MAX_NOTES:
            self._notes.append(Note(self._ring.now_us() - self._began_us, text[:MAX_TEXT]))

    def end(self, error: str = "", *, request_bytes: int = 0, hops: tuple[str, ...] = ()) -> None:
        """It is over; what is said of it later is nothing. ``hops`` replace those that it began with."""
        ring, self._ring = self._ring, None
        if ring is None:
            return
        latency_us = ring.now_us() - self._began_us
        parent = self._parent
        ring.add(
            FinishedSpan(
                trace_id=self._trace_id,
                span_id=self._span_id,
                side=self._side,
                method=self._method,
                subject=self._subject[:MAX_TEXT],
                peer=self._peer[:MAX_TEXT],
                log_id=self._log_id,
                began_us=ring.wall_us() - latency_us,
                latency_us=latency_us,
                request_bytes=request_bytes,
                response_bytes=0,
                error=error[:MAX_TEXT],
                hops=hops or self._hops,
                notes=tuple(self._notes),
                parent_id=parent.span_id if parent is not None else 0,
                is_sampled=parent is None or parent.is_sampled,
                trace_state=parent.state if parent is not None else "",
            )
        )


#: For all that happens while spans are off: it takes every word, and keeps none.
NO_SPAN = Span(None, "", "", "", peer="", log_id=0, hops=(), began_us=0)


def trace_of(subject: str) -> int:
    """The number of all spans about a stream, 64 bits; equal on all nodes."""
    return int.from_bytes(blake2b(subject.encode("utf-8", "replace"), digest_size=8).digest(), "big")


class SpanRing:
    """The last spans of a process.

    Attributes:
        is_on: whether spans are held; may be set at any time.
        sink: is given every span that is over, whether or not it is held; None for nobody. Not to raise, nor to wait.
        skipped_count: those that came too fast to be kept.
        now_us, wall_us: monotonic clock, and wall clock.
    """

    def __init__(
        self, *, now_us: Callable[[], int], wall_us: Callable[[], int], entropy: Callable[[int], bytes]
    ) -> None:
        """Off, until ``configure`` says otherwise."""
        self.now_us, self.wall_us = now_us, wall_us
        self.is_on = False
        self.sink: Callable[[FinishedSpan], None] | None = None
        self.skipped_count = 0
        self._spans: deque[FinishedSpan] = deque(maxlen=0)
        self._entropy = entropy
        self._next_id = 0
        self._min_latency_us = 0
        self._keep_us = 0
        self._second = -1
        self._count_in_second = 0

    @property
    def are_made(self) -> bool:
        """Somebody wants spans."""
        return self.is_on or self.sink is not None

    def configure(self, config: SpanSettings) -> None:
        """Take new settings; of what is held, the newest stays."""
        self.is_on = config.enable_rpcz
        self._keep_us = config.rpcz_keep_span_seconds * 1_000_000
        self._min_latency_us = config.rpcz_save_span_min_latency_us
        self._spans = deque(self._spans, maxlen=config.rpcz_max_spans)

    def begin(
        self,
        side: str,
        method: str,
        subject: str,
        *,
        peer: str,
        log_id: int = 0,
        hops: tuple[str, ...] = (),
        parent: TraceContext | None = None,
    ) -> Span:
        """Begin a span, of the trace of ``parent`` where there is one; one that does nothing while they are off."""
        if not self.are_made:
            return NO_SPAN
        began_us = self.now_us()
        return Span(self, side, method, subject, peer=peer, log_id=log_id, hops=hops, began_us=began_us, parent=parent)

    def begun(self, side: str, method: str, age_ms: int, *, peer: str, log_id: int) -> Span:
        """The same for what began ``age_ms`` ago."""
        if not self.are_made:
            return NO_SPAN
        began_us = self.now_us() - age_ms * 1000
        return Span(self, side, method, "", peer=peer, log_id=log_id, hops=(), began_us=began_us)

    def add(self, span: FinishedSpan) -> None:
        """Hand on a span that is over, and keep it unless it was too quick to be of interest, or too many come."""
        if self.sink is not None:
            self.sink(span)
        if not self.is_on:
            return
        second = self.now_us() // 1_000_000
        if second != self._second:
            self._second, self._count_in_second = second, 0
        if span.latency_us < self._min_latency_us:
            return
        self._count_in_second += 1
        if self._count_in_second > MAX_PER_SECOND:
            self.skipped_count += 1
            return
        self._spans.append(span)

    def new_id(self) -> int:
        """64 bits, never 0, no two alike; others cannot guess where it began."""
        if not self._next_id:
            self._next_id = int.from_bytes(self._entropy(8), "big") >> 1
        self._next_id += 1
        return self._next_id

    def newest_first(self) -> Iterator[FinishedSpan]:
        """All that are held and not too old."""
        oldest_us = self.wall_us() - self._keep_us
        for span in reversed(self._spans):
            if span.began_us >= oldest_us:
                yield span

    def __len__(self) -> int:
        return len(self._spans)

    @property
    def max_spans(self) -> int:
        """Those that the ring has room for."""
        return self._spans.maxlen or 0
