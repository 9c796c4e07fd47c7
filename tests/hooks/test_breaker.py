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


def test_one_address_cannot_have_a_server_left_alone_that_answers() -> None:
    breaker = Breaker()
    for host in ("192.0.2.1", "2001:db8::1", "2001:db8::2", "::x"):
        assert not any(breaker.failed(0, host) for _ in range(100)), host
    assert not breaker.failed(0, "192.0.2.2") and breaker.failed(0, "192.0.2.3"), "five who are not one"
    breaker.succeeded()
    assert not any(breaker.failed(0, "192.0.2.1") for _ in range(100))
    assert [breaker.failed(0) for _ in range(FAILURES - 1)][-1], "silence counts each time"


def test_one_address_cannot_keep_a_server_left_alone_that_answers_again() -> None:
    breaker = opened(0)
    assert breaker.is_probe_due(1000, "192.0.2.1")
    breaker.failed(1010, "192.0.2.1")
    assert not any(breaker.is_probe_due(now_ms, "192.0.2.1") for now_ms in range(1010, 5000, 10))
    assert breaker.is_probe_due(4000, "192.0.2.2"), "the next one is for who has another question"
    breaker.failed(4010, "192.0.2.2")
    assert not any(breaker.is_probe_due(now_ms, "192.0.2.1") for now_ms in range(4010, 12_000, 10))
    assert breaker.is_probe_due(12_000, "192.0.2.1"), "nobody else has asked for as long again"
    breaker.succeeded()
    assert [breaker.failed(30_000) for _ in range(FAILURES)][-1]
    assert breaker.is_probe_due(31_000, "192.0.2.1"), "all begins anew"
