from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from edge.service.spans import (
    CLIENT,
    MAX_NOTES,
    MAX_PER_SECOND,
    MAX_TEXT,
    NO_SPAN,
    SERVER,
    FinishedSpan,
    SpanRing,
    trace_of,
)
from edge.service.trace_context import TraceContext


@dataclass(frozen=True)
class Settings:
    enable_rpcz: bool = True
    rpcz_max_spans: int = 3
    rpcz_keep_span_seconds: int = 60
    rpcz_save_span_min_latency_us: int = 0


class Clocks:
    """Both stand still until they are moved."""

    def __init__(self) -> None:
        self.us = 5_000_000

    def ring(self, settings: Settings | None = None) -> SpanRing:
        ring = SpanRing(
            now_us=lambda: self.us,
            wall_us=lambda: 1_700_000_000_000_000 + self.us,
            entropy=lambda count: b"\x7f" * count,
        )
        if settings is not None:
            ring.configure(settings)
        return ring


def made(clocks: Clocks, ring: SpanRing, subject: str = "_/live/a", took_us: int = 40, error: str = "") -> None:
    span = ring.begin(SERVER, "service.play", subject, peer="10.0.0.9:5", log_id=7, hops=("x",))
    clocks.us += took_us
    span.end(error)


def test_span_with_its_steps() -> None:
    clocks = Clocks()
    ring = clocks.ring(Settings())
    span = ring.begin(CLIENT, "upstream.pull", "_/live/a", peer="10.0.0.1:1935", hops=("x",))
    clocks.us += 10
    span.note("accepted")
    clocks.us += 30
    span.end(hops=("y", "z"), request_bytes=9)
    span.end("twice")
    span.note("too late")
    (found,) = ring.newest_first()
    assert (found.latency_us, found.began_us, found.hops) == (40, 1_700_000_005_000_000, ("y", "z"))
    assert [(note.at_us, note.text) for note in found.notes] == [(10, "accepted")]
    assert (found.side, found.method, found.error, found.request_bytes) == ("C", "upstream.pull", "", 9)


def test_spans_about_one_stream_bear_one_trace_and_others_their_own() -> None:
    clocks = Clocks()
    ring, other = clocks.ring(Settings()), clocks.ring(Settings())
    made(clocks, ring)
    made(clocks, other)
    made(clocks, ring, "")
    made(clocks, ring, "_/live/b")
    second, none, first = ring.newest_first()
    assert first.trace_id == next(other.newest_first()).trace_id == trace_of("_/live/a") != second.trace_id
    assert none.trace_id == none.span_id
    assert len({first.span_id, none.span_id, second.span_id, 0}) == 4


def test_while_it_is_off_nothing_is_made_or_kept() -> None:
    clocks = Clocks()
    for ring in (clocks.ring(), clocks.ring(Settings(enable_rpcz=False))):
        assert ring.begin(SERVER, "m", "s", peer="p") is NO_SPAN
        assert ring.begun(SERVER, "m", 5, peer="p", log_id=1) is NO_SPAN
        NO_SPAN.note("x")
        NO_SPAN.end("x")
        made(clocks, ring)
        assert len(ring) == 0
    assert NO_SPAN._notes == []


def test_span_of_what_began_before() -> None:
    clocks = Clocks()
    ring = clocks.ring(Settings())
    ring.begun(SERVER, "rtmp.connect", 3, peer="p", log_id=1).end()
    (found,) = ring.newest_first()
    assert (found.latency_us, found.began_us) == (3000, 1_700_000_000_000_000 + clocks.us - 3000)


def test_ring_and_age_are_bounded() -> None:
    clocks = Clocks()
    ring = clocks.ring(Settings())
    for number in range(5):
        made(clocks, ring, f"s{number}")
    assert [span.subject for span in ring.newest_first()] == ["s4", "s3", "s2"]
    assert (len(ring), ring.max_spans) == (3, 3)
    clocks.us += 60_000_000
    assert list(ring.newest_first()) == []
    ring.configure(Settings(rpcz_max_spans=1, rpcz_keep_span_seconds=600))
    assert [span.subject for span in ring.newest_first()] == ["s4"]


def test_too_quick_and_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = Clocks()
    ring = clocks.ring(Settings(rpcz_save_span_min_latency_us=100, rpcz_max_spans=5000))
    made(clocks, ring, took_us=99)
    made(clocks, ring, took_us=100)
    assert len(ring) == 1
    ring.configure(Settings(rpcz_max_spans=5000))
    clocks.us = 9_000_000
    for _ in range(MAX_PER_SECOND + 7):
        made(clocks, ring, took_us=0)
    assert (len(ring), ring.skipped_count) == (1 + MAX_PER_SECOND, 7)
    clocks.us += 1_000_000
    made(clocks, ring)
    assert len(ring) == 2 + MAX_PER_SECOND


def test_texts_and_notes_are_bounded() -> None:
    clocks = Clocks()
    ring = clocks.ring(Settings())
    span = ring.begin(SERVER, "m", "s" * 9999, peer="p" * 9999)
    for _ in range(99):
        span.note("n" * 9999)
    span.end("e" * 9999)
    (found,) = ring.newest_first()
    assert {len(found.subject), len(found.peer), len(found.error), len(found.notes[0].text)} == {MAX_TEXT}
    assert len(found.notes) == MAX_NOTES
    assert isinstance(replace(found, error=""), FinishedSpan)


BROUGHT = TraceContext(0xABC << 100, 7, state="v=1")


def test_span_of_a_trace_that_was_brought() -> None:
    clocks = Clocks()
    ring = clocks.ring(Settings())
    play = ring.begin(SERVER, "service.play", "_/live/a", peer="", parent=BROUGHT)
    pull = ring.begin(CLIENT, "upstream.pull", "_/live/a", peer="", parent=play.context)
    pull.end()
    play.end()
    above, below = ring.newest_first()
    assert (above.trace_id, above.parent_id, above.trace_state) == (BROUGHT.trace_id, BROUGHT.span_id, "v=1")
    assert (below.trace_id, below.parent_id, below.trace_state) == (BROUGHT.trace_id, above.span_id, "v=1")
    assert above.span_id != below.span_id and above.is_sampled


def test_trace_that_is_not_to_be_recorded_stays_so() -> None:
    ring = Clocks().ring(Settings())
    span = ring.begin(SERVER, "service.play", "_/live/a", peer="", parent=TraceContext(1, 2, is_sampled=False))
    assert span.context is not None and not span.context.is_sampled
    span.end()
    assert [found.is_sampled for found in ring.newest_first()] == [False]


def test_without_one_the_trace_is_that_of_the_stream_for_those_who_come_after_as_well() -> None:
    ring = Clocks().ring(Settings())
    span = ring.begin(SERVER, "service.play", "_/live/a", peer="")
    context = span.context
    assert context is not None and context.trace_id == trace_of("_/live/a")
    span.end()
    (found,) = ring.newest_first()
    assert (found.trace_id, found.span_id, found.parent_id) == (context.trace_id, context.span_id, 0)
    assert NO_SPAN.context is None


def test_somebody_else_is_given_what_the_ring_leaves_out() -> None:
    clocks = Clocks()
    ring, taken = clocks.ring(), []
    ring.sink = taken.append
    assert ring.are_made and not ring.is_on
    made(clocks, ring)
    assert (len(taken), len(ring)) == (1, 0)
    ring.configure(Settings(rpcz_save_span_min_latency_us=1000))
    made(clocks, ring, took_us=999)
    assert (len(taken), len(ring)) == (2, 0)
    made(clocks, ring, took_us=1000)
    assert (len(taken), len(ring)) == (3, 1)
