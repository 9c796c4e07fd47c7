"""``/rpcz``: what took how long lately, newest first; off until ``-enable_rpcz`` or ``/rpcz/enable``.

What a span is: ``edge.service.spans``. The times in ``?time=`` are local, as all that brpc shows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from edge.builtin.page import Page, PageContext, Visit, register
from edge.builtin.present import cell
from edge.builtin.query import BadQueryError, arguments, whole_number
from edge.net.aio import wall_us
from edge.service.spans import FinishedSpan, SpanRing

DEFAULT_SCAN, MAX_SCAN = 100, 10_000
ENABLE, DISABLE, STATS = "enable", "disable", "stats"
OFF_TEXT = "rpcz is off: /rpcz/enable switches it on, -enable_rpcz from the start"
_DATE = "%Y/%m/%d-%H:%M:%S"
_MOST = 10**18
#: More than the 32 of a trace that was brought, so that a number too long is none that is held.
_MAX_DIGITS = 33

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NoteRow:
    """A step on the way, and when, in microseconds from the beginning."""

    at_us: int
    text: str


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A span, its ids in hexadecimal; see ``edge.service.spans.FinishedSpan``."""

    began: str
    latency_us: int
    side: str
    trace: str
    span: str
    log_id: int
    method: str
    request_bytes: int
    response_bytes: int
    error: str
    subject: str
    peer: str
    hops: tuple[str, ...]
    notes: tuple[NoteRow, ...]


@dataclass(frozen=True, slots=True)
class RpczData:
    """The spans that were asked for.

    Attributes:
        is_detailed: one trace is asked for, so that the notes are shown.
        held_count, max_spans, skipped_count: of the ring.
    """

    is_on: bool
    error: str = ""
    status: int = 200
    is_detailed: bool = False
    is_stats: bool = False
    held_count: int = 0
    max_spans: int = 0
    skipped_count: int = 0
    spans: tuple[SpanRow, ...] = ()


def changes(visit: Visit) -> bool:
    """To switch it on or off is more than to look."""
    return visit.path in (ENABLE, DISABLE)


async def collect(context: PageContext, visit: Visit) -> RpczData:
    """Read the ring, or switch it on or off first."""
    ring = context.debugging().spans
    if visit.path in (ENABLE, DISABLE):
        _log.info("rpcz %sd peer=%s", visit.path, visit.peer)
        ring.is_on = visit.path == ENABLE
    elif visit.path not in ("", STATS):
        return RpczData(ring.is_on, error="no such page of /rpcz", status=404)
    asked = arguments(visit)
    try:
        spans = () if visit.path == STATS else tuple(_row(span) for span in _matching(ring, asked))
    except BadQueryError as error:
        return RpczData(ring.is_on, error=error.detail, status=400)
    return RpczData(
        ring.is_on,
        is_detailed="trace" in asked,
        is_stats=visit.path == STATS,
        held_count=len(ring),
        max_spans=ring.max_spans,
        skipped_count=ring.skipped_count,
        spans=spans,
    )


def _matching(ring: SpanRing, asked: dict[str, str]) -> list[FinishedSpan]:
    """The newest ``max_scan`` before ``time``, then of these what the filters let through."""
    before_us = parse_time(asked["time"], wall_us()) if "time" in asked else _MOST
    max_scan = whole_number(asked, "max_scan", default=DEFAULT_SCAN, least=1, most=MAX_SCAN)
    tests = list(_filters(asked))
    found = []
    if "trace" in asked:
        max_scan = MAX_SCAN  # all that is held of it
    for span in ring.newest_first():
        if span.began_us >= before_us:
            continue
        if max_scan == 0:
            break
        max_scan -= 1
        if all(test(span) for test in tests):
            found.append(span)
    return found


def _filters(asked: dict[str, str]) -> Iterator[Callable[[FinishedSpan], bool]]:
    if "trace" in asked:
        trace = _hexadecimal(asked, "trace")
        yield lambda span: span.trace_id == trace
    if "span" in asked:
        span_id = _hexadecimal(asked, "span")
        yield lambda span: span.span_id == span_id
    if "min_latency" in asked:
        latency = _number(asked, "min_latency")
        yield lambda span: span.latency_us >= latency
    if "min_request_size" in asked:
        request_size = _number(asked, "min_request_size")
        yield lambda span: span.request_bytes >= request_size
    if "min_response_size" in asked:
        response_size = _number(asked, "min_response_size")
        yield lambda span: span.response_bytes >= response_size
    if "log_id" in asked:
        log_id = _number(asked, "log_id")
        yield lambda span: span.log_id == log_id
    if "error_code" in asked:
        yield _error_filter(asked["error_code"])


def _error_filter(code: str) -> Callable[[FinishedSpan], bool]:
    """``0`` for what went well, another number for all that did not; a word for what failed for that reason."""
    if code.isascii() and code.isdigit():
        is_error = bool(code.strip("0"))
        return lambda span: bool(span.error) is is_error
    return lambda span: span.error.partition(":")[0] == code


def _number(asked: dict[str, str], name: str) -> int:
    return whole_number(asked, name, default=0, least=0, most=_MOST)


def _hexadecimal(asked: dict[str, str], name: str) -> int:
    try:
        return int(asked[name][:_MAX_DIGITS], 16)
    except ValueError:
        raise BadQueryError(f"{name} must be hexadecimal") from None


def parse_time(text: str, now_us: int) -> int:
    """Microseconds since 1970 of ``YYYY/MM/DD-HH:MM:SS[.us]``, or of ``HH:MM:SS`` of today.

    Raises ``BadQueryError``.
    """
    whole, _, fraction = text.partition(".")
    if "/" not in whole:
        whole = f"{datetime.fromtimestamp(now_us / 1e6):%Y/%m/%d}-{whole}"
    try:
        moment = datetime.strptime(whole, _DATE)
        micros = int(fraction.ljust(6, "0")[:6]) if fraction else 0
        return int(moment.timestamp()) * 1_000_000 + micros
    except (ValueError, OverflowError, OSError):
        raise BadQueryError("time must be YYYY/MM/DD-HH:MM:SS[.us] or HH:MM:SS") from None


def shown_time(at_us: int) -> str:
    """``YYYY/MM/DD-HH:MM:SS.uuuuuu``, local."""
    return f"{datetime.fromtimestamp(at_us // 1_000_000):{_DATE}}.{at_us % 1_000_000:06d}"


def _row(span: FinishedSpan) -> SpanRow:
    return SpanRow(
        began=shown_time(span.began_us),
        latency_us=span.latency_us,
        side=span.side,
        trace=f"{span.trace_id:x}",
        span=f"{span.span_id:x}",
        log_id=span.log_id,
        method=span.method,
        request_bytes=span.request_bytes,
        response_bytes=span.response_bytes,
        error=span.error,
        subject=span.subject,
        peer=span.peer,
        hops=span.hops,
        notes=tuple(NoteRow(note.at_us, note.text) for note in span.notes),
    )


def elapsed(latency_us: int) -> str:
    """Seconds as brpc aligns them, without a leading 0."""
    seconds, micros = divmod(latency_us, 1_000_000)
    return f"{seconds or '':>5}.{micros:06d}"


def line(row: SpanRow) -> str:
    """One span as brpc writes it, then what it is about."""
    size = f"({row.request_bytes})={row.response_bytes}"
    ids = f"trace={row.trace} span={row.span} log_id={row.log_id}"
    hops = f" hops={','.join(row.hops)}" if row.hops else ""
    about = f"{row.subject or '-'} {row.peer or '-'}{hops}"
    return cell(
        f"{row.began} {elapsed(row.latency_us)} {row.side} {ids} {row.method}{size} [{row.error or 'OK'}] {about}"
    )


def text(data: RpczData) -> str:
    """A line per span, below it its steps where one trace is asked for."""
    if data.error:
        return f"{data.error}\n"
    head = "" if data.is_on else f"{OFF_TEXT}\n"
    if data.is_stats:
        return (
            f"{head}held_count: {data.held_count}\nmax_spans: {data.max_spans}\nskipped_count: {data.skipped_count}\n"
        )
    if not data.spans:
        return head or "Fail to find matched spans\n"
    parts = [head]
    for row in data.spans:
        parts.append(f"{line(row)}\n")
        if data.is_detailed:
            parts += [f"{' ' * 26} {elapsed(note.at_us)} ... {cell(note.text)}\n" for note in row.notes]
    return "".join(parts)


RPCZ = register(
    Page(
        "/rpcz",
        "rpcz",
        collect,
        text,
        template="rpcz.html",
        status=lambda data: data.status,
        has_paths=True,
        about="what took how long lately: connects, plays, publishes, pulls, pushes",
        changes=changes,
    )
)
