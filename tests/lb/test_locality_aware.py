"""``la``: weights that are learned."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from collections.abc import Sequence

import pytest

from lb import registry
from lb.base import BalancerError, SelectRequest
from lb.locality_aware import MEASURE_AFTER_US, MEASURE_EVERY, MIN_WEIGHT, WEIGHT_SCALE, LocalityAware, Record
from lb.registry import Entropy
from naming.node import ServerNode
from tests.lb.contract import SERVERS, BalancerContract
from tests.lb.slow_server import shares


class TestContract(BalancerContract):
    spec = "la"


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
    for server, latency_ms in ((SERVERS[0], 10), (SERVERS[1], 299)):
        balancer.feedback(server, latency_ms, True, 100)
    before = Counter(balancer.select(SERVERS[:2], SelectRequest(now_ms=100)) for _ in range(500))
    assert before[SERVERS[0]] > 450
    balancer.select(SERVERS[:2], SelectRequest(now_ms=100, unavailable=frozenset(SERVERS[:1])))
    weights = 1 / 10, 1 / 299
    after = Counter(balancer.select(SERVERS[:2], SelectRequest(now_ms=100)) for _ in range(1000))
    mean = sum(weights) / 2
    chances = math.sqrt(mean * weights[0]), weights[1]
    assert abs(after[SERVERS[0]] / 1000 - chances[0] / sum(chances)) < 0.02


@pytest.mark.parametrize("base_ms", [0, 1, 5, 20])
@pytest.mark.parametrize("per_s", [5, 20, 40])
def test_server_that_was_slow_is_found_to_have_recovered(base_ms: int, per_s: int) -> None:
    found = shares("la", base_ms, per_s)
    assert 0 < found.slow < 0.15
    assert found.recovered == pytest.approx(1 / 3, rel=0.1)


def test_latencies_of_a_few_milliseconds_are_as_good_as_none() -> None:
    found = simulate(fleet(0, 2, 4), 6000)
    assert all(found[port] / 6000 == pytest.approx(1 / 3, rel=0.1) for port in (1, 2, 3))


def learned(latencies_ms: Sequence[float], entropy: Entropy) -> LocalityAware:
    """A balancer that has had two answers of each of the first servers, in the first 20 ms."""
    balancer = LocalityAware({}, entropy)
    balancer.select(SERVERS[: len(latencies_ms)], SelectRequest())
    for server, latency_ms in zip(SERVERS, latencies_ms, strict=False):
        for now_ms in (10, 20):
            balancer.feedback(server, latency_ms, True, now_ms)
    return balancer


def test_server_that_was_not_chosen_for_3_s_is_measured_again() -> None:
    balancer = learned((1, 1000), lambda limit: 0)
    every_ms, slow = 100, SERVERS[1]
    chosen = [balancer.select(SERVERS[:2], SelectRequest(now_ms=every_ms * number)) for number in range(1, 101)]
    moments = [every_ms * number for number, server in enumerate(chosen, 1) if server == slow]
    assert moments == [3000, 6000, 9000] and MEASURE_AFTER_US == 3_000_000
    tried = SelectRequest(now_ms=99_999, excluded=frozenset([slow]))
    assert all(balancer.select(SERVERS[:2], tried) == SERVERS[0] for _ in range(20))


def test_measuring_all_slow_servers_takes_no_more_than_a_tenth_of_the_selections() -> None:
    balancer = learned((1, 1000, 1000, 1000, 1000), lambda limit: 0)
    chosen = Counter(balancer.select(SERVERS, SelectRequest(now_ms=5000 * number)) for number in range(1, 401))
    assert MEASURE_EVERY == 10 and chosen[SERVERS[0]] == 360
    assert [chosen[server] for server in SERVERS[1:]] == [10] * 4


def test_parameters_are_refused() -> None:
    with pytest.raises(BalancerError, match=r'unknown parameter "min_weight" of load balancer "la" \(valid: none\)'):
        registry.create("la:min_weight=1")
