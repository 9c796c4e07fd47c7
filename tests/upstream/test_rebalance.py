"""Pulls that go home: which ones and when, and that nobody notices."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from edge.hub.key import StreamKey
from edge.upstream.config import UpstreamConfig
from edge.upstream.rebalance import Rebalancer
from edge.upstream.target import Target
from naming.node import ServerNode
from tests.net.serving import Node, Nodes, pictures, wait_until

CONFIG = UpstreamConfig()


@dataclass(eq=False)
class FakePull:
    key: StreamKey
    is_at_home: bool = False
    is_running: bool = True
    gets_there: bool = True
    moved: list[int] = field(default_factory=list)
    rig: Rig | None = None

    def is_away(self, now_ms: int) -> bool:
        assert self.rig is not None
        return self.rig.has_home and not self.is_at_home

    def move(self) -> bool:
        assert self.rig is not None
        if not self.is_running:
            return False
        self.moved.append(self.rig.now_ms)
        self.is_at_home = self.gets_there
        return True


class Rig:
    def __init__(self, count: int = 1, *, after_ms: int = 30000, moves_per_call: int = 50) -> None:
        self.now_ms = 0
        self.has_home = True
        self.rebalancer = Rebalancer(after_ms=after_ms, moves_per_call=moves_per_call, jitter=lambda: 0.5)
        keys = [StreamKey("_", "live", f"s{number}") for number in range(count)]
        self.pulls = {key: FakePull(key, rig=self) for key in keys}
        self.pull = self.pulls[keys[0]]

    def run(self, until_s: int) -> None:
        while self.now_ms < until_s * 1000:
            self.now_ms += 1000
            self.rebalancer.tick(self.pulls, self.now_ms)


def test_pull_goes_home_once_its_owner_has_been_up_long_enough() -> None:
    rig = Rig()
    rig.run(60)
    (at_ms,) = rig.pull.moved
    assert 33000 <= at_ms <= 36000
    assert rig.rebalancer.move_count == 1


def test_pull_at_home_stays() -> None:
    rig = Rig()
    rig.pull.is_at_home = True
    rig.run(100)
    assert rig.pull.moved == []


def test_pull_whose_owner_is_tried_out_by_another_one_does_not_wait_all_over_again() -> None:
    rig = Rig(2)
    rig.run(33)
    rig.has_home = False
    rig.run(34)
    rig.has_home = True
    rig.run(36)
    assert len(rig.pull.moved) == 1


def test_owner_that_goes_down_meanwhile_has_to_be_up_long_enough_again() -> None:
    rig = Rig()
    rig.run(20)
    rig.has_home = False
    rig.run(22)
    rig.has_home = True
    rig.run(50)
    assert rig.pull.moved == []
    rig.run(60)
    assert len(rig.pull.moved) == 1


def test_no_owner_no_move() -> None:
    rig = Rig()
    rig.has_home = False
    rig.run(100)
    assert rig.pull.moved == []


def test_off_by_flag() -> None:
    rig = Rig(after_ms=0)
    rig.run(100)
    assert rig.pull.moved == []


def test_home_that_has_no_data_is_tried_after_twice_the_time_each() -> None:
    rig = Rig()
    rig.pull.gets_there = False
    rig.run(1000)
    gaps = [later - earlier for earlier, later in zip(rig.pull.moved, rig.pull.moved[1:], strict=False)]
    assert gaps == [60000, 120000, 240000, 480000]


def test_pull_without_data_waits_where_it_is() -> None:
    rig = Rig()
    rig.pull.is_running = False
    rig.run(100)
    assert rig.pull.moved == []
    rig.pull.is_running = True
    rig.run(101)
    assert len(rig.pull.moved) == 1


def test_many_go_home_a_few_at_a_time_and_all_of_them() -> None:
    rig = Rig(2000, moves_per_call=50)
    most = 0
    for second in range(1, 200):
        before = rig.rebalancer.move_count
        rig.run(second)
        most = max(most, rig.rebalancer.move_count - before)
    assert most == 50
    assert all(len(pull.moved) == 1 for pull in rig.pulls.values())


def test_pull_under_way_to_its_new_server_keeps_its_wait() -> None:
    rig = Rig()
    rig.pull.gets_there = False
    rig.run(36)
    assert len(rig.pull.moved) == 1
    rig.pull.is_running, rig.has_home = False, False
    rig.run(38)
    rig.pull.is_running, rig.has_home = True, True
    rig.run(80)
    assert len(rig.pull.moved) == 1
    rig.run(100)
    assert len(rig.pull.moved) == 2


def test_pull_that_has_ended_is_forgotten() -> None:
    rig = Rig()
    rig.run(10)
    rig.pulls.clear()
    rig.run(100)
    assert rig.pull.moved == []


# --- where a key belongs -------------------------------------------------------


async def hashing(proxy_lb: str = "c_murmurhash") -> Target:
    target = Target("list://10.0.0.1:1,10.0.0.1:2,10.0.0.1:3", proxy_lb, CONFIG)
    assert await target.start()
    await target.close()
    return target


async def test_home_of_a_key_is_what_would_be_chosen_unless_it_is_down() -> None:
    target = await hashing()
    home = target.home_of("_/live/a", 0)
    assert home is not None
    assert target.select("_/live/a", now_ms=0) == home
    target.report(home, False, 1, 0, "refused")
    assert target.select("_/live/a", now_ms=1) != home
    assert target.home_of("_/live/a", 1) is None


async def test_home_that_carries_its_part_already_takes_no_more() -> None:
    target = await hashing("c_murmurhash:load_factor=1.25")
    home = target.home_of("_/live/a", 0)
    assert home is not None
    for _ in range(3):
        target.occupy(home)
    assert target.home_of("_/live/a", 0) is None
    for other in (*target.servers, *target.servers):
        if other != home:
            target.occupy(other)
    assert target.home_of("_/live/a", 0) == home


async def test_stream_is_away_from_its_owner_or_at_a_server_off_the_list() -> None:
    target = await hashing()
    home = target.home_of("_/live/a", 0)
    assert home is not None
    other = next(server for server in target.servers if server != home)
    assert not target.is_away(home, "_/live/a", 0)
    assert target.is_away(other, "_/live/a", 0)
    target.report(home, False, 1, 0, "refused")
    assert not target.is_away(other, "_/live/a", 1), "the owner is down"
    target._on_update(tuple(server for server in target.servers if server != other))
    assert target.is_away(other, "_/live/a", 1)
    target._on_update(())
    assert not target.is_away(other, "_/live/a", 1), "nowhere to go"


async def test_server_that_is_drained_stays_in_sight_until_nothing_of_ours_is_there() -> None:
    target = await hashing("rr")
    first, second, third = target.servers
    for server in (first, first, second):
        target.occupy(server)
    target._on_update((third,))

    def shown() -> list[tuple[str, str, int]]:
        rows = target.snapshot(0)["servers"]
        return [(row["endpoint"], row["state"], row["streams_count"]) for row in rows]

    assert shown() == [("10.0.0.1:3", "up", 0), ("10.0.0.1:1", "leaving", 2), ("10.0.0.1:2", "leaving", 1)]
    assert {target.select("_/live/a", now_ms=0) for _ in range(9)} == {third}, "it is only shown"
    target.vacate(first)
    target.vacate(second)
    assert shown() == [("10.0.0.1:3", "up", 0), ("10.0.0.1:1", "leaving", 1)]
    target._on_update((third, first))
    assert [row[1] for row in shown()] == ["up", "slow start"], "it has come back"
    target._on_update((third,))
    target.vacate(first)
    assert shown() == [("10.0.0.1:3", "up", 0)]


async def test_server_that_left_the_list_under_another_weight_does_not_stay_for_ever() -> None:
    target = await hashing("wrr")
    first = target.servers[0]
    target.occupy(first)
    target._on_update((replace(first, tag="7"), target.servers[1]))
    target._on_update((target.servers[1],))
    assert [(row["state"], row["tag"]) for row in target.snapshot(0)["servers"]] == [("up", ""), ("leaving", "7")]
    target.vacate(first)
    assert [row["state"] for row in target.snapshot(0)["servers"]] == ["up"]


@pytest.mark.parametrize("proxy_lb", ["rr", "la"])
async def test_key_has_no_home_where_the_balancer_may_choose_any_server(proxy_lb: str) -> None:
    assert (await hashing(proxy_lb)).home_of("_/live/a", 0) is None


async def test_passed_over_is_of_one_key_and_passes() -> None:
    target = await hashing()
    (server, other) = target.servers[:2]
    target.disable(server, "_/live/a", 0)
    assert target.is_passed_over(server, "_/live/a", 1)
    assert not target.is_passed_over(other, "_/live/a", 1)
    assert not target.is_passed_over(server, "_/live/b", 1)
    assert not target.is_passed_over(server, "_/live/a", CONFIG.disable_server_duration * 1000)


# --- nodes --------------------------------------------------------------------


async def two_shields(nodes: Nodes, **config: object) -> tuple[Node, dict[int, Node], Node]:
    origin, first, second, edge = (nodes.add(name) for name in ("origin", "first", "second", "edge"))
    for shield in (first, second):
        await shield.follow(origin.port)
    await edge.follow(
        first.port, second.port, proxy_lb="c_murmurhash", rebalance_after_ms=1, disable_server_duration=0, **config
    )
    return origin, {first.port: first, second.port: second}, edge


async def away_from_home(nodes: Nodes, **config: object) -> tuple[Node, Node, Node, Node]:
    """Origin, owner of the stream, the other shield and the edge, which pulls from the other while the owner lives."""
    origin, shields, edge = await two_shields(nodes, **config)
    assert edge.manager is not None
    home = edge.manager.aims.pull.home_of("_/live/s", edge.context.now_ms())
    assert home is not None
    owner = shields.pop(home.port)
    (other,) = shields.values()
    owner.stop_listening()
    return origin, owner, other, edge


async def test_pull_moves_to_the_owner_that_is_back_and_the_player_misses_nothing() -> None:
    async with Nodes() as nodes:
        origin, owner, other, edge = await away_from_home(nodes)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        assert other.registry.streams and not owner.registry.streams
        owner.listen()
        assert edge.manager is not None
        (pull,) = edge.manager.pulls.values()

        def is_home() -> bool:
            edge.tick()
            return pull.server is not None and pull.server.port == owner.port and pull.state == "waiting"

        await wait_until(is_home, 3, "the move")
        await feed.send(5)
        assert await pictures(player, 5) == [3, 4, 5, 6, 7]
        await wait_until(lambda: not other.registry.streams, 2, "the other shield let go")
        (stream,) = origin.registry.streams.values()
        assert stream.player_count == 1
        assert (pull.stream.stats.gap_count, pull.attempt_count) == (0, 3)
        assert edge.manager.counters()["upstream_move_count"] == 1


async def test_owner_that_has_no_data_gives_the_pull_back_and_no_end_is_told() -> None:
    async with Nodes() as nodes:
        origin, owner, other, edge = await away_from_home(nodes, timeout_ms=200)
        far = nodes.add("far")
        await far.follow(edge.port)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(far)
        assert await pictures(player, 3) == [0, 1, 2]
        assert owner.manager is not None
        await owner.manager.close()
        empty = nodes.add("empty")
        await owner.follow(empty.port)
        owner.listen()
        assert edge.manager is not None and far.manager is not None
        (pull,), (far_pull,) = edge.manager.pulls.values(), far.manager.pulls.values()

        def has_been_there() -> bool:
            edge.tick()
            return pull.attempt_count > 3

        await wait_until(has_been_there, 4, "the move and its end")
        await feed.send(5)
        assert await pictures(player, 5) == [3, 4, 5, 6, 7]
        assert pull.server is not None
        assert pull.server.port == other.port
        assert (far_pull.attempt_count, far_pull.stream.stats.gap_count) == (1, 0)


async def test_pull_at_a_spare_server_goes_home_once_the_better_one_is_up_and_the_player_misses_nothing() -> None:
    async with Nodes() as nodes:
        origin, better, spare, edge = (nodes.add(name) for name in ("origin", "better", "spare", "edge"))
        for shield in (better, spare):
            await shield.follow(origin.port)
        manager = await edge.follow(
            better.port, rebalance_after_ms=1, health_check_interval=1, disable_server_duration=0
        )
        places = ServerNode("127.0.0.1", better.port, "", 10), ServerNode("127.0.0.1", spare.port, "", 20)
        manager.aims.pull._on_update(places)
        better.stop_listening()
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        (pull,) = manager.pulls.values()
        assert pull.server == places[1] and pull.attempt_count == 2

        def is_home() -> bool:
            edge.tick()
            return pull.server == places[0] and pull.state == "waiting"

        edge.tick()
        await feed.send(2)
        assert await pictures(player, 2) == [3, 4] and pull.server == places[1], "it stays while the better one is down"
        better.listen()
        await wait_until(is_home, 4, "the move")
        await feed.send(5)
        assert await pictures(player, 5) == [5, 6, 7, 8, 9]
        assert (pull.stream.stats.gap_count, pull.attempt_count) == (0, 3)


async def test_pull_leaves_a_server_that_is_taken_off_the_list_and_the_player_misses_nothing() -> None:
    """So that a shield can be drained, and other edges do not fetch its streams a second time."""
    async with Nodes() as nodes:
        origin, owner, other, edge = await away_from_home(nodes)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        owner.listen()
        assert edge.manager is not None
        (pull,) = edge.manager.pulls.values()
        target = edge.manager.aims.pull
        target._on_update(tuple(server for server in target.servers if server.port == owner.port))

        def has_moved() -> bool:
            edge.tick()
            return pull.server is not None and pull.server.port == owner.port

        await wait_until(has_moved, 3, "the move")
        await feed.send(5)
        assert await pictures(player, 5) == [3, 4, 5, 6, 7]
        await wait_until(lambda: not other.registry.streams, 2, "the old server without streams")
        assert pull.stream.stats.gap_count == 0


async def test_pull_stays_at_a_server_off_the_list_when_it_alone_has_the_stream() -> None:
    """Such as an origin whose encoder has not left it yet."""
    async with Nodes() as nodes:
        origin, empty, edge = nodes.add("origin"), nodes.add("empty"), nodes.add("edge")
        await edge.follow(origin.port, rebalance_after_ms=1, timeout_ms=200, disable_server_duration=0)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        assert edge.manager is not None
        (pull,) = edge.manager.pulls.values()
        edge.manager.aims.pull._on_update((ServerNode("127.0.0.1", empty.port),))

        def has_been_there() -> bool:
            edge.tick()
            return pull.attempt_count >= 3 and pull.publisher.peer == f"127.0.0.1:{origin.port}"

        await wait_until(has_been_there, 4, "the move and the way back")
        await feed.send(5)
        assert await pictures(player, 5) == [3, 4, 5, 6, 7]
        assert (pull.stream.stats.gap_count, pull.policy.deadline_ms) == (0, None)
