"""Recovery after all were down."""

from __future__ import annotations

import random

import pytest

from lb.base import BalancerError, SelectRequest
from lb.recovery import RecoverPolicy, recover_policy
from tests.lb.contract import SERVERS


def request(up: int, now_ms: int) -> SelectRequest:
    return SelectRequest(unavailable=frozenset(SERVERS[up:]), now_ms=now_ms)


def test_everything_is_let_in_before_the_first_outage() -> None:
    policy = RecoverPolicy(3, 1, lambda limit: limit - 1)
    assert policy.may_select(SERVERS, request(0, 0)) and not policy.is_recovering


@pytest.mark.parametrize(("up", "share"), [(0, 0.0), (1, 0.25), (3, 0.75), (4, 1.0), (5, 1.0)])
def test_share_is_that_of_the_usable_servers(up: int, share: float) -> None:
    policy = RecoverPolicy(4, 10, random.Random(2).randrange)
    policy.begin(0)
    let_in = sum(policy.may_select(SERVERS, request(up, 20)) for _ in range(2000))
    assert abs(let_in / 2000 - share) < 0.05


def test_count_holds_for_10_ms() -> None:
    policy = RecoverPolicy(1, 10, lambda limit: 0)
    policy.begin(0)
    assert [policy.may_select(SERVERS, request(*each)) for each in ((0, 0), (5, 9), (5, 10))] == [False, False, True]


def test_ends_when_the_count_has_not_changed_for_the_hold_time() -> None:
    policy = RecoverPolicy(5, 1, lambda limit: 0)
    policy.begin(0)
    for up, now_ms, is_recovering in [(1, 100, True), (2, 900, True), (2, 1900, True), (2, 1901, False)]:
        assert policy.may_select(SERVERS, request(up, now_ms))
        assert policy.is_recovering is is_recovering


def test_nobody_usable_never_ends_it_and_a_second_outage_does_not_restart_the_clock() -> None:
    policy = RecoverPolicy(5, 1, lambda limit: 0)
    policy.begin(0)
    assert not policy.may_select(SERVERS, request(0, 99999)) and policy.is_recovering
    policy.may_select(SERVERS, request(1, 100009))
    policy.begin(100500)
    assert policy.may_select(SERVERS, request(1, 101010)) and not policy.is_recovering


def test_begins_when_all_are_known_to_be_down_though_some_may_be_asked() -> None:
    """Callers keep half of the servers at most from everybody."""
    policy = RecoverPolicy(4, 1, lambda limit: 0)
    most, all_down = frozenset(SERVERS[1:]), frozenset(SERVERS)
    assert policy.may_select(SERVERS, SelectRequest(down=most)) and not policy.is_recovering
    assert not policy.may_select(SERVERS, SelectRequest(unavailable=most, down=all_down, now_ms=5))
    assert policy.is_recovering
    assert policy.may_select(SERVERS, SelectRequest(down=most, now_ms=20))
    assert not policy.may_select(SERVERS, SelectRequest(down=all_down, now_ms=40))


def test_parameters() -> None:
    assert recover_policy({}, lambda limit: 0, "rr") is None
    assert recover_policy({"hold_seconds": "1", "min_working_instances": "2"}, lambda limit: 0, "rr") is not None
    with pytest.raises(BalancerError, match='unknown parameter "x" of load balancer "rr"'):
        recover_policy({"x": "1"}, lambda limit: 0, "rr")
    for values in ({"hold_seconds": "1"}, {"min_working_instances": "1"}):
        with pytest.raises(BalancerError, match="is not an integer above 0"):
            recover_policy(values, lambda limit: 0, "rr")
    for bad in ("0", "-1", "x", "", "²"):
        with pytest.raises(BalancerError, match="is not an integer above 0"):
            recover_policy({"hold_seconds": "1", "min_working_instances": bad}, lambda limit: 0, "rr")
