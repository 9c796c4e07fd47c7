"""Of two origins the one with the stream dies: the other one does not have it, which says nothing of the publisher."""

from __future__ import annotations

import asyncio

from edge.upstream.pull import Pull
from naming.node import ServerNode
from tests.harness.client import RtmpClient
from tests.net.serving import Feed, Node, Nodes, pictures, status_of, wait_until

_RETURN_MS = 300


async def _playing(nodes: Nodes) -> tuple[Node, Node, RtmpClient, Feed]:
    """Of two origins the one with the stream, an edge of both with a player, and the publisher."""
    home, other, edge = (nodes.add(name) for name in ("home", "other", "edge"))
    await edge.follow(home.port, other.port, publisher_return_ms=_RETURN_MS, health_check_interval=1)
    feed = await nodes.publisher(home)
    await feed.send(3)
    player = await nodes.player(edge)
    assert await pictures(player, 3) == [0, 1, 2]
    return home, edge, player, feed


async def _orphan(nodes: Nodes) -> tuple[Node, Node, RtmpClient, Pull]:
    """The origin that died, the edge, its player and pull, ``_RETURN_MS`` and more after both origins were asked."""
    home, edge, player, _ = await _playing(nodes)
    manager = edge.manager
    assert manager is not None
    (pull,) = manager.pulls.values()
    home.stop_listening()
    home.drop_connections()
    attempts = pull.attempt_count
    await wait_until(lambda: pull.attempt_count >= attempts + 4, 3, "both to be asked")
    await asyncio.sleep(2 * _RETURN_MS / 1000)
    assert manager.pulls, "the player was given up"
    return home, edge, player, pull


async def test_players_stay_until_the_origin_is_back() -> None:
    async with Nodes() as nodes:
        home, _, player, _ = await _orphan(nodes)
        home.listen()
        feed = await nodes.publisher(home)
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]


async def test_players_end_when_the_origin_is_back_without_the_stream() -> None:
    async with Nodes() as nodes:
        home, _, player, _ = await _orphan(nodes)
        for stream in list(home.registry.streams.values()):
            home.registry.end_stream(stream, "died")
        home.listen()
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"


async def test_players_end_when_the_origin_is_taken_off_the_list() -> None:
    async with Nodes() as nodes:
        home, edge, player, pull = await _orphan(nodes)
        left = [server for server in pull.target.servers if server != ServerNode("127.0.0.1", home.port)]
        pull.target._on_update(tuple(left))
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"
        assert edge.manager is not None and not edge.manager.pulls


async def test_end_of_the_broadcast_that_the_origin_told_before_it_died_stands() -> None:
    async with Nodes() as nodes:
        home, _, player, feed = await _playing(nodes)
        await feed.leave()
        await wait_until(lambda: not any(s.publisher for s in home.registry.streams.values()), 2, "the end")
        home.stop_listening()
        home.drop_connections()
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"


async def test_players_of_a_node_behind_the_edge_stay_as_well() -> None:
    async with Nodes() as nodes:
        home, other, edge, behind = (nodes.add(name) for name in ("home", "other", "edge", "behind"))
        manager = await edge.follow(home.port, other.port, publisher_return_ms=_RETURN_MS, health_check_interval=1)
        last = await behind.follow(edge.port, publisher_return_ms=_RETURN_MS)
        feed = await nodes.publisher(home)
        await feed.send(3)
        player = await nodes.player(behind)
        assert await pictures(player, 3) == [0, 1, 2]
        (pull,) = manager.pulls.values()
        home.stop_listening()
        home.drop_connections()
        attempts = pull.attempt_count
        await wait_until(lambda: pull.attempt_count >= attempts + 4, 3, "both to be asked")
        await asyncio.sleep(3 * _RETURN_MS / 1000)
        assert last.pulls, "the player was given up"
        home.listen()
        feed = await nodes.publisher(home)
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]
