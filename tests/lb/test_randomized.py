"""``random`` and ``wr``: drawing servers."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from lb import registry
from lb.base import BalancerError, SelectRequest
from naming.node import ServerNode
from tests.lb.contract import SERVERS, BalancerContract

WEIGHTED = tuple(ServerNode("10.0.0.1", port, tag) for port, tag in ((1, "1"), (2, "2"), (3, "7"), (4, "none")))


class TestRandom(BalancerContract):
    spec = "random"


class TestWeightedRandom(BalancerContract):
    spec = "wr"


def shares(spec: str, servers: tuple[ServerNode, ...], request: SelectRequest, picks: int = 10000) -> dict[int, float]:
    balancer = registry.create(spec, entropy=random.Random(3).randrange)
    chosen = Counter(balancer.select(servers, request) for _ in range(picks))
    return {server.port: count / picks for server, count in chosen.items() if server is not None}


def test_random_shares_are_equal() -> None:
    found = shares("random", SERVERS, SelectRequest())
    assert len(found) == 5 and all(abs(share - 0.2) < 0.03 for share in found.values())


def test_random_spreads_what_a_down_server_had() -> None:
    found = shares("random", SERVERS, SelectRequest(unavailable=frozenset(SERVERS[:1])))
    assert len(found) == 4 and all(abs(share - 0.25) < 0.03 for share in found.values())


def test_random_first_try_is_a_uniform_offset() -> None:
    draws = iter([0, 3])
    balancer = registry.create("random", entropy=lambda limit: next(draws))
    assert balancer.select(SERVERS, SelectRequest()) == SERVERS[3]


def test_random_recovers_as_rr_does() -> None:
    balancer = registry.create("random:min_working_instances=9 hold_seconds=1", entropy=lambda limit: limit - 1)
    assert balancer.select(SERVERS, SelectRequest()) is not None
    assert balancer.select(SERVERS, SelectRequest(unavailable=frozenset(SERVERS))) is None
    assert balancer.select(SERVERS, SelectRequest(now_ms=20)) is None
    assert balancer.select(SERVERS, SelectRequest(now_ms=1021)) is not None
    with pytest.raises(BalancerError, match='of load balancer "random"'):
        registry.create("random:replicas=1")


def test_wr_shares_are_those_of_the_weights() -> None:
    found = shares("wr", WEIGHTED, SelectRequest())
    assert found.keys() == {1, 2, 3}
    assert all(abs(found[port] - share) < 0.03 for port, share in ((1, 0.1), (2, 0.2), (3, 0.7)))


def test_wr_shares_of_those_that_may_be_chosen() -> None:
    found = shares("wr", WEIGHTED, SelectRequest(0, frozenset(WEIGHTED[:1]), frozenset(WEIGHTED[1:2])))
    assert found == {3: 1.0}


def test_wr_picks_the_first_whose_prefix_sum_is_greater() -> None:
    for draw, port in [(0, 1), (1, 2), (2, 2), (3, 3), (9, 3)]:
        chosen = registry.create("wr", entropy=lambda limit, draw=draw: draw).select(WEIGHTED, SelectRequest())
        assert chosen is not None and chosen.port == port


def test_wr_without_weights_has_nobody_unless_a_default_is_given() -> None:
    plain = WEIGHTED[3:]
    assert registry.create("wr").select(plain, SelectRequest()) is None
    assert registry.create("wr:default_weight=1 other=x").select(plain, SelectRequest()) == plain[0]
    with pytest.raises(BalancerError, match="default_weight"):
        registry.create("wr:default_weight=x")
