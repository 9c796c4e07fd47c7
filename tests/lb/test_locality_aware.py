"""``la``: weights that are learned."""

from __future__ import annotations

import heapq
import random
from collections import Counter

import pytest

from lb.base import SelectRequest
from lb.locality_aware import MIN_WEIGHT, WEIGHT_SCALE, LocalityAware, Record
from naming.node import ServerNode
from tests.lb.contract import SERVERS, BalancerContract


class TestContract(BalancerContract):
    spec = "la:ignored=1"


def test_scale_is_that_of_the_reference() -> None:
    assert WEIGHT_SCALE == 1008680231


@pytest.mark.parametrize(
    ("samples", "interval_us", "latency_us", "weight"),
    [(2, 1000, 1000, 1008680), (128, 10000, 2000, 50434011), (11, 100000, 500, 20173604)],
)
def test_vectors_of_base_weights(samples: int, interval_us: int, latency_us: int, weight: int) -> None:
    record = Record(WEIGHT_SCALE)
    for number in range(samples):
        record.learn(latency_us, True, 10**9 + number * interval_us)
    assert (record.base_weight, record.mean_latency_us) == (weight, latency_us)


def test_vector_of_an_attempt_that_takes_long() -> None:
    record = Record(50434011)
    record.mean_latency_us = 2000
    record.attempts.begin(1000000)
    assert record.reweigh(1002999) == 50434011
    assert record.reweigh(1006000) == 25217005
    assert record.reweigh(1006000 + 10**7) >= MIN_WEIGHT


def test_failures_count_as_a_timeout_and_add_no_throughput() -> None:
    record = Record(WEIGHT_SCALE)
    record.learn(3000, False, 10**6)
    assert record.mean_latency_us == 1000000 and record.base_weight == WEIGHT_SCALE // 1000000
    good = Record(WEIGHT_SCALE)
    for number in range(3):
        good.learn(1000, True, 10**6 + number * 1000)
    good.learn(1000, False, 10**6 + 3000)
    assert good.mean_latency_us == (2 * 1000 + 1000000) // 2
    good.learn(2 * 10**6, False, 10**6 + 4000)
    assert good.mean_latency_us == (2 * 1000 + 1000000 + 2400000) // 2


def test_samples_of_one_moment_change_nothing() -> None:
    record = Record(WEIGHT_SCALE)
    record.learn(1000, True, 5000)
    before = record.base_weight
    record.learn(4000, True, 5000)
    assert record.base_weight == before == WEIGHT_SCALE // 1000


def simulate(latencies_ms: dict[ServerNode, float], picks: int, *, failing: ServerNode | None = None) -> Counter[int]:
    """A pick every 20 ms, feedback when its latency is over, all in virtual time."""
    chance = random.Random(5)
    balancer = LocalityAware({}, chance.randrange)
    servers = tuple(latencies_ms)
    pending: list[tuple[float, float, ServerNode]] = []
    found: Counter[int] = Counter()
    for number in range(picks):
        now_ms = 20 * number
        while pending and pending[0][0] <= now_ms:
            end_ms, latency_ms, server = heapq.heappop(pending)
            balancer.feedback(server, latency_ms, server != failing, int(end_ms))
        server = balancer.select(servers, SelectRequest(now_ms=now_ms))
        assert server is not None
        found[server.port] += 1
        latency_ms = round(latencies_ms[server] * chance.uniform(0.8, 1.2))
        heapq.heappush(pending, (now_ms + latency_ms, latency_ms, server))  # type: ignore[misc]
    return found


def fleet(*latencies_ms: float) -> dict[ServerNode, float]:
    return {ServerNode("10.0.0.1", port): latency_ms for port, latency_ms in enumerate(latencies_ms, 1)}


@pytest.mark.parametrize("base_ms", [5, 10, 20])
def test_one_of_three_that_is_50_ms_slower_gets_less_than_15_percent(base_ms: int) -> None:
    found = simulate(fleet(base_ms, base_ms, base_ms + 50), 3000)
    assert 0 < found[3] / 3000 < 0.15


def test_one_that_fails_fast_gets_little() -> None:
    servers = fleet(20, 20, 1)
    found = simulate(servers, 3000, failing=list(servers)[2])
    assert found[3] / 3000 < 0.1


def test_new_server_begins_with_the_mean_weight() -> None:
    balancer = LocalityAware({}, random.Random(1).randrange)
    for number in range(2):
        balancer.select(SERVERS[:1], SelectRequest(now_ms=number))
        balancer.feedback(SERVERS[0], 1, True, number + 1)
    chosen = Counter(balancer.select(SERVERS[:2], SelectRequest(now_ms=9)) for _ in range(1000))
    assert abs(chosen[SERVERS[0]] - 500) < 100


def test_down_server_comes_back_with_the_mean_weight() -> None:
    balancer = LocalityAware({}, random.Random(1).randrange)
    balancer.select(SERVERS[:2], SelectRequest())
    for server, latency_ms in ((SERVERS[0], 1), (SERVERS[1], 99)):
        balancer.feedback(server, latency_ms, True, 100)
    before = Counter(balancer.select(SERVERS[:2], SelectRequest(now_ms=100)) for _ in range(500))
    assert before[SERVERS[0]] > 450
    balancer.select(SERVERS[:2], SelectRequest(now_ms=100, unavailable=frozenset(SERVERS[:1])))
    weights = WEIGHT_SCALE // 1000, WEIGHT_SCALE // 99000
    after = Counter(balancer.select(SERVERS[:2], SelectRequest(now_ms=100)) for _ in range(1000))
    mean = sum(weights) / 2
    assert abs(after[SERVERS[0]] / 1000 - mean / (mean + weights[1])) < 0.04
