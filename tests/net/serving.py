"""An origin or edge in the loop of the test, on a port of the loopback, and clients of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

from edge.hub.config import HubConfig
from edge.hub.registry import Registry
from edge.net.accepted import Accepted
from edge.net.aio import clock_us, now_ms
from edge.net.config import NetConfig, TlsConfig
from edge.net.context import NetContext
from edge.net.limits import ConnectionLimits
from edge.net.listener import Listener, open_socket
from edge.net.rtmp.server import RtmpServerConnection
from edge.net.rtmp.service import RtmpService
from edge.net.sniff import WireProtocol
from edge.rtmp.config import RtmpConfig
from edge.service.rules import Rulebook, one_for_all
from edge.service.service import Service
from edge.upstream.config import UpstreamConfig
from edge.upstream.manager import UpstreamManager
from edge.upstream.target import Target
from edge.upstream.tls import UpstreamTls
from naming.base import AddressResolver
from tests.harness import clock
from tests.harness.client import RtmpClient, decode_command
from tests.harness.clock import deadline
from tests.harness.wire import Message

VIDEO_TYPE, AUDIO_TYPE = 9, 8


class Node:
    """One service; ``upstream`` makes it an edge. ``clock_us`` is what it takes for the time."""

    def __init__(
        self,
        name: str = "node",
        *,
        hub: dict[str, Any] | None = None,
        max_connections: int = 100,
        clock_us: Callable[[], int] = clock_us,
        **net: Any,
    ):
        self.name = name
        self.hub = HubConfig(**(hub or {}))
        self.context = NetContext(asyncio.get_running_loop(), NetConfig(**net), clock_us=clock_us)
        numbers = count(1)
        self.registry = Registry(
            lambda key: self.service.rules_of(key),
            new_id=lambda: f"{name}-e{next(numbers)}",
            wall_ms=lambda: 1,
            clock_us=clock_us,
        )
        self.service = Service(
            self.registry,
            hub=self.hub,
            rulebook=one_for_all(self.hub, self.context.config, RtmpConfig()),
            service_id=name,
            hostname="h",
            now_ms=self.context.now_ms,
            soon=self.context.loop.call_soon,
        )
        self.rtmp = RtmpService(self.context, self.service, RtmpConfig())
        self.limits = ConnectionLimits(self.context, max_connections)
        self.manager: UpstreamManager | None = None
        self.listener: Listener | None = None
        self.port = 0
        self.listen()

    def listen(self) -> None:
        """Accept on the port of before, or on a new one."""
        sock = open_socket("127.0.0.1", self.port)
        handlers = {WireProtocol.RTMP: self._serve}
        self.listener = Listener(sock, self.context, handlers, limits=self.limits)
        self.port = self.listener.port

    def _serve(self, accepted: Accepted) -> None:
        RtmpServerConnection(accepted, self.rtmp).read_some()

    async def follow(
        self,
        *ports: int,
        tls: TlsConfig | None = None,
        resolver: AddressResolver | None = None,
        **config: Any,
    ) -> UpstreamManager:
        """Become an edge of the nodes on ``ports``; times are short. ``resolver`` finds names, of ``proxy_to``."""
        servers = ",".join(f"127.0.0.1:{port}" for port in ports)
        settings = UpstreamConfig(
            **{"proxy_to": f"list://{servers}", "proxy_lb": "rr", "retry_interval_ms": 50, "timeout_ms": 500, **config}
        )
        target = Target(settings.proxy_to, settings.proxy_lb, settings, resolver=resolver)
        believed = UpstreamTls(tls) if tls is not None else None
        self.service.rulebook.replace(Rulebook(self.service.rulebook.root.with_(settings)))
        self.manager = UpstreamManager(self.rtmp, settings, pull_target=target, push_target=target, tls=believed)
        await self.manager.start()
        return self.manager

    def drop_connections(self) -> None:
        """All peers lose their connection at once."""
        for connection in list(self.context.connections):
            connection.abort("test")

    def stop_listening(self) -> None:
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def tick(self) -> None:
        """What the daemon does from time to time."""
        self.context.fanout.tick(now_ms())
        self.registry.tick(now_ms())
        if self.manager is not None:
            self.manager.tick(now_ms())

    async def close(self) -> None:
        self.stop_listening()
        await self.rtmp.why_desk.close()
        if self.manager is not None:
            await self.manager.close()
        for connection in list(self.context.connections):
            connection.close_now("end of test")
        self.context.close()

    async def client(self, **connect: Any) -> RtmpClient:
        client, _ = await RtmpClient.open(f"rtmp://127.0.0.1:{self.port}/live/s", **connect)
        return client


class Nodes:
    """All nodes and clients of a test; leaving closes them."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.clients: list[RtmpClient] = []

    def add(self, name: str = "node", **options: Any) -> Node:
        node = Node(name, **options)
        self.nodes.append(node)
        return node

    async def publisher(self, node: Node, name: str = "s", **connect: Any) -> Feed:
        client = await node.client(**connect)
        self.clients.append(client)
        client.publish(name)
        assert await status_of(client) == "NetStream.Publish.Start"
        return Feed(client, name)

    async def player(self, node: Node, name: str = "s", **connect: Any) -> RtmpClient:
        client = await node.client(**connect)
        self.clients.append(client)
        client.play(name)
        return client

    async def __aenter__(self) -> Nodes:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self.clients:
            client.peer.abort()
        for node in self.nodes:
            await node.close()
        await asyncio.sleep(0.01)


class Feed:
    """A publishing client; its frames bear numbers."""

    def __init__(self, client: RtmpClient, name: str) -> None:
        self.client = client
        self.name = name
        self.number = 0

    async def send(self, pictures: int, *, size: int = 50) -> None:
        """Pictures 40 ms apart, every tenth a keyframe."""
        for _ in range(pictures):
            first = b"\x17\x01\0\0\0" if self.number % 10 == 0 else b"\x27\x01\0\0\0"
            body = first + b"%06d" % self.number + b"x" * size
            self.client.peer.send(6, VIDEO_TYPE, self.client.message_stream_id, self.number * 40, body)
            self.number += 1
        await self.client.peer.drain()

    async def leave(self) -> None:
        self.client.delete_stream(self.name)
        await self.client.peer.drain()


async def wait_until(condition: Callable[[], object], within_s: float, what: str) -> float:
    """As :func:`tests.harness.clock.wait_until`, with the time that a busy machine needs."""
    return await clock.wait_until(condition, deadline(within_s), what)


async def status_of(client: RtmpClient) -> str:
    """Code of the next onStatus."""

    while True:
        message = await asyncio.wait_for(client.next_message(), deadline(5))
        if message.type_id == 20:
            values = decode_command(message)
            if values[0] == "onStatus":
                return str(values[3]["code"])


async def error_of(client: RtmpClient) -> tuple[str, str]:
    """Code and description of the first status that is an error."""
    async with asyncio.timeout(deadline(10)):
        while True:
            message = await client.next_message()
            values = decode_command(message) if message.type_id == 20 else [""]
            if values[0] == "onStatus" and values[3]["level"] == "error":
                return values[3]["code"], values[3]["description"]


async def pictures(client: RtmpClient, number: int) -> list[int]:
    """Numbers of the next ``number`` pictures."""
    return [int(message.payload[5:11]) for message in await media(client, number)]


async def media(client: RtmpClient, number: int) -> list[Message]:
    """The next ``number`` video messages."""
    found: list[Message] = []
    while len(found) < number:
        message = await asyncio.wait_for(client.next_message(), deadline(5))
        if message.type_id == VIDEO_TYPE:
            found.append(message)
    return found


__all__ = ["Feed", "Node", "Nodes", "error_of", "media", "pictures", "status_of", "wait_until"]
