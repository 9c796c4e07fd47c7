"""The automatic flush interval: arithmetic on counts and costs."""

from __future__ import annotations

import pytest

from edge.net.fan.interval import CALLS_PER_S, CALM_MS, MAX_MS, MERGE_MS, FlushInterval


def run(flush: FlushInterval, seconds: float, players: int, *, fps: float = 50.0, begin_ms: int = 1000) -> int:
    """Let ``players`` be flushed for some seconds at 5 us a call; returns the time after."""
    now_ms = begin_ms
    for _ in range(int(seconds * 4)):
        now_ms += 250
        flush.demand(int(players * fps / 4))
        # One in six turns of a small audience finds nothing.
        turns = (0.83 if flush.is_brief else 1) * 1000 / max(flush.interval_ms, 1)
        per_s = fps if flush.interval_ms == 0 else min(fps, turns)
        calls = int(players * per_s / 4)
        flush.sent(calls)
        for _ in range(round(turns / 4) if flush.is_brief else 0):
            flush.has_read()
        flush.spent(calls, calls * 1000, calls * 5200)
        flush.adapt(now_ms)
    return now_ms


def test_fixed_interval_stays() -> None:
    for fixed_ms in (0, 50, 350):
        flush = FlushInterval(fixed_ms, 15)
        run(flush, 5, 100_000)
        assert flush.interval_ms == fixed_ms


def test_few_players_are_flushed_at_once() -> None:
    flush = FlushInterval(-1, 20)
    run(flush, 10, 15)
    assert flush.interval_ms == 0
    assert not flush.is_brief


@pytest.mark.parametrize("players", [50, 150, 300])
def test_small_audiences_get_merged_messages_and_no_more_delay(players: int) -> None:
    flush = FlushInterval(-1, 20)
    run(flush, 60, players, fps=68)
    assert flush.interval_ms == MERGE_MS
    assert flush.is_brief


def test_cost_of_a_call_is_measured_without_its_bytes() -> None:
    flush = FlushInterval(-1, 20)
    run(flush, 20, 100)
    assert flush.call_us == pytest.approx(5.0, abs=0.1)
    for now_ms in range(30_000, 60_000, 250):
        flush.spent(10, 10 * 6000, 10 * (9000 + 1200))
        flush.adapt(now_ms)
    assert flush.call_us == pytest.approx(9.0, abs=0.1)


@pytest.mark.parametrize("players", [600, 1000, 1800, 2500, 4000, 8000])
def test_interval_settles_where_calls_are_few_enough(players: int) -> None:
    flush = FlushInterval(-1, 20)
    run(flush, 60, players)
    calls_per_s = players * 1000 / flush.interval_ms
    assert MERGE_MS <= flush.interval_ms <= MAX_MS
    if flush.interval_ms < CALM_MS:
        assert calls_per_s == pytest.approx(CALLS_PER_S, rel=0.3)
    elif MAX_MS > flush.interval_ms > CALM_MS + 5:
        assert calls_per_s * 5e-6 == pytest.approx(0.20, rel=0.3)


@pytest.mark.parametrize(("players", "spare_ms"), [(50, 2), (150, 1), (280, 0)])
def test_reading_waits_for_what_sending_leaves_of_the_delay(players: int, spare_ms: int) -> None:
    flush = FlushInterval(-1, 20)
    run(flush, 60, players, fps=68)
    assert flush.read_ms == MERGE_MS + spare_ms


def test_calls_of_players_in_turns_do_not_count_as_those_of_one_reading() -> None:
    flush = FlushInterval(-1, 20)
    run(flush, 60, 50, fps=68)
    spare_ms = flush.read_ms - MERGE_MS
    for now_ms in range(100_000, 110_000, 250):
        flush.interval_ms, flush._raw_ms = CALM_MS, float(CALM_MS)
        flush.demand(10_000)
        flush.sent(4000)
        flush.adapt(now_ms)
    assert flush.read_ms - MERGE_MS == spare_ms


def test_slow_machine_merges_more_as_its_share_demands() -> None:
    fast, slow = FlushInterval(-1, 20), FlushInterval(-1, 3)
    for flush in (fast, slow):
        run(flush, 60, 1000)
    assert MERGE_MS < fast.interval_ms <= CALM_MS < slow.interval_ms
    assert 1000 * 1000 / slow.interval_ms * 5e-6 == pytest.approx(0.03, rel=0.5)


def test_fixed_interval_of_that_length_is_no_merging() -> None:
    assert not FlushInterval(MERGE_MS, 15).is_brief


def test_interval_never_passes_its_bounds() -> None:
    flush = FlushInterval(-1, 20)
    run(flush, 120, 1_000_000)
    assert flush.interval_ms == MAX_MS


def test_interval_changes_by_a_quarter_a_second_at_most() -> None:
    flush = FlushInterval(-1, 20)
    now_ms, last = 1000, 0
    for _ in range(60):
        now_ms = run(flush, 1, 100_000, begin_ms=now_ms)
        assert flush.interval_ms <= max(last * 1.3 + 10, 20)
        last = flush.interval_ms


def test_load_that_has_gone_brings_immediate_sending_back() -> None:
    flush = FlushInterval(-1, 20)
    now_ms = run(flush, 60, 10_000)
    assert flush.interval_ms > 0
    run(flush, 60, 10, begin_ms=now_ms)
    assert flush.interval_ms == 0


def test_calls_too_close_together_change_nothing() -> None:
    flush = FlushInterval(-1, 20)
    flush.adapt(1000)
    flush.demand(10**9)
    flush.adapt(1100)
    assert flush.interval_ms == 0


def test_another_interval_is_kept_from_then_on_and_choosing_begins_anew() -> None:
    flush = FlushInterval(-1, 20)
    run(flush, 10, 2000)
    assert flush.interval_ms > 0
    chosen = flush.interval_ms
    flush.reconfigure(-1, 30)
    assert flush.interval_ms == chosen, "only the share has changed"
    flush.reconfigure(40, 30)
    assert (flush.interval_ms, flush.is_brief) == (40, False)
    run(flush, 10, 2000, begin_ms=20_000)
    assert flush.interval_ms == 40
    flush.reconfigure(-1, 30)
    assert flush.interval_ms == 0


def test_one_small_flush_in_32_is_measured() -> None:
    flush = FlushInterval(-1, 20)
    assert sum(flush.is_sample_due() for _ in range(320)) == 10


@pytest.mark.parametrize("players", [1000, 1800, 2500, 6000])
def test_a_crowd_that_comes_at_once_is_not_made_to_wait_longer_than_it_needs(players: int) -> None:
    flush, highest = FlushInterval(-1, 20), 0
    now_ms = 1000
    for _ in range(120):
        now_ms = run(flush, 0.5, players, begin_ms=now_ms)
        highest = max(highest, flush.interval_ms)
    assert highest <= 1.1 * flush.interval_ms
