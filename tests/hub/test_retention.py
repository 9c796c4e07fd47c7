"""For how long a stream is kept as for a node."""

from __future__ import annotations

import pytest

from edge.hub.retention import RETURN_MS, Retention


def after(retention: Retention, ms: int, retain_ms: int = 10_000, *, step_ms: int = 1000) -> bool:
    for now_ms in range(5000, 5000 + ms + 1, step_ms):
        retention.tick(now_ms, retain_ms)
    return retention.is_full


def test_nobody_needs_it_before_a_node_has_come() -> None:
    retention = Retention()
    assert not retention.is_full and not after(retention, 100_000)


def test_it_is_kept_while_there_is_a_node_and_at_once() -> None:
    retention = Retention()
    retention.claim()
    assert retention.is_full and after(retention, 1_000_000)


@pytest.mark.parametrize(("retain_ms", "kept_ms"), [(10_000, RETURN_MS), (0, RETURN_MS), (90_000, 90_000)], ids=str)
def test_it_is_kept_for_a_node_that_may_come_back(retain_ms: int, kept_ms: int) -> None:
    retention = Retention()
    retention.claim()
    retention.release()
    assert retention.is_full, "also one that came and left between two ticks"
    assert after(retention, kept_ms - 1000, retain_ms)
    assert not after(retention, kept_ms, retain_ms)


def test_node_that_comes_back_or_another_one_begins_the_time_anew() -> None:
    retention = Retention()
    for _ in range(3):
        retention.claim()
        retention.release()
        assert after(retention, RETURN_MS - 1000)
    retention.claim()
    retention.claim()
    retention.release()
    assert after(retention, 10 * RETURN_MS), "one of two is still there"
