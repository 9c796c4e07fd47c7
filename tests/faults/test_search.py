"""Origins behind rr, each with streams of its own: the one that has a stream is found at once, be they many."""

from __future__ import annotations

import asyncio

import pytest

from edge.upstream.config import UpstreamConfig
from edge.upstream.target import Target
from tests.harness.clock import deadline
from tests.net.serving import Node, Nodes, pictures, status_of, wait_until

_COUNT = 10


async def _edge_of_many(nodes: Nodes, **config: object) -> tuple[list[Node], Node]:
    origins = [nodes.add(f"origin{number}") for number in range(_COUNT)]
    edge = nodes.add("edge")
    await edge.follow(*(origin.port for origin in origins), **{"retry_interval_ms": 1000, **config})
    return origins, edge


@pytest.mark.parametrize("waits", [True, False])
async def test_stream_that_one_of_ten_origins_has_plays_at_once(waits: bool) -> None:
    async with Nodes() as nodes:
        origins, edge = await _edge_of_many(nodes, pull_wait_for_stream=waits)
        feed = await nodes.publisher(origins[-1])
        await feed.send(3)
        loop = asyncio.get_running_loop()
        for _ in range(3):
            began = loop.time()
            player = await nodes.player(edge)
            assert await pictures(player, 3) == [0, 1, 2]
            assert loop.time() - began <= deadline(0.9), "it waited for a retry"
            player.peer.abort()
            assert edge.manager is not None
            await wait_until(lambda: not edge.manager or not any(s.player_count for s in _streams(edge)), 2, "left")


def _streams(node: Node) -> list:
    return list(node.registry.streams.values())


async def test_stream_that_nobody_has_is_asked_for_once_everywhere_and_then_at_the_pace_of_retries() -> None:
    async with Nodes() as nodes:
        _, edge = await _edge_of_many(nodes)
        await nodes.player(edge)
        manager = edge.manager
        assert manager is not None
        await wait_until(lambda: manager.pulls, 2, "the pull")
        (pull,) = manager.pulls.values()
        await wait_until(lambda: pull.attempt_count >= _COUNT, 2, "a round")
        await asyncio.sleep(0.5)
        assert pull.attempt_count <= _COUNT + 1


async def test_play_of_a_stream_that_nobody_has_is_refused_after_one_round_where_nobody_is_to_wait() -> None:
    async with Nodes() as nodes:
        _, edge = await _edge_of_many(nodes, pull_wait_for_stream=False)
        player = await nodes.player(edge)
        codes = [await status_of(player) for _ in range(3)]
        assert codes[-1] == "NetStream.Play.StreamNotFound"


async def test_stream_whose_origin_died_is_found_at_the_one_that_has_it_now_without_a_wait_at_each() -> None:
    async with Nodes() as nodes:
        origins, edge = await _edge_of_many(nodes)
        feed = await nodes.publisher(origins[0])
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        feed = await nodes.publisher(origins[-1])
        await feed.send(3)
        origins[0].stop_listening()
        origins[0].drop_connections()
        began = asyncio.get_running_loop().time()
        assert await pictures(player, 3) == [0, 1, 2]
        assert asyncio.get_running_loop().time() - began <= deadline(0.25), "it waited at each origin"


async def test_stream_that_its_owner_does_not_have_is_not_looked_for_everywhere() -> None:
    async with Nodes() as nodes:
        _, edge = await _edge_of_many(nodes, proxy_lb="c_murmurhash")
        await nodes.player(edge)
        manager = edge.manager
        assert manager is not None
        await wait_until(lambda: manager.pulls, 2, "the pull")
        (pull,) = manager.pulls.values()
        await wait_until(lambda: pull.attempt_count == 3, 2, "the fast retries")
        await asyncio.sleep(0.5)
        assert pull.attempt_count == 3


@pytest.mark.parametrize("pause_s", [0.0, 1.2])
async def test_stream_whose_encoder_goes_to_another_origin_is_found_there_before_its_players_are_ended(
    pause_s: float,
) -> None:
    async with Nodes() as nodes:
        origins, edge = await _edge_of_many(nodes, retry_interval_ms=200, publisher_return_ms=3000)
        feed = await nodes.publisher(origins[0])
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        await feed.leave()
        await wait_until(lambda: not any(stream.publisher for stream in _streams(origins[0])), 2, "the end")
        await asyncio.sleep(pause_s)
        began = asyncio.get_running_loop().time()
        feed = await nodes.publisher(origins[-1])
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]
        assert asyncio.get_running_loop().time() - began <= deadline(1.2), "it waited at one origin"


async def test_streams_that_end_together_do_not_all_ask_all_origins_again_and_again() -> None:
    async with Nodes() as nodes:
        _, edge = await _edge_of_many(nodes)
        assert edge.manager is not None
        may = [edge.manager.may_ask_all(now_ms) for now_ms in [5000] * 100 + [6000]]
        assert may.count(True) == 51
        assert may[-1]


async def test_player_that_came_before_its_publisher_plays_soon_whichever_origin_that_comes_to() -> None:
    async with Nodes() as nodes:
        origins, edge = await _edge_of_many(nodes)
        player = await nodes.player(edge)
        manager = edge.manager
        assert manager is not None
        await wait_until(lambda: [pull.state for pull in manager.pulls.values()] == ["waiting"], 2, "the wait")
        (pull,) = manager.pulls.values()
        other = next(origin for origin in origins if pull.server is None or origin.port != pull.server.port)
        feed = await nodes.publisher(other)
        await feed.send(3)
        began = asyncio.get_running_loop().time()
        assert await pictures(player, 3) == [0, 1, 2]
        assert asyncio.get_running_loop().time() - began <= deadline(1.5)


@pytest.mark.parametrize(
    ("proxy_to", "proxy_lb", "expected"),
    [
        ("list://10.0.0.1:1,10.0.0.1:2", "rr", True),
        ("list://10.0.0.1:1,10.0.0.1:2", "c_murmurhash", False),
        ("list://10.0.0.1:1", "rr", False),
        ("10.0.0.1:1", "", False),
    ],
)
async def test_stream_may_be_anywhere_where_no_hash_names_its_owner(
    proxy_to: str, proxy_lb: str, expected: bool
) -> None:
    target = Target(proxy_to, proxy_lb, UpstreamConfig())
    assert await target.start(within_ms=1000)
    assert target.may_be_anywhere is expected
    await target.close()
