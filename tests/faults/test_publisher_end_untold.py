"""An encoder at an edge stops while the upstream of the edge is away: the edge alone knows of it."""

from __future__ import annotations

import asyncio

import pytest

from tests.net.serving import Nodes, pictures, status_of, wait_until

_RETURN_MS = 300


@pytest.mark.parametrize("is_back", [False, True])
async def test_players_of_an_encoder_that_stopped_while_the_upstream_was_away_do_not_wait_forever(
    is_back: bool,
) -> None:
    async with Nodes() as nodes:
        upstream, edge = nodes.add("upstream"), nodes.add("edge")
        manager = await edge.follow(upstream.port, publisher_return_ms=_RETURN_MS, health_check_interval=1)
        feed = await nodes.publisher(edge)
        player = await nodes.player(edge)
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]
        upstream.stop_listening()
        upstream.drop_connections()
        (pull,) = manager.pulls.values()
        await wait_until(lambda: pull.state != "live", 2, "the loss")
        await feed.leave()
        if is_back:
            await asyncio.sleep(0.1)
            upstream.listen()
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"


async def test_players_of_an_encoder_that_comes_back_after_the_upstream_go_on() -> None:
    async with Nodes() as nodes:
        upstream, edge = nodes.add("upstream"), nodes.add("edge")
        await edge.follow(upstream.port, publisher_return_ms=3000, health_check_interval=1)
        feed = await nodes.publisher(edge)
        player = await nodes.player(edge)
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]
        upstream.stop_listening()
        upstream.drop_connections()
        await feed.leave()
        upstream.listen()
        feed = await nodes.publisher(edge)
        await feed.send(3)
        assert await pictures(player, 3) == [0, 1, 2]
