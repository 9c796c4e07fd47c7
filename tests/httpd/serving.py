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


@dataclass
class Serving:
    service: HttpService
    port: int

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
    service = HttpService(config or HttpConfig(), routes)
    await service.start()
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)

        async def accept() -> None:
            while True:
                sock, _ = await loop.sock_accept(listener)
                await service.adopt(sock, is_internal=is_internal, hides_pages=hides_pages)

        accepting = loop.create_task(accept())
        try:
            yield Serving(service, listener.getsockname()[1])
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            await service.close()


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
