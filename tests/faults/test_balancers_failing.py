"""Every balancer with servers that fail, in virtual time: who is asked, how long players wait for it."""

from __future__ import annotations

import random

import pytest

from edge.upstream.config import UpstreamConfig
from edge.upstream.target import Target
from lb import registry as balancers
from naming.node import ServerNode
from tests.harness.virtual import LATENCY_MS, Fleet, Player, VirtualChecks

CONFIG = UpstreamConfig()
each_balancer = pytest.mark.parametrize("balancer", balancers.known())
#: An immediate retry after a refusal.
REFUSAL_MS = 1


def servers(*weights: int) -> list[ServerNode]:
    return [ServerNode("10.0.0.1", port, str(weight)) for port, weight in enumerate(weights, 1)]


async def fleet_of(balancer: str, *weights: int) -> Fleet:
    checks = VirtualChecks()
    target = Target("list://10.0.0.1:1", balancer, CONFIG, entropy=random.Random(1).randrange, checks=checks)
    target._on_update(tuple(servers(*weights)))  # nobody follows the list: no task is left behind
    return Fleet(target, CONFIG, checks=checks)


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
    # By those that came before the first was refused; then it is checked: after 100 ms, and every 3 s.
    assert fleet.asked[dead] == 1
    assert fleet.checked[dead] == 1 + 20_000 // 3000


@each_balancer
async def test_N10_three_dead_of_four_delay_nobody_after_their_first_check(balancer: str) -> None:
    fleet = await fleet_of(balancer, 1, 1, 1, 1)
    *dead, up = servers(1, 1, 1, 1)
    for server in dead:
        fleet.behaviour[server] = "refuse"
    fleet.players_come(100, every_ms=20)
    asked_count = {server: fleet.asked[server] for server in dead}
    players = fleet.players_come(500, every_ms=20)
    # A server that only hashing brings up late is asked once, when it is found to be dead.
    assert sum(fleet.asked[server] - asked_count[server] for server in dead) <= 1
    assert {player.asked[-1] for player in players} == {up}


@each_balancer
async def test_dead_server_that_listens_again_gets_players_within_an_interval(balancer: str) -> None:
    fleet = await fleet_of(balancer, 1, 1, 1)
    dead = servers(1, 1, 1)[0]
    fleet.behaviour[dead] = "refuse"
    fleet.players_come(500, every_ms=20)
    fleet.behaviour[dead] = "ok"
    came_ms = fleet.now_ms
    fleet.run(came_ms + 3000)
    assert fleet.target.snapshot(fleet.now_ms)["servers"][0]["state"] == "trial"
    players = fleet.players_come(500, every_ms=20)
    assert dead in {player.asked[-1] for player in players[:200]}
    assert max(player.delay_ms for player in players) == LATENCY_MS
    assert fleet.target.snapshot(fleet.now_ms)["servers"][0]["state"] in ("slow start", "up")
    assert fleet.checked[dead] <= 2 + 13_000 // 3000


@pytest.mark.parametrize("balancer", ["rr", "random", "wrr", "wr", "la", "p2c"])
async def test_server_that_is_back_gets_its_share_little_by_little(balancer: str) -> None:
    fleet = await fleet_of(balancer, 1, 1, 1)
    back = servers(1, 1, 1)[0]
    fleet.behaviour[back] = "refuse"
    fleet.players_come(200, every_ms=20)
    fleet.behaviour[back] = "ok"
    while fleet.target.snapshot(fleet.now_ms)["servers"][0]["state"] not in ("trial", "slow start"):
        fleet.run(fleet.now_ms + 10)

    def share(count: int) -> float:
        return sum(player.asked[-1] == back for player in fleet.players_come(count, every_ms=5)) / count

    first, second, third = share(400), share(800), share(800)  # up to 2, 6 and 10 s after it came back
    assert first <= 0.2 and second <= 0.6 and first < max(second, third)
    fleet.run(fleet.now_ms + 30_000)
    share(4000)
    assert share(2000) == pytest.approx(1 / 3, rel=0.25)


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
    # Those that come during the first time-out; then connects find out about the silent one, and about one player
    # per doubling of the isolation about the mute one.
    assert len(delayed) <= limit_ms // 50 + 30
    assert sum(player.came_ms > 10_000 for player in delayed) <= (limit_ms // 50 + 10 if kind == "mute" else 0)


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
