"""The shell around server sessions: publishers and players on real sockets."""

from __future__ import annotations

import asyncio

import pytest

from tests.net.serving import Nodes, media, pictures, status_of, wait_until


async def test_published_pictures_reach_a_player_from_0() -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        feed = await nodes.publisher(origin)
        await feed.send(15)
        await wait_until(lambda: origin.registry.streams, 2, "publish")
        player = await nodes.player(origin)
        assert await status_of(player) == "NetStream.Play.Reset"
        assert await status_of(player) == "NetStream.Play.Start"
        got = await media(player, 5)
        assert [m.timestamp for m in got] == [0, 40, 80, 120, 160]
        await feed.send(5)
        assert await pictures(player, 5) == [15, 16, 17, 18, 19]


async def test_end_of_the_publish_is_told_behind_the_last_picture() -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(origin)
        await pictures(player, 3)
        await feed.send(4)
        await feed.leave()
        assert await pictures(player, 4) == [3, 4, 5, 6]
        assert await status_of(player) == "NetStream.Play.UnpublishNotify"
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await status_of(player)
        assert origin.registry.streams == {}


async def test_unknown_stream_is_refused_after_the_start() -> None:
    async with Nodes() as nodes:
        player = await nodes.player(nodes.add(), "absent")
        codes = [await status_of(player) for _ in range(3)]
        assert codes[-1] == "NetStream.Play.StreamNotFound"


@pytest.mark.parametrize("name", ["", "../x", "a\tb"])
async def test_M15_bad_names_are_refused(name: str) -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        client = await origin.client()
        nodes.clients.append(client)
        client.publish(name)
        assert await status_of(client) == "NetStream.Publish.BadName"


async def test_M8_second_publisher_takes_over_and_the_clock_goes_on() -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        first = await nodes.publisher(origin)
        await first.send(5)
        player = await nodes.player(origin)
        before = await media(player, 5)
        second = await nodes.publisher(origin)
        await first.send(2)
        await second.send(5)
        after = await media(player, 5)
        assert [int(m.payload[5:11]) for m in after] == [0, 1, 2, 3, 4]
        assert after[0].timestamp == before[-1].timestamp + 40


async def test_second_play_on_a_connection_leaves_both_whole() -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        feeds = [await nodes.publisher(origin, name) for name in ("a", "b")]
        for feed in feeds:
            await feed.send(3)
        await wait_until(lambda: len(origin.registry.streams) == 2, 2, "publishes")
        player = await nodes.player(origin, "a")
        first_id = player.message_stream_id
        assert await pictures(player, 3) == [0, 1, 2]
        second_id = int((await player.call("createStream", None))[3])
        player.message_stream_id = second_id
        player.play("b")
        await player.peer.drain()
        await wait_until(lambda: sum(s.player_count for s in origin.registry.streams.values()) == 2, 2, "second play")
        for feed in feeds:
            await feed.send(3)
        numbers: dict[int, list[int]] = {first_id: [], second_id: []}
        clocks: dict[int, list[int]] = {first_id: [], second_id: []}
        while any(not seen or seen[-1] != 5 for seen in numbers.values()):
            (message,) = await media(player, 1)
            numbers[message.message_stream_id].append(int(message.payload[5:11]))
            clocks[message.message_stream_id].append(message.timestamp)
        assert numbers == {first_id: [3, 4, 5], second_id: [0, 1, 2, 3, 4, 5]}
        assert clocks == {first_id: [120, 160, 200], second_id: [0, 40, 80, 120, 160, 200]}


async def test_connection_that_goes_takes_its_publish_and_play_along() -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(origin)
        await pictures(player, 3)
        player.peer.abort()
        stream = next(iter(origin.registry.streams.values()))
        await wait_until(lambda: stream.player_count == 0, 2, "player gone")
        assert origin.context.fanout.player_count == 0
        feed.client.peer.abort()
        await wait_until(lambda: not origin.registry.streams, 2, "publisher gone")
        await wait_until(lambda: not origin.context.connections, 2, "connections gone")
