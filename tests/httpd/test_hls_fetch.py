"""GET requests to other nodes of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from edge.httpd.hls_fetch import Fetcher, key_query
from edge.httpd.routes import Route, Target
from edge.hub.key import StreamKey
from edge.service.source import NodePlace
from tests.harness.clock import deadline
from tests.httpd.serving import serving


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    fetcher = Fetcher(max_bytes=1000)
    yield fetcher
    await fetcher.close()


class Counted:
    """Answers with what it was asked for, and counts."""

    def __init__(self) -> None:
        self.count = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def answer(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        self.count += 1
        await self.may_answer.wait()
        if target.path == "/large":
            return web.Response(body=bytes(1001))
        if target.path == "/moved":
            return web.Response(status=302, headers={"Location": "/elsewhere"})
        if target.path == "/missing":
            return web.Response(status=404, text="no")
        return web.Response(text=f"{target.path} {target.raw_query}")

    def routes(self) -> list[Route]:
        paths = ("/large", "/moved", "/elsewhere", "/missing", "/a b/c#d?e", "/one")
        return [Route(path, self.answer, is_guarded=False) for path in paths]


async def test_paths_are_quoted_and_queries_go_as_they_are(fetcher: Fetcher) -> None:
    counted = Counted()
    async with serving(routes=counted.routes()) as server:
        place = NodePlace("127.0.0.1", server.port)
        assert await fetcher.get(place, "/a b/c#d?e", "vhost=x%20y", "me") == b"/a b/c#d?e vhost=x%20y"
        assert await fetcher.get(place, "/one", "", "me") == b"/one "


@pytest.mark.parametrize("path", ["/large", "/moved", "/missing"])
async def test_anything_but_a_short_200_is_nothing(path: str, fetcher: Fetcher) -> None:
    counted = Counted()
    async with serving(routes=counted.routes()) as server:
        assert await fetcher.get(NodePlace("127.0.0.1", server.port), path, "", "me") is None
    assert counted.count == 1


async def test_nobody_there_is_nothing(fetcher: Fetcher) -> None:
    async with serving() as server:
        place = NodePlace("127.0.0.1", server.port)
    async with asyncio.timeout(deadline(3)):
        assert await fetcher.get(place, "/one", "", "me") is None


async def test_who_asks_for_the_same_at_once_shares_one_request(fetcher: Fetcher) -> None:
    counted = Counted()
    async with serving(routes=counted.routes()) as server:
        place = NodePlace("127.0.0.1", server.port)
        counted.may_answer.clear()
        asking = [asyncio.create_task(fetcher.get(place, "/one", "a=1", "me")) for _ in range(50)]
        other = asyncio.create_task(fetcher.get(place, "/one", "a=2", "me"))
        gone = asyncio.create_task(fetcher.get(place, "/one", "a=1", "me"))
        await asyncio.sleep(0)
        gone.cancel()  # who goes takes nothing from the others
        counted.may_answer.set()
        async with asyncio.timeout(deadline(3)):
            assert set(await asyncio.gather(*asking)) == {b"/one a=1"} and await other == b"/one a=2"
    assert counted.count == 2


def test_the_vhost_is_named_in_full() -> None:
    assert key_query(StreamKey("a&b=c", "live", "s")) == "vhost=a%26b%3Dc"


@pytest.mark.parametrize(("keep_s", "connections"), [(0, 2), (10, 1)])
async def test_unused_connections_are_kept(keep_s: int, connections: int) -> None:
    came: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    fetcher = Fetcher(max_bytes=1000, keep_s=keep_s)
    place = NodePlace("127.0.0.1", server.sockets[0].getsockname()[1])
    for _ in range(2):
        async with asyncio.timeout(deadline(2)):
            assert await fetcher.get(place, "/one", "", "me") == b"ok"
    await fetcher.close()
    server.close()
    assert len(came) == connections
