"""``p2c``: the better of two."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from lb import registry
from lb.attempts import NEGLIGIBLE_US
from lb.base import BalancerError, SelectRequest
from lb.p2c import Estimate, PowerOfTwoChoices
from naming.node import ServerNode
from tests.lb.contract import SERVERS, BalancerContract
from tests.lb.slow_server import shares

TAU_US = 10_000_000


class TestContract(BalancerContract):
    spec = "p2c"


class TestContractWithAllCompared(BalancerContract):
    spec = "p2c:choices=64 tau_ms=1"


def test_vector_of_the_moving_average() -> None:
    estimate = Estimate(1)
    estimate.ewma_us, estimate.stamp_us = 10000, 0
    estimate.learn(2000, True, TAU_US, TAU_US)
    assert (estimate.ewma_us, estimate.stamp_us) == (4943, TAU_US)


def test_a_rise_is_followed_at_once_and_a_fall_in_no_time_not_at_all() -> None:
    estimate = Estimate(1)
    for latency_us, ewma_us in ((500, 500), (9000, 9000), (500, 9000)):
        estimate.learn(latency_us, True, 77, TAU_US)
        assert estimate.ewma_us == ewma_us


def test_failures_count_as_a_timeout_and_double_up_to_30_s() -> None:
    estimate, found = Estimate(1), []
    for _ in range(7):
        estimate.learn(500, False, 0, TAU_US)
        found.append(estimate.ewma_us // 1_000_000)
    assert found == [1, 2, 4, 8, 16, 30, 30]


def test_score_is_latency_times_attempts_by_weight() -> None:
    estimate = Estimate(4)
    assert estimate.score(0, TAU_US) == 0.25
    estimate.learn(8000, True, 0, TAU_US)
    assert estimate.score(0, TAU_US) == 2000
    estimate.attempts.begin(0)
    assert estimate.score(0, TAU_US) == 4000
    estimate.learn(80_000, True, 0, TAU_US)
    assert abs(estimate.score(TAU_US, TAU_US) - 20_000 / 2.718281828) < 0.01


def test_latencies_of_a_few_milliseconds_are_as_good_as_none() -> None:
    estimate = Estimate(1)
    for latency_us in (500, 5000):
        estimate.learn(latency_us, True, 0, TAU_US)
        assert estimate.score(0, TAU_US) == estimate.score(9 * TAU_US, TAU_US) == NEGLIGIBLE_US


@pytest.mark.parametrize("base_ms", [0, 1, 5, 20])
@pytest.mark.parametrize("per_s", [5, 20, 40])
def test_server_that_was_slow_is_found_to_have_recovered(base_ms: int, per_s: int) -> None:
    found = shares("p2c", base_ms, per_s)
    assert found.slow < 0.15
    assert found.recovered == pytest.approx(1 / 3, rel=0.1)


def test_without_news_the_attempts_going_on_decide() -> None:
    balancer = registry.create("p2c:choices=5", entropy=random.Random(1).randrange)
    chosen = Counter(balancer.select(SERVERS, SelectRequest()) for _ in range(50))
    assert set(chosen.values()) == {10}


def test_a_slow_server_is_avoided() -> None:
    balancer = PowerOfTwoChoices({}, random.Random(1).randrange)
    chosen: Counter[ServerNode] = Counter()
    for number in range(2000):
        server = balancer.select(SERVERS[:3], SelectRequest(now_ms=10 * number))
        assert server is not None
        chosen[server] += 1
        latency_ms = 55 if server == SERVERS[2] else 5
        balancer.feedback(server, latency_ms, True, 10 * number)
    assert 0 < chosen[SERVERS[2]] < 300


def test_weights_share_equal_servers() -> None:
    servers = (ServerNode("10.0.0.1", 1, "1"), ServerNode("10.0.0.1", 2, "3"))
    balancer = registry.create("p2c", entropy=random.Random(1).randrange)
    chosen = Counter(balancer.select(servers, SelectRequest()) for _ in range(400))
    assert abs(chosen[servers[1]] - 300) <= 2


def test_a_tag_that_is_no_weight_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    servers = (ServerNode("10.0.0.1", 1, "blue"), ServerNode("10.0.0.1", 2))
    balancer = registry.create("p2c")
    for _ in range(3):
        assert balancer.select(servers, SelectRequest()) in servers
    assert caplog.messages == ['server 10.0.0.1:1 has the weight 1: its tag "blue" is no weight']


def test_parameters() -> None:
    with pytest.raises(BalancerError, match=r'unknown parameter "x" of load balancer "p2c" \(valid: choices, tau_ms\)'):
        registry.create("p2c:x=1")
    for bad in ("choices=1", "choices=65", "choices=", "choices=x", "tau_ms=0", "tau_ms=-1", "tau_ms=1e3"):
        with pytest.raises(BalancerError, match="is not in "):
            registry.create(f"p2c:{bad}")
