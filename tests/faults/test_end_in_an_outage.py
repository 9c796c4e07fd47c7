"""A broadcast ends while the nodes between its origin and its players are away: nobody was there to hear of it."""

from __future__ import annotations

import asyncio

from edge.upstream.manager import UpstreamManager
from naming.node import ServerNode
from tests.harness.client import RtmpClient
from tests.net.serving import Node, Nodes, pictures, status_of, wait_until


async def _ended_meanwhile(nodes: Nodes, *, return_ms: int) -> tuple[Node, UpstreamManager, RtmpClient]:
    """The origin, the edge's manager and its player, after a broadcast that ended while there was no shield."""
    origin, shield, edge = (nodes.add(name) for name in ("origin", "shield", "edge"))
    shield_manager = await shield.follow(origin.port)
    manager = await edge.follow(shield.port, publisher_return_ms=return_ms)
    feed = await nodes.publisher(origin)
    await feed.send(3)
    player = await nodes.player(edge)
    assert await pictures(player, 3) == [0, 1, 2]
    shield.stop_listening()
    shield.drop_connections()
    await feed.leave()
    await wait_until(lambda: not origin.registry.streams, 2, "the end")
    await shield_manager.close()
    fresh = nodes.add("fresh")
    await fresh.follow(origin.port)
    manager.aims.pull._on_update((ServerNode("127.0.0.1", fresh.port),))
    return origin, manager, player


async def test_players_behind_a_shield_that_restarted_are_told_of_the_end() -> None:
    async with Nodes() as nodes:
        _, manager, player = await _ended_meanwhile(nodes, return_ms=400)
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"
        assert not manager.pulls


async def test_publisher_that_returns_after_such_an_end_keeps_the_players() -> None:
    async with Nodes() as nodes:
        origin, manager, player = await _ended_meanwhile(nodes, return_ms=5000)
        (pull,) = manager.pulls.values()
        await wait_until(lambda: pull.policy.deadline_ms is not None, 3, "word of the end")
        feed = await nodes.publisher(origin)
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]
        assert pull.policy.deadline_ms is None


async def test_nodes_that_never_had_the_stream_wait_for_it_without_asking_again() -> None:
    async with Nodes() as nodes:
        origin, shield, edge = (nodes.add(name) for name in ("origin", "shield", "edge"))
        await shield.follow(origin.port)
        manager = await edge.follow(shield.port)
        await nodes.player(edge)
        await wait_until(lambda: [pull.state for pull in manager.pulls.values()] == ["waiting"], 2, "the wait")
        await asyncio.sleep(0.5)
        (pull,) = manager.pulls.values()
        assert (pull.state, pull.attempt_count) == ("waiting", 1)


async def test_stream_that_the_last_origin_has_is_not_called_ended_on_the_way_to_it() -> None:
    async with Nodes() as nodes:
        origins = [nodes.add(f"origin{number}") for number in range(6)]
        shield, fresh, edge = (nodes.add(name) for name in ("shield", "fresh", "edge"))
        for each in (shield, fresh):
            await each.follow(*(origin.port for origin in origins))
        manager = await edge.follow(shield.port)
        feed = await nodes.publisher(origins[3])
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        manager.aims.pull._on_update((ServerNode("127.0.0.1", fresh.port),))
        shield.stop_listening()
        shield.drop_connections()
        await feed.send(3)
        assert await pictures(player, 3) == [3, 4, 5]
        (pull,) = manager.pulls.values()
        assert "no publisher" not in pull.last_error
        assert pull.stream.stats.gap_count == 0
