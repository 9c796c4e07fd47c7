"""A listener in front of an ``HttpService``, and a client that sends exactly what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from edge.httpd.app import HttpService
from edge.httpd.config import HttpConfig
from edge.httpd.routes import Route, Target
from edge.net.accepted import Accepted
from edge.net.address import address_of
from edge.net.byte_stream import stream_of
from edge.net.config import NetConfig
from edge.net.context import NetContext
from tests.harness.clock import deadline

WAIT_S = deadline(5.0)


async def hello(_request: web.BaseRequest, target: Target) -> web.StreamResponse:
    return web.Response(text=f"hello {target.path}\n")


async def broken(_request: web.BaseRequest, _target: Target) -> web.StreamResponse:
    raise RuntimeError("injected")


async def large(_request: web.BaseRequest, _target: Target) -> web.StreamResponse:
    return web.Response(body=bytes(16 << 20))


HELLO_ROUTES = (
    Route("/hello", hello),
    Route("/open", hello, is_guarded=False),
    Route("/broken", broken),
    Route("/large", large),
)


class Door:
    """The entrance of a test, at which nothing is detected."""

    def __init__(self, *, is_internal: bool = False) -> None:
        self.role, self.is_internal = "test", is_internal

    def detect(self, accepted: Accepted) -> None:
        raise AssertionError("it is HTTP")


def new_context() -> NetContext:
    return NetContext(asyncio.get_running_loop(), NetConfig())


def accepted_of(sock: socket.socket, *, is_internal: bool = False, name: object = ("127.0.0.1", 1)) -> Accepted:
    return Accepted(stream_of(sock), address_of(name), Door(is_internal=is_internal))


@dataclass
class Serving:
    service: HttpService
    port: int
    context: NetContext

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def talk(self, data: bytes) -> bytes:
        """Send ``data`` and return all that comes until the server closes."""
        reader, writer = await self.open()
        try:
            writer.write(data)
            async with asyncio.timeout(WAIT_S):
                return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def get(self, path: str, *, method: str = "GET", headers: str = "", host: str = "127.0.0.1") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
        return await self.talk(head.encode("latin-1"))


@contextlib.asynccontextmanager
async def serving(
    config: HttpConfig | None = None,
    routes: Sequence[Route] = HELLO_ROUTES,
    *,
    is_internal: bool = False,
    hides_pages: bool = False,
) -> AsyncIterator[Serving]:
    """Accept on a free port and hand each socket to the service unread."""
    context = new_context()
    service = HttpService(config or HttpConfig(), routes, context)
    await service.start()
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        async def accept() -> None:
            while True:
                sock, name = await loop.sock_accept(listener)
                service.adopt(accepted_of(sock, is_internal=is_internal, name=name), hides_pages=hides_pages)

        accepting = loop.create_task(accept())
        try:
            yield Serving(service, listener.getsockname()[1], context)
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            await service.close()
            await asyncio.sleep(0)
            for connection in list(context.connections):
                connection.close_now("test over")
            assert len(context.poller) == 0
            context.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the service shows no event of."""
    for _ in range(int(WAIT_S / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("the condition did not come true")


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]
