"""A player of FLV after its head: what it says is thrown away, and its play ends in good order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.net.log_connection import MAX_IDLE_TALK_BYTES, LogConnection
from edge.service.refusal import Reason, Refusal
from tests.harness.clock import deadline, wait_until
from tests.harness.http_media import FlvReader
from tests.harness.raw_http import RawHttp
from tests.httpd.feeding import Source
from tests.runtime.nodes import RunningNode, running


@asynccontextmanager
async def playing() -> AsyncIterator[tuple[RunningNode, Source, FlvReader, LogConnection]]:
    """A node, its publisher, and a player that has begun."""
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with FlvReader(f"http://127.0.0.1:{node.port()}/live/s.flv") as reader:
            await reader.wait_items(5, 3)
            (connection,) = [one for one in node.node.context.connections if isinstance(one, LogConnection)]
            yield node, source, reader, connection


async def test_play_that_may_not_go_on_ends_behind_a_whole_tag() -> None:
    async with playing() as (node, _, reader, connection):
        connection.play.stop(Refusal(Reason.KICKED, "somebody says so"))
        await reader.wait_end(2)
        assert (reader.error, reader.cut_bytes) == (None, 0)
        assert node.node.context.counters["error_kicked_count"] == 1
        assert connection.play.stream.player_count == 0
        connection.play.stop(Refusal(Reason.KICKED, "twice"))


async def test_what_the_player_has_not_got_is_described() -> None:
    async with playing() as (_, _, _, connection):
        player = connection.player
        assert player is not None
        player.tail = b"private"
        assert connection.describe_socket().behind_bytes == connection.behind_bytes() >= len(b"private")
        player.tail = None
        connection.player = None
        assert connection.behind_bytes() == 0
        connection.player = player


async def test_first_frame_of_a_viewer_over_http_is_counted() -> None:
    async with playing() as (node, _, _, _):
        first_frame = node.node.context.first_frame
        assert first_frame.count == 1
        assert 0 <= first_frame.total < 1000 * deadline(5)


async def test_stop_of_the_server_ends_the_body() -> None:
    async with playing() as (_, _, reader, connection):
        connection.shut_down("stopping")
        await reader.wait_end(2)
        assert reader.error is None


async def test_client_that_leaves_is_gone_at_once() -> None:
    async with playing() as (_, _, reader, connection):
        stream = connection.play.stream
        await reader.stop()
        await wait_until(lambda: not stream.player_count, deadline(1), "the play to be given back")
        assert connection.state == "closed"


@pytest.mark.parametrize("is_too_much", [False, True])
async def test_H16_client_that_keeps_sending(is_too_much: bool) -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with await RawHttp.open(f"http://127.0.0.1:{node.port()}/live/s.flv") as client:
            await client.send(b"GET /live/s.flv HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await client.read_head()).status == 200
            await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(MAX_IDLE_TALK_BYTES - 100))
            if is_too_much:
                await client.send(bytes(1000))
                await client.read(deadline(2))
                assert client.end in ("reset", "fin")
                assert node.node.context.counters["error_idle_talk_count"] == 1
                return
            await asyncio.sleep(0.1)
            count = len(client.data)
            source.push(30)
            await client.read(deadline(2), until_bytes=count + 1000)
            assert (client.end, b"HTTP/1.1" in client.data[20:]) == ("open", False)


async def test_player_that_does_not_read_is_ended_in_time() -> None:
    async with running("-send_timeout_ms=300", "-queue_length_s=3600") as node:
        source = await Source.at(node)
        source.push(30)
        async with FlvReader(f"http://127.0.0.1:{node.port()}/live/s.flv", receive_buffer=4096) as reader:
            await reader.wait_items(1, 3)
            reader.is_reading.clear()

            def is_over() -> bool:
                source.push(500)
                return node.node.context.counters["error_slow_player_count"] > 0

            await wait_until(is_over, deadline(5), "the end of a player that takes nothing")
