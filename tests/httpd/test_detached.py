"""An answer that takes the connection over, streaming raw bytes to a real client."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import struct
import weakref
from collections.abc import Callable

import pytest
from aiohttp import web

from edge.httpd.connection import HttpConnection
from edge.httpd.detached import Detached
from edge.httpd.routes import Route, Target
from edge.net.byte_stream import ByteStream
from edge.net.connection import RawConnection
from edge.net.context import NetContext
from tests.httpd.serving import WAIT_S, Serving, hello, large, serving, status_of, until

MEDIA = bytes(range(256)) * 2000
GET = b"GET /live/a.flv HTTP/1.1\r\nHost: h\r\n\r\n"


class MediaConnection(RawConnection):
    """Sends what it is handed and then media; reads only to see the end."""

    def __init__(self, wire: ByteStream, context: NetContext, unsent: bytes, unread: bytes) -> None:
        super().__init__(wire, context)
        self.unread, self.read = unread, b""
        self.send(unsent)

    def on_data(self, data: bytes) -> None:
        self.read += data

    def play(self) -> None:
        self.send(MEDIA)
        self.close_gracefully("over")


class Toy:
    """A route whose handler takes connections over, when it may."""

    def __init__(self) -> None:
        self.context: NetContext | None = None
        self.taken: list[MediaConnection] = []
        self.given_up = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.waiting = 0
        self.headers = {"Content-Type": "video/x-flv", "Access-Control-Allow-Origin": "*"}
        self.status = 200
        self.on_taken: Callable[[MediaConnection], object] = MediaConnection.play
        self.seen: list[weakref.ref[object]] = []

    @property
    def routes(self) -> list[Route]:
        return [Route("*.flv", self._handle), Route("/hello", hello), Route("/large", large)]

    async def _handle(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        self.seen += [weakref.ref(request), weakref.ref(request.transport)]
        self.waiting += 1
        await self.may_answer.wait()
        return Detached(self._take, self._give_up, status=self.status, headers=self.headers)

    def _take(self, wire: ByteStream, unsent: bytes, unread: bytes) -> None:
        assert self.context is not None
        self.taken.append(MediaConnection(wire, self.context, unsent, unread))
        self.on_taken(self.taken[-1])

    def _give_up(self) -> None:
        self.given_up += 1


async def talk(toy: Toy, data: bytes) -> tuple[bytes, Serving]:
    async with serving(routes=toy.routes) as server:
        toy.context = server.context
        return await server.talk(data), server


async def test_raw_bytes_follow_a_head_of_our_own() -> None:
    toy = Toy()
    answer, server = await talk(toy, GET)
    head, _, body = answer.partition(b"\r\n\r\n")
    status_line, *lines = head.split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines)
    assert status_line == b"HTTP/1.1 200 OK"
    assert headers.pop(b"Date").endswith(b" GMT")
    assert headers == {
        b"Content-Type": b"video/x-flv",
        b"Access-Control-Allow-Origin": b"*",
        b"Server": b"edge",
        b"X-Content-Type-Options": b"nosniff",
        b"Connection": b"close",
    }
    assert (body == MEDIA) is True
    assert (toy.given_up, len(toy.taken)) == (0, 1)
    assert server.service.counters == {"http_requests_count": 1}


async def test_a_client_of_http_1_0_is_answered_in_its_version() -> None:
    answer, _ = await talk(Toy(), b"GET /live/a.flv HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 200 OK\r\n") and (answer.endswith(b"\r\n\r\n" + MEDIA)) is True


async def test_what_is_pipelined_behind_it_is_no_request() -> None:
    toy = Toy()
    toy.may_answer.clear()
    async with serving(routes=toy.routes) as server:
        toy.context = server.context
        reader, writer = await server.open()
        writer.write(GET + b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\nGET /hel")
        await until(lambda: toy.waiting == 1)
        writer.write(b"lo HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.sleep(0.02)
        toy.may_answer.set()
        async with asyncio.timeout(WAIT_S):
            answer = await reader.read()
        writer.close()
        assert answer.count(b"HTTP/1.1") == 1 and (answer.endswith(b"\r\n\r\n" + MEDIA)) is True
        assert server.service.counters == {"http_requests_count": 1}


@pytest.mark.parametrize("path", [b"/hello", b"/large"])
async def test_answers_before_it_come_first_and_whole(path: bytes) -> None:
    answer, _ = await talk(Toy(), b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % path + GET)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert (answer.endswith(b"\r\n\r\n" + MEDIA)) is True
    first = answer[: answer.rindex(b"HTTP/1.1 200")]
    assert first.endswith(b"hello /hello\n") or (first.endswith(bytes(16 << 20)) is True)


@pytest.mark.parametrize("how", ["closed", "reset", "half closed"])
async def test_a_client_that_has_gone_meanwhile_is_given_up(how: str) -> None:
    toy = Toy()
    toy.may_answer.clear()
    async with serving(routes=toy.routes) as server:
        toy.context = server.context
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(GET)
            await until(lambda: toy.waiting == 1)
            if how == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if how == "half closed":
                client.shutdown(socket.SHUT_WR)
            else:
                client.close()
            await until(lambda: not server.context.connections)
            toy.may_answer.set()
            await until(lambda: toy.given_up == 1)
        assert not toy.taken
        await until(lambda: server.service.connection_count == 0)


async def test_head_is_answered_as_get_is_and_nobody_takes_it() -> None:
    toy = Toy()
    wanted, _ = await talk(toy, GET)
    answer, server = await talk(toy, GET.replace(b"GET", b"HEAD"))
    dates = [line for line in answer.split(b"\r\n") if line.startswith(b"Date")]
    head = wanted.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert answer == b"\r\n".join([*(dates[0] if line.startswith(b"Date") else line for line in head), b"", b""])
    assert (toy.given_up, len(toy.taken)) == (1, 1)
    assert server.service.counters == {"http_requests_count": 1}


async def test_an_upgraded_connection_brings_what_follows_the_request() -> None:
    toy = Toy()
    toy.status, toy.headers = 101, {"Upgrade": "websocket", "Connection": "Upgrade"}
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n"
    answer, _ = await talk(toy, GET[:-2] + upgrade + b"frames")
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"Connection: Upgrade\r\n" in answer and b"Connection: close" not in answer
    assert toy.taken[0].unread == b"frames"


async def test_the_new_owner_hears_what_comes_later_and_the_end() -> None:
    toy = Toy()
    toy.on_taken = lambda connection: None
    async with serving(routes=toy.routes) as server:
        toy.context = server.context
        reader, writer = await server.open()
        writer.write(GET)
        await until(lambda: len(toy.taken) == 1)
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = server.context.connections
        assert connection is toy.taken[0] and server.service.connection_count == 0
        await server.service.close()
        assert connection.state == "open", "it is not HTTP's any more"
        writer.write(b"said later")
        await until(lambda: toy.taken[0].read == b"said later")
        writer.close()
        await until(lambda: connection.state == "closed")


async def test_nothing_of_aiohttp_stays() -> None:
    toy = Toy()
    toy.on_taken = lambda connection: None
    async with serving(routes=toy.routes) as server:
        toy.context = server.context
        tasks = asyncio.all_tasks()
        gc.collect()
        gc.disable()
        try:
            reader, writer = await server.open()
            writer.write(GET)
            await until(lambda: len(toy.taken) == 1)
            await reader.readuntil(b"\r\n\r\n")
            await until(lambda: asyncio.all_tasks() == tasks)
            await until(lambda: [one() for one in toy.seen] == [None, None])
            assert not [one for one in gc.get_objects() if type(one) is HttpConnection]
        finally:
            gc.enable()
        timers = [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        assert not [handle for handle in timers if "Http" in repr(handle) or "aiohttp" in repr(handle)]
        writer.close()


async def test_a_fault_of_ours_in_the_middle_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    toy = Toy()
    toy.on_taken = lambda connection: 1 // 0
    async with serving(routes=toy.routes) as server:
        toy.context = server.context
        with contextlib.suppress(ConnectionError):
            await server.talk(GET)
        assert not server.context.connections
        assert server.context.internal_error_count == 1
        toy.headers = {"X": "a\r\nSet-Cookie: b"}
        with contextlib.suppress(ConnectionError):
            assert await server.talk(GET) == b""
        assert (toy.given_up, server.context.internal_error_count) == (1, 2)
        await until(lambda: server.service.connection_count == 0)
        assert status_of(await server.get("/hello")) == 200
    assert "ZeroDivisionError" in caplog.text


def test_it_is_taken_or_given_up_once() -> None:
    told: list[object] = []
    wire, other = socket.socketpair()
    answer = Detached(lambda *what: told.append(what), lambda: told.append("given up"))
    answer.hand_over(wire, b"a", b"b")  # type: ignore[arg-type]
    answer.give_up()
    assert told == [(wire, b"a", b"b")]
    with pytest.raises(AssertionError):
        answer.hand_over(wire, b"", b"")  # type: ignore[arg-type]
    wire.close()
    other.close()
