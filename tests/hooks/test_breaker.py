"""A server that does not answer is left alone, and tried now and then."""

from __future__ import annotations

from edge.hooks.breaker import FAILURES, Breaker


def opened(at_ms: int) -> Breaker:
    breaker = Breaker()
    assert [breaker.failed(at_ms) for _ in range(FAILURES)] == [False] * (FAILURES - 1) + [True]
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker()
    for _ in range(3):
        assert not any(breaker.failed(0) for _ in range(FAILURES - 1))
        breaker.succeeded()
    assert not breaker.is_open
    assert not breaker.is_probe_due(0)


def test_probes_become_rarer_up_to_one_in_ten_seconds() -> None:
    breaker, probes = opened(1000), []
    for now_ms in range(1000, 61_000, 100):
        if breaker.is_probe_due(now_ms):
            probes.append(now_ms)
            breaker.failed(now_ms)
    assert probes == [2000, 4000, 8000, 16_000, 26_000, 36_000, 46_000, 56_000]


def test_an_answer_closes_it_and_all_begins_anew() -> None:
    breaker = opened(0)
    assert breaker.is_probe_due(1000)
    breaker.succeeded()
    assert not breaker.is_open
    assert [breaker.failed(5000) for _ in range(FAILURES)][-1]
    assert not breaker.is_probe_due(5999)
    assert breaker.is_probe_due(6000)
