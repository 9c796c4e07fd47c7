"""Shares of servers through the whole of a target, in virtual time."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.test_balancers_failing import fleet_of, servers
from tests.harness.virtual import Fleet

EVERY_MS = 25


def share_of_last(fleet: Fleet, count: int) -> float:
    """Share of the last server among ``count`` players that come now."""
    players = fleet.players_come(count, every_ms=EVERY_MS)
    fleet.run(fleet.now_ms + 200)  # the last ones have their answers too
    chosen = Counter(player.asked[-1] for player in players)
    for player in players:
        player.close()
    return chosen[fleet.target.servers[-1]] / count


@pytest.mark.parametrize("balancer", ["wrr", "wr"])
async def test_shares_are_those_of_the_weights_within_3_percent(balancer: str) -> None:
    weights = 5, 3, 2
    fleet = await fleet_of(balancer, *weights)
    chosen = Counter(fleet.target.select(f"_/live/s{number}", now_ms=number) for number in range(10_000))
    for server, weight in zip(servers(*weights), weights, strict=True):
        assert chosen[server] / 1000 == pytest.approx(weight, rel=0.03)


@pytest.mark.parametrize("base_ms", [1, 5, 20, 40])
async def test_la_server_50_ms_slower_gets_less_than_15_percent_and_its_share_when_it_has_recovered(
    base_ms: int,
) -> None:
    fleet = await fleet_of("la", 1, 1, 1)
    for server in servers(1, 1, 1):
        fleet.latency_ms[server] = base_ms
    assert share_of_last(fleet, 1200) == pytest.approx(1 / 3, rel=0.1)
    fleet.latency_ms[servers(1, 1, 1)[-1]] += 50
    share_of_last(fleet, 10_000 // EVERY_MS)
    assert share_of_last(fleet, 20_000 // EVERY_MS) < 0.15
    fleet.latency_ms[servers(1, 1, 1)[-1]] = base_ms
    share_of_last(fleet, 90_000 // EVERY_MS)
    assert share_of_last(fleet, 4000) == pytest.approx(1 / 3, rel=0.1)
