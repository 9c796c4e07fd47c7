"""Guessing is bounded by address, and so is what is kept of it."""

from __future__ import annotations

import pytest

from edge.access import guessing
from edge.access.guessing import Guessing


class Clock:
    def __init__(self) -> None:
        self.now_ms = 1000

    def made(self, limit: int = 30, exempt: tuple[str, ...] = ()) -> Guessing:
        return Guessing(limit, lambda: self.now_ms, lambda host: host in exempt)


def test_AU21_after_thirty_nothing_is_looked_at_for_a_minute() -> None:
    clock = Clock()
    found = clock.made()
    for _ in range(29):
        found.failed("192.0.2.1")
    assert not found.wait_s("192.0.2.1")
    found.failed("192.0.2.1")
    assert found.wait_s("192.0.2.1") == 60 and not found.wait_s("192.0.2.2")
    clock.now_ms += 59_500
    assert found.wait_s("192.0.2.1") == 1
    clock.now_ms += 500
    assert not found.wait_s("192.0.2.1") and found.blocked_count == 1


def test_a_balancer_that_is_made_trusted_while_it_is_shut_out_is_let_in_at_once() -> None:
    """All its clients are behind it; so is one that has a guesser for a neighbour in its /64."""
    clock, proxies = Clock(), set[str]()
    found = Guessing(1, lambda: clock.now_ms, proxies.__contains__)
    for host in ("192.0.2.1", "2001:db8::1"):
        found.failed(host)
    assert found.wait_s("192.0.2.1") and found.wait_s("2001:db8::2")
    proxies.update(("192.0.2.1", "2001:db8::2"))
    assert not found.wait_s("192.0.2.1") and not found.wait_s("2001:db8::2")
    assert found.wait_s("2001:db8::1") == 60


def test_slow_mistakes_are_no_guessing() -> None:
    clock = Clock()
    found = clock.made()
    for _ in range(200):
        found.failed("192.0.2.1")
        clock.now_ms += 2500
    assert not found.blocked_count


def test_client_with_a_network_of_its_own_has_one_budget() -> None:
    found = Clock().made()
    for number in range(30):
        found.failed(f"2001:db8::{number + 1}")
    assert found.wait_s("2001:db8::ffff") and not found.wait_s("2001:db8:0:1::1")


def test_AU21_each_address_has_its_own_and_the_table_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guessing, "MAX_ADDRESSES", 100)
    found = Clock().made()
    for number in range(1000):
        found.failed(f"10.0.{number // 250}.{number % 250}")
    assert len(found) == 100 and not found.blocked_count


def test_proxies_are_exempt_and_zero_is_no_limit() -> None:
    for found in (Clock().made(exempt=("192.0.2.1",)), Clock().made(0)):
        for _ in range(1000):
            found.failed("192.0.2.1")
        assert not found.wait_s("192.0.2.1") and not len(found)
