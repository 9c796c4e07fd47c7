"""Every balancer with servers that fail, in virtual time: who is asked, how long players wait for it."""

from __future__ import annotations

import random

import pytest

from edge.upstream.config import UpstreamConfig
from edge.upstream.target import Target
from lb import registry as balancers
from naming.node import ServerNode
from tests.harness.virtual import LATENCY_MS, Fleet, Player

CONFIG = UpstreamConfig()
each_balancer = pytest.mark.parametrize("balancer", balancers.known())
#: An immediate retry after a refusal.
REFUSAL_MS = 1


def servers(*weights: int) -> list[ServerNode]:
    return [ServerNode("10.0.0.1", port, str(weight)) for port, weight in enumerate(weights, 1)]


async def fleet_of(balancer: str, *weights: int) -> Fleet:
    text = ",".join(f"{server.endpoint} {server.tag}" for server in servers(*weights))
    target = Target(f"list://{text}", balancer, CONFIG, entropy=random.Random(1).randrange)
    assert await target.start()
    await target.close()  # a list does not change; no task is left behind
    return Fleet(target, CONFIG)


def assert_each_bad_server_delayed_a_player_once(players: list[Player]) -> None:
    for player in players:
        assert len(player.asked) == len(set(player.asked)), f"{player.key} asked a server twice"


@each_balancer
async def test_N10_first_server_dead_delays_nobody(balancer: str) -> None:
    fleet = await fleet_of(balancer, 1, 1, 1)
    dead = servers(1, 1, 1)[0]
    fleet.behaviour[dead] = "refuse"
    players = fleet.players_come(1000, every_ms=20)
    assert max(player.delay_ms for player in players) <= REFUSAL_MS + LATENCY_MS
    assert_each_bad_server_delayed_a_player_once(players)
    # 100 ms, then doubling: 8 times in 20 s, not once per player.
    assert 1 <= fleet.asked[dead] <= 10


@each_balancer
async def test_N11_all_dead_then_one_back_takes_all(balancer: str) -> None:
    fleet = await fleet_of(balancer, 1, 1, 1)
    for server in servers(1, 1, 1):
        fleet.behaviour[server] = "refuse"
    players = fleet.players_come(60, every_ms=100)
    assert all(player.playing_ms is None for player in players)
    fleet.run(20_000)
    back = servers(1, 1, 1)[1]
    fleet.behaviour[back] = "ok"
    fleet.run(28_000)
    waits = sorted(player.delay_ms - (20_000 - player.came_ms) for player in players)
    assert waits[0] <= 1500, waits
    assert waits[-1] <= 4000, waits
    assert {player.asked[-1] for player in players} == {back}


@each_balancer
@pytest.mark.parametrize(("kind", "limit_ms"), [("silent", 333), ("mute", 1000)])
async def test_N12_black_hole_delays_a_player_once_and_few_players(balancer: str, kind: str, limit_ms: int) -> None:
    fleet = await fleet_of(balancer, 1, 1, 1)
    hole = servers(1, 1, 1)[2]
    fleet.behaviour[hole] = kind
    players = fleet.players_come(600, every_ms=50)
    fleet.run(fleet.now_ms + 2 * limit_ms)
    assert max(player.delay_ms for player in players) <= limit_ms + LATENCY_MS
    assert_each_bad_server_delayed_a_player_once(players)
    delayed = [player for player in players if hole in player.asked]
    # Those that come during the first time-out, then about one per doubling of the isolation.
    assert len(delayed) <= limit_ms // 50 + 30
    assert sum(player.came_ms > 10_000 for player in delayed) <= limit_ms // 50 + 10


@each_balancer
async def test_N12_the_only_server_left_is_asked_although_it_was_a_black_hole(balancer: str) -> None:
    fleet = await fleet_of(balancer, 1)
    (only,) = servers(1)
    fleet.behaviour[only] = "mute"
    (player,) = fleet.players_come(1, every_ms=5000)
    fleet.behaviour[only] = "ok"
    fleet.run(8000)
    assert player.delay_ms <= 5000 + 2200 + LATENCY_MS


@each_balancer
async def test_N13_server_without_the_stream_costs_one_answer_and_is_not_isolated(balancer: str) -> None:
    fleet = await fleet_of(balancer, 1, 1, 1)
    empty = servers(1, 1, 1)[0]
    fleet.behaviour[empty] = "not_found"
    players = fleet.players_come(300, every_ms=20)
    assert max(player.delay_ms for player in players) <= 2 * LATENCY_MS
    assert_each_bad_server_delayed_a_player_once(players)
    assert all(row["state"] == "up" for row in fleet.target.snapshot(fleet.now_ms)["servers"])


@each_balancer
async def test_N13_the_one_server_that_has_it_is_found(balancer: str) -> None:
    fleet = await fleet_of(balancer, 1, 1, 1)
    for server in servers(1, 1, 1)[:2]:
        fleet.behaviour[server] = "not_found"
    players = fleet.players_come(100, every_ms=50)
    assert max(player.delay_ms for player in players) <= 3 * LATENCY_MS
    assert_each_bad_server_delayed_a_player_once(players)
