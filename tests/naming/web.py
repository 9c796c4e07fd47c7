"""An HTTP server for tests that answers what the test has put into it."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from aiohttp.test_utils import TestServer

from naming.base import NamingOptions
from naming.node import ServerNode
from naming.url import parse_address
from naming.watcher import Watcher
from tests.naming.fakes import FakeResolver, Steps

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeWeb:
    """Keeps every request as ``METHOD /path?query``, and answers with ``handler``."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.bodies: list[str] = []
        self.handler: Handler = self._refuse
        self.port = 0
        self.scheme = "http"

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def answer(self, text: str = "", status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer everything with this from now on."""

        async def handle(request: web.Request) -> web.Response:
            return web.Response(text=text, status=status, headers=headers)

        self.handler = handle

    async def _refuse(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.raw_path}")
        self.bodies.append(await request.text())
        return await self.handler(request)


@contextlib.asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeWeb]:
    """A server, by ``https://`` with ``tls``."""
    fake = FakeWeb()
    fake.scheme = "https" if tls else "http"
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.handle)
    server = TestServer(app, host="127.0.0.1", scheme=fake.scheme)
    await server.start_server(shutdown_timeout=0.1, ssl=tls)
    fake.port = int(server.port or 0)
    try:
        yield fake
    finally:
        await server.close()


class Followed:
    """A watcher of one name whose waits end only when the test says so."""

    def __init__(self, text: str, options: NamingOptions, resolver: FakeResolver | None = None) -> None:
        self.steps = Steps()
        self.updates: list[tuple[ServerNode, ...]] = []
        self.watcher = Watcher(
            parse_address(text),
            self.updates.append,
            options=options,
            resolver=resolver or FakeResolver(),
            sleep=self.steps.sleep,
        )

    @property
    def servers(self) -> list[str]:
        """``endpoint tag`` of each server."""
        return [f"{node.endpoint} {node.tag}".strip() for node in self.watcher.servers]


@contextlib.asynccontextmanager
async def following(
    text: str, options: NamingOptions | None = None, resolver: FakeResolver | None = None
) -> AsyncIterator[Followed]:
    followed = Followed(text, options or NamingOptions(), resolver)
    await followed.watcher.start()
    try:
        yield followed
    finally:
        await followed.watcher.close()
