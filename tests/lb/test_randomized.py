"""``random`` and ``wr``: drawing servers."""

from __future__ import annotations

import random
from collections import Counter
from types import SimpleNamespace

import pytest

from lb import registry
from lb.base import BalancerError, SelectRequest
from lb.randomized import PARTS, EvenDraws, WeightedRandom
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
    balancer = WeightedRandom({}, random.randrange)
    for draw, port in [(0, 1), (1, 2), (2, 2), (3, 3), (9, 3)]:
        balancer._draws = SimpleNamespace(draw=lambda limit, draw=draw: draw)  # type: ignore[assignment]
        chosen = balancer.select(WEIGHTED, SelectRequest())
        assert chosen is not None and chosen.port == port


@pytest.mark.parametrize("weights", [(5, 3, 2), (1, 2, 7), (5, 20, 75)])
def test_wr_shares_are_within_3_percent_of_the_weights_over_10000_picks_whatever_the_seed(
    weights: tuple[int, ...],
) -> None:
    servers = tuple(ServerNode("10.0.0.1", port, str(weight)) for port, weight in enumerate(weights, 1))
    for seed in range(15):
        balancer = registry.create("wr", entropy=random.Random(seed).randrange)
        chosen = Counter(balancer.select(servers, SelectRequest()) for _ in range(10000))
        for server, weight in zip(servers, weights, strict=True):
            assert chosen[server] == pytest.approx(10000 * weight / sum(weights), rel=0.03)


def test_each_part_of_the_range_is_drawn_once_in_an_order_that_is_new_each_time() -> None:
    draws = EvenDraws(random.Random(3).randrange)
    rounds = [[draws.draw(PARTS * 10) // 10 for _ in range(PARTS)] for _ in range(2)]
    assert [sorted(found) for found in rounds] == [list(range(PARTS))] * 2
    assert rounds[0] != rounds[1] and rounds[0] != sorted(rounds[0])


@pytest.mark.parametrize("limit", [1, 3, 2**40])
def test_draws_reach_both_ends_of_the_range(limit: int) -> None:
    assert EvenDraws(lambda below: 0).draw(limit) == 0
    assert EvenDraws(lambda below: below - 1).draw(limit) == limit - 1


def test_wr_without_weights_has_nobody_unless_a_default_is_given() -> None:
    plain = WEIGHTED[3:]
    assert registry.create("wr").select(plain, SelectRequest()) is None
    assert registry.create("wr:default_weight=1").select(plain, SelectRequest()) == plain[0]
    with pytest.raises(BalancerError, match=r'unknown parameter "weight" .*"wr" \(valid: default_weight\)'):
        registry.create("wr:weight=1")
    with pytest.raises(BalancerError, match="default_weight"):
        registry.create("wr:default_weight=x")
