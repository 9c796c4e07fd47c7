"""A play whose pull gives up at once, as there is nobody to ask, is told so: it must not join a stream that is over."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.client import RtmpClient, decode_command
from tests.harness.clock import deadline, wait_until
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.wire import COMMAND

pytestmark = pytest.mark.faults

_NOT_FOUND = "NetStream.Play.StreamNotFound"
_FLAGS = ("-proxy_to=list://nowhere.invalid:1", "-proxy_lb=rr", "-max_retry_duration_ms=0")


async def assert_nothing_is_left(edge: EdgeServer) -> None:
    def is_empty() -> bool:
        counters = edge.counters()
        return not edge.streams() and counters["shared_log_player_count"] == 0

    await wait_until(is_empty, deadline(3), "no stream and no player")


async def test_first_player_and_those_after_it_are_told() -> None:
    with EdgeServer(*_FLAGS, "-missing_cache_ms=300") as edge:
        for pause_s in (0.0, 0.0, 0.5, 0.5):
            await asyncio.sleep(pause_s)
            async with SynthPlayer(edge.rtmp_url("live", "s")) as player:
                await player.wait_status(_NOT_FOUND, 3)
                await player.wait_end(3)
        await assert_nothing_is_left(edge)


async def test_each_of_several_plays_on_a_connection_is_told() -> None:
    with EdgeServer(*_FLAGS, "-nortmp_server_close_connection_on_error") as edge:
        client, _ = await RtmpClient.open(edge.rtmp_url("live", "-"))
        ids = [client.message_stream_id, int((await client.call("createStream", None))[3])]
        told: list[int] = []
        for number, message_stream_id in enumerate(ids):
            client.message_stream_id = message_stream_id
            client.play(f"s{number}")
        async with asyncio.timeout(deadline(5)):
            while sorted(told) != sorted(ids):
                message = await client.next_message()
                if message.type_id == COMMAND and _NOT_FOUND in str(decode_command(message)):
                    told.append(message.message_stream_id)
        await assert_nothing_is_left(edge)
        client.peer.abort()


async def test_player_of_an_edge_behind_it_is_told() -> None:
    with (
        EdgeServer(*_FLAGS) as middle,
        EdgeServer(f"-proxy_to={middle.address}", "-max_retry_duration_ms=0", "-nopull_wait_for_stream") as edge,
    ):
        async with SynthPlayer(edge.rtmp_url("live", "s")) as player:
            await player.wait_status(_NOT_FOUND, 5)
        for node in (middle, edge):
            await assert_nothing_is_left(node)
