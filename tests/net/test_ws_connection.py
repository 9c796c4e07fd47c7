"""A player by WebSocket: pings are answered between two messages, the close by a close."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from edge.service.refusal import Reason, Refusal
from tests.harness.clock import deadline, wait_until
from tests.harness.http_media import WsFlvReader
from tests.harness.raw_http import RawHttp, request_head, upgrade_lines
from tests.httpd.feeding import Source
from tests.net.test_ws_frames import CLOSE, PING, TEXT, frame
from tests.runtime.nodes import RunningNode, running


def url(node: RunningNode) -> str:
    return f"ws://127.0.0.1:{node.port()}/live/s.flv"


async def test_pings_are_answered_while_the_stream_goes_on() -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url(node), autoping=False, max_msg_size=0) as socket,
        ):
            pongs = 0
            for number in range(5):
                await socket.ping(str(number).encode())
                await socket.send_str("said in passing")
                source.push(10)
                async with asyncio.timeout(deadline(2)):
                    while (message := await socket.receive()).type is not aiohttp.WSMsgType.PONG:
                        assert message.type is aiohttp.WSMsgType.BINARY
                assert message.data == str(number).encode()
                pongs += 1
            assert pongs == 5


async def test_close_is_answered_with_its_code() -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with aiohttp.ClientSession() as session, session.ws_connect(url(node), max_msg_size=0) as socket:
            await socket.receive()
            assert await socket.close(code=4001)
            assert socket.close_code == 4001
        await wait_until(lambda: not node.node.context.fanout.player_count, deadline(1), "the end")


async def test_kicked_player_is_told_by_another_code_than_the_end() -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with WsFlvReader(url(node)) as reader:
            await reader.wait_items(5, 3)
            (connection,) = [one for one in node.node.context.connections if one.role == "play"]
            connection.play.stop(Refusal(Reason.KICKED, "somebody says so"))
            await reader.wait_end(2)
            assert (reader.close_code, reader.cut_bytes) == (1001, 0)


async def test_player_that_is_idle_for_too_long_is_told() -> None:
    """Its connection just ended."""
    async with running("-server_idle_timeout=1") as node:
        await node.get("/health")  # what it loads would take of the second
        source = await Source.at(node)
        source.push(30)
        async with WsFlvReader(url(node)) as reader:
            await reader.wait_items(5, 3)
            await reader.wait_end(5)
            assert (reader.close_code, reader.cut_bytes) == (1001, 0)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(TEXT, b"x", is_masked=False), 1002, id="not masked"),
        pytest.param(frame(0x3), 1002, id="unknown opcode"),
        pytest.param(frame(PING, bytes(100)) + frame(CLOSE), 1000, id="ping and close at once"),
        pytest.param(frame(CLOSE, b"\x03\xe9" + b"r" * 123), 1001, id="close with the longest reason"),
        pytest.param(frame(CLOSE, b"\x03\xe9" + b"r" * 124), 1002, id="close with a longer reason"),
        pytest.param(frame(CLOSE, b"\x03\xed"), 1002, id="a code that may not be sent"),
        pytest.param(frame(TEXT, b"x", first=0xC0), 1002, id="compressed"),
        pytest.param(b"\x82\xff" + (1 << 63).to_bytes(8, "big") + b"mask", 1002, id="a size of 64 bits"),
        pytest.param(
            frame(TEXT, b"x", first=0) + frame(0, b"y", first=0) + frame(PING) + frame(0) + frame(CLOSE),
            1000,
            id="fragments",
        ),
    ],
)
async def test_odd_clients_are_closed_with_a_code(sent: bytes, code: int) -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with await RawHttp.open(url(node)) as client:
            await client.send(request_head(url(node), *upgrade_lines()))
            assert (await client.read_head()).status == 101
            await client.send(sent)
            await client.read(deadline(2))
            assert client.end == "fin"
            assert client.data.endswith(b"\x88\x02" + code.to_bytes(2, "big"))


async def test_frames_that_come_with_the_handshake_are_read() -> None:
    """No client may send them before the answer; those of some do."""
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with await RawHttp.open(url(node)) as client:
            await client.send(request_head(url(node), *upgrade_lines()) + frame(PING, b"early") + frame(CLOSE))
            await client.read(deadline(2))
            assert client.end == "fin"
            assert b"\x8a\x05early" in client.data


async def test_of_pings_that_come_together_the_last_is_answered() -> None:
    """Each answer is a call of the kernel: a client could have thousands of them made at once."""
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with await RawHttp.open(url(node)) as client:
            pings = b"".join(frame(PING, number.to_bytes(4, "big")) for number in range(5000))
            await client.send(request_head(url(node), *upgrade_lines()))
            assert (await client.read_head()).status == 101
            await client.send(pings + frame(CLOSE))
            await client.read(deadline(2))
            assert client.end == "fin"
            assert 1 <= client.data.count(b"\x8a\x04\0\0") < 100
            assert b"\x8a\x04" + (4999).to_bytes(4, "big") in client.data


async def test_H16_client_that_talks_without_end() -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(30)
        async with await RawHttp.open(url(node)) as client:
            await client.send(request_head(url(node), *upgrade_lines()))
            assert (await client.read_head()).status == 101
            await client.send(frame(TEXT, bytes(70_000)))
            await client.read(deadline(2))
            assert node.node.context.counters["error_idle_talk_count"] == 1
