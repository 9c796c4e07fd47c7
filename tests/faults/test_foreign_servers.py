"""Servers of other makes above an edge: how they begin and end plays, and what they want of a push."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.harness.client import RtmpClient, decode_command
from tests.harness.clock import deadline, wait_until
from tests.harness.foreign import ForeignServer, status
from tests.harness.server import EdgeServer
from tests.harness.wire import AUDIO, COMMAND, DATA, USER_CONTROL, VIDEO, Message, RtmpPeer, decode_amf, encode_amf

UNPUBLISHED = "NetStream.Play.UnpublishNotify"
HEADER, SOUND_HEADER = b"\x17\0\0\0\0header", b"\xaf\0\x12\x10"


def picture(number: int) -> bytes:
    return bytes((0x17 if number % 10 == 0 else 0x27, 1, 0, 0, 0)) + b"%06d" % number


async def media(peer: RtmpPeer, first: int, count: int, *, message_stream_id: int = 1) -> None:
    """Pictures with sound, four times as fast as they are shown."""
    for number in range(first, first + count):
        peer.send(6, VIDEO, message_stream_id, number * 40, picture(number))
        peer.send(4, AUDIO, message_stream_id, number * 40, b"\xaf\1sound%d" % number)
        await peer.drain()
        await asyncio.sleep(0.01)


def headers(peer: RtmpPeer, *, message_stream_id: int = 1) -> None:
    peer.send(5, DATA, message_stream_id, 0, encode_amf("onMetaData", {"width": 16.0}))
    peer.send(6, VIDEO, message_stream_id, 0, HEADER)
    peer.send(4, AUDIO, message_stream_id, 0, SOUND_HEADER)


@asynccontextmanager
async def edge_of(server: ForeignServer, *flags: str) -> AsyncIterator[EdgeServer]:
    edge = EdgeServer(f"-proxy_to=127.0.0.1:{server.port}", "-publisher_return_ms=500", *flags)
    await asyncio.to_thread(edge.__enter__)
    try:
        yield edge
    except BaseException as error:
        await asyncio.to_thread(edge.__exit__, type(error))
        raise
    await asyncio.to_thread(edge.__exit__, None)


async def played(edge: EdgeServer, until: Callable[[Message], object], within_s: float = 8.0) -> list[Message]:
    """What a player of the edge gets up to the message that is wanted."""
    client, name = await RtmpClient.open(edge.rtmp_url("live", "cam"))
    try:
        client.play(name)
        found: list[Message] = []
        async with asyncio.timeout(deadline(within_s)):
            while not found or not until(found[-1]):
                found.append(await client.next_message())
        return found
    finally:
        client.peer.abort()


def numbers(found: list[Message]) -> list[int]:
    return [int(m.payload[5:]) for m in found if m.type_id == VIDEO and m.payload[1] == 1]


def is_status(code: str) -> Callable[[Message], bool]:
    def is_it(message: Message) -> bool:
        if message.type_id != COMMAND:
            return False
        values = decode_command(message)
        return values[0] == "onStatus" and values[3].get("code") == code

    return is_it


Say = Callable[[RtmpPeer], None]


def data(*values: object) -> Say:
    return lambda peer: peer.send(5, DATA, 1, 0, encode_amf(*values))


ENDS: dict[str, Say] = {
    "UnpublishNotify": lambda peer: status(peer, UNPUBLISHED),
    "Play.Stop": lambda peer: status(peer, "NetStream.Play.Stop"),
    "Play.Stop on stream 0": lambda peer: status(peer, "NetStream.Play.Stop", message_stream_id=0),
    "Play.Complete": data("onPlayStatus", {"level": "status", "code": "NetStream.Play.Complete"}),
    "StreamEOF": lambda peer: peer.send(2, USER_CONTROL, 0, 0, struct.pack(">HI", 1, 1)),
    "onFCUnsubscribe": lambda peer: peer.send_command(0, "onFCUnsubscribe", 0, None, {"code": "NetStream.Play.Stop"}),
    "a bare onFCUnpublish": lambda peer: peer.send(3, COMMAND, 0, 0, encode_amf("onFCUnpublish")),
}


@pytest.mark.parametrize("end", ENDS)
async def test_end_in_any_words_reaches_the_players(end: str) -> None:
    was_played = False

    async def play(peer: RtmpPeer) -> None:
        nonlocal was_played
        status(peer, "NetStream.Play.Reset")
        status(peer, "NetStream.Play.Start")
        if not was_played:  # asked again it has nothing
            was_played = True
            headers(peer)
            await media(peer, 0, 30)
            ENDS[end](peer)
            await peer.drain()

    async with ForeignServer(play) as server, edge_of(server) as edge:
        found = await played(edge, is_status(UNPUBLISHED))
        assert numbers(found) == list(range(30))


async def test_server_that_asks_to_close_and_waits_is_asked_again() -> None:
    async def play(peer: RtmpPeer) -> None:
        status(peer, "NetStream.Play.Start")
        headers(peer)
        if server.asked == 1:
            await media(peer, 0, 30)
            peer.send_command(0, "close", 0, None)
            await peer.drain()
            await asyncio.sleep(deadline(10))
        await media(peer, 100, 30)

    async with ForeignServer(play) as server, edge_of(server) as edge:
        found = await played(edge, lambda m: m.type_id == VIDEO and m.payload == picture(129))
        assert numbers(found) == [*range(30), *range(100, 130)]
        assert server.asked == 2


@pytest.mark.parametrize("code", ["NetStream.Pause.Notify", "NetStream.Play.Switch", "NetStream.Play.InsufficientBW"])
async def test_what_is_no_end_is_none(code: str) -> None:
    async def play(peer: RtmpPeer) -> None:
        status(peer, "NetStream.Play.Start")
        headers(peer)
        await media(peer, 0, 20)
        status(peer, code)
        data("onPlayStatus", {"level": "status", "code": code})(peer)
        peer.send(2, USER_CONTROL, 0, 0, struct.pack(">HI", 2, 1))
        peer.send(2, USER_CONTROL, 0, 0, b"\0\0")
        peer.send(3, COMMAND, 0, 0, b"\x0d")
        await media(peer, 20, 20)

    async with ForeignServer(play) as server, edge_of(server) as edge:
        found = await played(edge, lambda m: m.type_id == VIDEO and m.payload == picture(39))
        assert numbers(found) == list(range(40))
        assert server.asked == 1


async def started_on_0(peer: RtmpPeer) -> None:
    status(peer, "NetStream.Play.Start", message_stream_id=0)
    headers(peer)


async def started_late(peer: RtmpPeer) -> None:
    await asyncio.sleep(0.5)
    status(peer, "NetStream.Play.Start")
    headers(peer)


async def headed_before_the_start(peer: RtmpPeer) -> None:
    headers(peer)
    await asyncio.sleep(0.1)
    status(peer, "NetStream.Play.Start")


async def never_started(peer: RtmpPeer) -> None:
    headers(peer)
    for number in range(0, 10):  # the first half second tells that no Play.Start will come
        peer.send(6, VIDEO, 1, number, picture(900 + number))
        await peer.drain()
        await asyncio.sleep(0.07)


@pytest.mark.parametrize("start", [started_on_0, started_late, headed_before_the_start, never_started])
async def test_play_begins_with_headers_however_it_is_started(start: Callable[[RtmpPeer], Awaitable[None]]) -> None:
    async def play(peer: RtmpPeer) -> None:
        await start(peer)
        await media(peer, 0, 60)

    async with ForeignServer(play) as server, edge_of(server, "-timeout_ms=3000") as edge:
        found = await played(edge, lambda m: m.type_id == VIDEO and m.payload == picture(59))
        assert [number for number in numbers(found) if number < 900] == list(range(60))
        bodies = [m.payload for m in found if m.type_id in (AUDIO, VIDEO)]
        assert HEADER in bodies[:2] and SOUND_HEADER in bodies[:3]
        assert server.asked == 1


async def test_metadata_of_a_push_are_set_as_an_encoder_sets_them() -> None:
    async def publish(peer: RtmpPeer) -> None:
        status(peer, "NetStream.Publish.Start")

    def has_picture(server: ForeignServer) -> bool:
        return any(m.type_id == VIDEO and m.payload == picture(5) for m in server.received)

    async with ForeignServer(on_publish=publish) as server, edge_of(server) as edge:
        client, name = await RtmpClient.open(edge.rtmp_url("live", "cam"))
        client.publish(name)
        client.peer.send(5, DATA, 1, 0, encode_amf("@setDataFrame", "onMetaData", {"width": 1280.0}))
        client.peer.send(6, VIDEO, 1, 0, HEADER)
        await media(client.peer, 0, 6)
        await wait_until(lambda: has_picture(server), deadline(5), "the pictures")
        client.peer.abort()
    bodies = [decode_amf(m.payload) for m in server.received if m.type_id == DATA]
    assert bodies == [["@setDataFrame", "onMetaData", {"width": 1280.0}]]
    asked = server.connects[0]
    assert asked["flashVer"].startswith("FMLE/") and asked["type"] == "nonprivate"
    assert asked["stream_multiplexing"] is True and asked["edgeId"]


async def test_push_that_the_server_ends_is_offered_again() -> None:
    async def publish(peer: RtmpPeer) -> None:
        status(peer, "NetStream.Publish.Start")
        if server.asked == 1:
            await asyncio.sleep(0.3)
            peer.send_command(0, "onFCUnpublish", 0, None, {"code": "NetStream.Unpublish.Success"})
            status(peer, "NetStream.Unpublish.Success")

    server = ForeignServer(on_publish=publish)
    async with server, edge_of(server, "-retry_interval_ms=200") as edge:
        client, name = await RtmpClient.open(edge.rtmp_url("live", "cam"))
        client.publish(name)
        client.peer.send(6, VIDEO, 1, 0, HEADER)
        await media(client.peer, 0, 60)
        await wait_until(lambda: server.asked == 2, deadline(5), "another publish")
        client.peer.abort()
