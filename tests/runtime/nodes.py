"""A whole node in the loop of the test, with its pages over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge.runtime.assembly import Daemon, assemble
from edge.runtime.command_line import read_command_line
from edge.runtime.settings import Settings, build_settings
from tests.harness.client import RtmpClient
from tests.harness.clock import deadline
from tests.harness.server import CALM
from tests.harness.wire import AUDIO, VIDEO
from tests.net.conftest import open_sockets
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY
from tests.net.live import WAIT_S, eventually, send, send_video, status


def settings_of(*flags: str) -> Settings:
    """Settings of the given flags, on the loopback and a port chosen by the kernel."""
    parsed = read_command_line(["-port=0", "-bind=127.0.0.1", "-flush_interval_ms=0", *CALM, *flags])
    assert not parsed.has_errors, parsed.problems
    return build_settings(parsed)


class RunningNode:
    """A started node and the clients that are to be closed with it."""

    def __init__(self, daemon: Daemon) -> None:
        self.node = daemon.node
        self.facts = daemon.facts
        self.debugging = daemon.debugging
        self.reloader = daemon.reloader
        self.orders = daemon.orders
        self.reloader.gap_ms = 0
        self.clients: list[RtmpClient] = []

    def port(self, role: str = "public") -> int:
        return next(listener.port for listener in self.node.listeners if listener.role == role)

    async def client(self, role: str = "public") -> RtmpClient:
        async with asyncio.timeout(deadline(WAIT_S)):
            client, _ = await RtmpClient.open(f"rtmp://127.0.0.1:{self.port(role)}/live/s")
        self.clients.append(client)
        return client

    async def publisher(self, name: str = "s", *, pictures: int = 1) -> RtmpClient:
        """A publisher that has sent its headers and some pictures, the first a keyframe."""
        client = await self.client()
        client.publish(name)
        await status(client, "NetStream.Publish.Start")
        send(client, VIDEO, 0, VIDEO_HEADER_BODY)
        send(client, AUDIO, 0, AUDIO_HEADER_BODY)
        for number in range(pictures):
            send_video(client, number, is_keyframe=number == 0)
        return client

    async def player(self, name: str = "s", role: str = "public") -> RtmpClient:
        client = await self.client(role)
        client.play(name)
        await status(client, "NetStream.Play.Start")
        return client

    async def get(self, path: str, role: str = "public", *, method: str = "GET") -> tuple[int, str]:
        """Status and body of a page."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port(role))
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            async with asyncio.timeout(deadline(WAIT_S)):
                head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        finally:
            writer.close()
            await writer.wait_closed()
        return int(head.split()[1]), body

    async def close(self) -> None:
        for client in self.clients:
            client.peer.abort()
        await self.node.close()


@asynccontextmanager
async def running(*flags: str) -> AsyncIterator[RunningNode]:
    """A node for the length of a test; no task, socket, stream or watched descriptor may be left after it."""
    before, sockets = asyncio.all_tasks(), open_sockets()
    daemon = assemble(settings_of(*flags), asyncio.get_running_loop())
    one, node = RunningNode(daemon), daemon.node
    await daemon.start()
    try:
        yield one
    finally:
        await one.close()
    # Another node of the test may still be letting go of its end.
    await eventually(lambda: open_sockets() <= sockets, "sockets to go", 1)
    await eventually(lambda: asyncio.all_tasks() <= before, "tasks to go", 1)
    assert not node.context.connections
    assert len(node.context.poller) == 0
    assert [unit.registry.streams for unit in node.units] == [{}] * len(node.units)
    assert (await one.facts.counters())["error_internal_count"] == 0
