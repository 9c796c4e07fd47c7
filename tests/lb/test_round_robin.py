"""``rr``: a walk with a fixed stride."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb import registry
from lb.base import BalancerError, SelectRequest
from lb.round_robin import RoundRobin, strides
from naming.node import ServerNode
from tests.lb.contract import SERVERS, BalancerContract


class TestContract(BalancerContract):
    spec = "rr"


class TestContractWithRecovery(BalancerContract):
    spec = "rr:min_working_instances=2 hold_seconds=10"


def walk(count: int, picks: int, first_draw: int, second_draw: int) -> list[int]:
    draws = iter([first_draw, second_draw])
    balancer = RoundRobin({}, lambda limit: next(draws) % limit)
    servers = [ServerNode("10.0.0.1", port) for port in range(1, count + 1)]
    chosen = [balancer.select(servers, SelectRequest()) for _ in range(picks)]
    return [server.port for server in chosen if server is not None]


def test_strides_are_the_444_primes_of_the_reference() -> None:
    assert len(strides()) == 444
    assert (strides()[0], strides()[-1]) == (36809, 41579)


def test_vector_of_one_walk() -> None:
    # stride 36809 = 4 mod 5, start 2: 2+4=1, 0, 4, 3, 2 and so on
    assert walk(5, 7, 0, 2) == [2, 1, 5, 4, 3, 2, 1]


@given(count=st.integers(1, 60), first_draw=st.integers(0, 443), second_draw=st.integers(0, 10**6))
def test_each_round_visits_every_server_once(count: int, first_draw: int, second_draw: int) -> None:
    ports = walk(count, 3 * count, first_draw, second_draw)
    for start in (0, count, 2 * count):
        assert sorted(ports[start : start + count]) == list(range(1, count + 1))


def test_last_of_the_walk_is_taken_although_tried() -> None:
    balancer = RoundRobin({}, lambda limit: 0)
    assert balancer.select(SERVERS, SelectRequest(excluded=frozenset(SERVERS))) == SERVERS[0]


def test_other_parameters_are_refused() -> None:
    with pytest.raises(BalancerError, match='unknown parameter "choices" of load balancer "rr"'):
        registry.create("rr:choices=2")


def test_recovery_lets_in_what_the_usable_servers_carry() -> None:
    balancer = registry.create("rr:min_working_instances=5 hold_seconds=1", entropy=random.Random(1).randrange)
    assert balancer.select(SERVERS, SelectRequest(unavailable=frozenset(SERVERS))) is None
    down = frozenset(SERVERS[1:])
    chosen = [balancer.select(SERVERS, SelectRequest(unavailable=down, now_ms=20)) for _ in range(500)]
    assert set(chosen) == {None, SERVERS[0]} and 60 < chosen.count(SERVERS[0]) < 140
    after = [balancer.select(SERVERS, SelectRequest(unavailable=down, now_ms=1021)) for _ in range(50)]
    assert after == [SERVERS[0]] * 50


@pytest.mark.parametrize("name", ["rr", "random"])
def test_recovery_lets_nobody_in_to_servers_that_are_known_to_be_down(name: str) -> None:
    balancer = registry.create(f"{name}:min_working_instances=1 hold_seconds=1", entropy=random.Random(1).randrange)
    half, most = frozenset(SERVERS[:2]), frozenset(SERVERS[1:])
    assert balancer.select(SERVERS, SelectRequest(unavailable=half, down=frozenset(SERVERS))) is None
    chosen = [balancer.select(SERVERS, SelectRequest(down=most, now_ms=20)) for _ in range(50)]
    assert chosen == [SERVERS[0]] * 50
