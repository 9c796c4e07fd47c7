"""``wrr``: turns in proportion to weights."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb import registry
from lb.base import BalancerError, SelectRequest
from lb.weighted import WeightedRoundRobin, stride_of
from naming.node import ServerNode
from tests.lb.contract import BalancerContract


class TestContract(BalancerContract):
    spec = "wrr"


def fleet(*weights: int) -> tuple[ServerNode, ...]:
    return tuple(ServerNode("10.0.0.1", port, str(weight)) for port, weight in enumerate(weights, 1))


def turns(weights: tuple[int, ...], picks: int, request: SelectRequest | None = None, start: int = 0) -> str:
    balancer = WeightedRoundRobin({}, lambda limit: start % limit)
    chosen = [balancer.select(fleet(*weights), request or SelectRequest()) for _ in range(picks)]
    return "".join(" abcdefgh"[server.port] for server in chosen if server is not None)


@pytest.mark.parametrize(
    ("weights", "stride", "order"),
    [
        ((3, 2, 1), 5, "bbaaac" * 2),
        ((1, 1, 1), 2, "bac" * 3),
        ((1, 2, 4), 2, "bccabcc" * 2),
        ((3, 2, 7), 5, "bcacaccbcacc"),
        ((5, 1, 1), 2, "aabaaac" * 2),
        ((50, 100, 150), 107, "bcabcabcbccbccbcabcabcbc"),
    ],
)
def test_vectors_of_the_reference(weights: tuple[int, ...], stride: int, order: str) -> None:
    assert stride_of(sum(weights), len(weights)) == stride
    assert turns(weights, len(order)) == order


def test_vector_with_one_down() -> None:
    down = SelectRequest(unavailable=frozenset(fleet(3, 2, 1)[1:2]))
    assert turns((3, 2, 1), 8, down) == "aaacaaac"


def test_single_point_has_stride_one() -> None:
    assert stride_of(1, 1) == 1


@given(weights=st.lists(st.integers(1, 40), min_size=1, max_size=8), start=st.integers(0, 7))
def test_each_gets_its_weight_per_round(weights: list[int], start: int) -> None:
    order = turns(tuple(weights), sum(weights), start=start)
    assert [order.count(letter) for letter in "abcdefgh"[: len(weights)]] == weights


@given(weights=st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=8))
def test_any_weights_have_a_stride(weights: list[int]) -> None:
    assert len(turns(tuple(weights), 30)) == 30


def test_shares_over_10000_picks() -> None:
    found = Counter(turns((5, 20, 75), 10000))
    assert all(abs(found[letter] / 10000 - share) < 0.03 for letter, share in (("a", 0.05), ("b", 0.2), ("c", 0.75)))


def test_a_changed_list_goes_on_where_it_was() -> None:
    balancer = WeightedRoundRobin({}, lambda limit: 0)
    for weights in ((3, 2, 1), (3, 2), (9,), (1, 1, 1, 1), (3, 2, 1)):
        chosen = Counter(balancer.select(fleet(*weights), SelectRequest()) for _ in range(2 * sum(weights)))
        assert set(chosen) == set(fleet(*weights))
        if len(weights) > 1:
            assert all(abs(chosen[server] - 2 * int(server.tag)) <= 2 for server in fleet(*weights))


def test_servers_without_a_weight_are_not_chosen() -> None:
    servers = (*fleet(1, 2), ServerNode("10.0.0.2", 1, "x"))
    balancer = registry.create("wrr")
    assert {balancer.select(servers, SelectRequest()) for _ in range(9)} == set(servers[:2])
    assert balancer.select(servers[2:], SelectRequest()) is None
    assert registry.create("wrr:default_weight=4").select(servers[2:], SelectRequest()) == servers[2]
    with pytest.raises(BalancerError, match=r'unknown parameter "weight" .*"wrr" \(valid: default_weight\)'):
        registry.create("wrr:weight=4")
    with pytest.raises(BalancerError, match="default_weight"):
        registry.create("wrr:default_weight=0")
