"""Which siblings are ready: those that answer so in time, by what they say at ``/readyz``."""

from __future__ import annotations

import asyncio
import contextlib

from edge.net.aio import TaskOwner
from edge.runtime.elsewhere import Elsewhere
from naming.base import NamingOptions
from tests.harness.clock import deadline, wait_until


async def test_those_that_say_so_are_ready() -> None:
    asked: list[bytes] = []

    def answering(answer: bytes) -> object:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
                await reader.read()
            writer.close()

        return serve

    answers = (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 503 Not Ready\r\n\r\n", b"", b"\x03", b"x" * 10000)
    async with contextlib.AsyncExitStack() as stack:
        ports = []
        for answer in answers:
            server = await asyncio.start_server(answering(answer), "127.0.0.1", 0)  # type: ignore[arg-type]
            stack.callback(server.close)
            ports.append(server.sockets[0].getsockname()[1])
        urls = ",".join(f"rtmp://127.0.0.1:{port}" for port in (*ports, 1))
        owner = TaskOwner("test")
        elsewhere = Elsewhere(f"list://{urls}", NamingOptions())
        elsewhere.look(owner)
        assert await elsewhere.ready() == [], "none is known yet"
        elsewhere.start(owner)
        await wait_until(lambda: elsewhere._watcher.urls, deadline(2), "the list")
        elsewhere.look(owner)
        await wait_until(lambda: elsewhere._ready, deadline(2), "an answer")
        assert await elsewhere.ready() == [f"rtmp://127.0.0.1:{ports[0]}"]
        assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:")
        await owner.close()
