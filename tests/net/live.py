"""A service behind a real listener in the test's own event loop, and clients of it."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.net.accepted import Accepted, Handler
from edge.net.aio import wall_ms
from edge.net.certificates import CertificateStore
from edge.net.config import NetConfig, TlsConfig
from edge.net.context import NetContext
from edge.net.limits import ConnectionLimits
from edge.net.listener import Listener, open_socket
from edge.net.rtmp.server import RtmpServerConnection
from edge.net.rtmp.service import RtmpService
from edge.net.sniff import WireProtocol
from edge.net.tls_entrance import TlsEntrance
from edge.rtmp.config import RtmpConfig
from edge.service.rules import one_for_all
from edge.service.service import Service
from tests.harness.client import RtmpClient, decode_command
from tests.harness.clock import deadline, wait_until
from tests.harness.wire import AUDIO, COMMAND, DATA, VIDEO, Message
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY, audio, video
from tests.service.fakes import NoSource

WAIT_S = 3.0
MEDIA_TYPES = (AUDIO, VIDEO, DATA)


class LiveServer:
    """A hub on a port chosen by the kernel.

    Attributes:
        accepted: connections taken by protocols other than RTMP.
        handler: what is done with an RTMP connection; a test may replace it.
        tls: None unless certificates were given.
    """

    def __init__(
        self,
        *,
        net: NetConfig | None = None,
        hub: HubConfig | None = None,
        rtmp: RtmpConfig | None = None,
        is_edge: bool = False,
        protocols: tuple[WireProtocol, ...] = (),
        host: str = "127.0.0.1",
        is_internal: bool = False,
        max_connections: int = 1000,
        certificates: CertificateStore | None = None,
        tls: TlsConfig | None = None,
    ) -> None:
        net, hub, rtmp = net or NetConfig(flush_interval_ms=0), hub or HubConfig(), rtmp or RtmpConfig()
        loop = asyncio.get_running_loop()
        numbers = itertools.count(1)
        self.context = NetContext(loop, net)
        self.registry = Registry(
            lambda key: self.service.rules_of(key), new_id=lambda: f"{next(numbers):016x}", wall_ms=wall_ms
        )
        self.service = Service(
            self.registry,
            hub=hub,
            rulebook=one_for_all(hub, net, rtmp),
            service_id="5" * 16,
            hostname="this",
            now_ms=self.context.now_ms,
            soon=loop.call_soon,
        )
        self.service.source = NoSource() if is_edge else None
        self.rtmp = RtmpService(self.context, self.service, rtmp)
        self.accepted: list[tuple[WireProtocol, Accepted]] = []
        self.handler: Handler = self._serve
        self.limits = ConnectionLimits(self.context, max_connections)
        handlers = {protocol: self._taker(protocol) for protocol in protocols}
        handlers[WireProtocol.RTMP] = lambda accepted: self.handler(accepted)
        self.tls: TlsEntrance | None = None
        if certificates is not None:
            self.tls = TlsEntrance(self.context, self.limits.undecided, tls or TlsConfig(), certificates)
            handlers[WireProtocol.TLS] = self.tls.serve
        sock = open_socket(host, 0)
        self.listener = Listener(sock, self.context, handlers, limits=self.limits, is_internal=is_internal)
        self.port = self.listener.port
        self.clients: list[RtmpClient] = []
        self.is_listening = True

    def _serve(self, accepted: Accepted) -> None:
        RtmpServerConnection(accepted, self.rtmp).read_some()

    def _taker(self, protocol: WireProtocol) -> Handler:
        return lambda accepted: self.accepted.append((protocol, accepted))

    # --- its own side --------------------------------------------------------

    @property
    def counters(self) -> dict[str, int]:
        return dict(self.context.counters)

    @property
    def connections(self) -> list[RtmpServerConnection]:
        """Open connections, oldest first."""
        found = [one for one in self.context.connections if isinstance(one, RtmpServerConnection)]
        return sorted(found, key=lambda one: one.number)

    def stream(self, name: str = "s", app: str = "live") -> Stream:
        found = self.registry.find(StreamKey("_", app, name))
        assert found is not None, f"no stream {name}"
        return found

    def has_stream(self, name: str = "s", app: str = "live") -> bool:
        return self.registry.find(StreamKey("_", app, name)) is not None

    def stop_listening(self) -> None:
        if self.is_listening:
            self.is_listening = False
            self.listener.close()

    async def close(self) -> None:
        for client in self.clients:
            client.peer.abort()
        self.stop_listening()
        if self.tls is not None:
            self.tls.close()
        for connection in list(self.context.connections):
            connection.close_now("test over")
        for _, accepted in self.accepted:
            accepted.wire.close()
        for stream in list(self.registry.streams.values()):
            self.registry.end_stream(stream, "test over")
        await asyncio.sleep(0)
        left, errors = len(self.context.poller), self.context.internal_error_count
        self.context.close()
        assert left == 0, f"{left} descriptors are still watched"
        assert not self.limits.undecided
        assert not self.context.fanout.player_count
        assert errors == 0, "a handler failed"

    # --- peers ---------------------------------------------------------------

    def plain(self) -> socket.socket:
        """A blocking connection that has said nothing."""
        return socket.create_connection(("127.0.0.1", self.port))

    async def client(self, name: str = "s", app: str = "live", **options: Any) -> RtmpClient:
        """A connection with one message stream, which neither plays nor publishes yet."""
        async with asyncio.timeout(deadline(WAIT_S)):
            client, _ = await RtmpClient.open(f"rtmp://127.0.0.1:{self.port}/{app}/{name}", **options)
        self.clients.append(client)
        return client

    async def publisher(self, name: str = "s", *, has_headers: bool = True) -> RtmpClient:
        client = await self.client()
        client.publish(name)
        await status(client, "NetStream.Publish.Start")
        if has_headers:
            send(client, VIDEO, 0, VIDEO_HEADER_BODY)
            send(client, AUDIO, 0, AUDIO_HEADER_BODY)
        return client

    async def player(self, name: str = "s") -> RtmpClient:
        client = await self.client()
        client.play(name)
        await status(client, "NetStream.Play.Start")
        return client


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[LiveServer]:
    """A server for the length of a test; no task, descriptor or player may be left after it."""
    before = asyncio.all_tasks()
    server = LiveServer(**options)
    try:
        yield server
    except BaseException:
        try:
            await server.close()
        except AssertionError as error:
            print(f"and at the end: {error}")
        raise
    await server.close()
    left = asyncio.all_tasks() - before
    assert not left, f"tasks left: {left}"


def send(client: RtmpClient, type_id: int, at_ms: int, payload: bytes, message_stream_id: int | None = None) -> None:
    """Queue one message of media."""
    on = client.message_stream_id if message_stream_id is None else message_stream_id
    client.peer.send({AUDIO: 4, VIDEO: 6}.get(type_id, 5) + (on - 1) * 4, type_id, on, at_ms, payload)


def send_video(client: RtmpClient, number: int, *, is_keyframe: bool = False, step_ms: int = 40) -> None:
    """Picture ``number`` at its time."""
    send(client, VIDEO, number * step_ms, video(number, is_keyframe=is_keyframe))


def send_audio(client: RtmpClient, number: int, *, step_ms: int = 40) -> None:
    send(client, AUDIO, number * step_ms, audio(number))


def number_of(message: Message) -> int:
    """Number that a picture or sound bears; -1 of a header."""
    at = {VIDEO: 5, AUDIO: 2}[message.type_id]
    text = message.payload[at : at + 8]
    return int(text) if text.isdigit() else -1


async def until(client: RtmpClient, wanted: Callable[[Message], object], within_s: float = WAIT_S) -> list[Message]:
    """All messages up to the first that is wanted, which is the last of them."""
    found: list[Message] = []
    try:
        async with asyncio.timeout(deadline(within_s)):
            while True:
                found.append(await client.next_message())
                if wanted(found[-1]):
                    return found
    except (TimeoutError, asyncio.IncompleteReadError) as error:
        shown = [decode_command(m) if m.type_id == COMMAND else (m.type_id, m.timestamp) for m in found]
        raise AssertionError(f"{error!r} after {shown}") from error


def status_of(message: Message) -> dict[str, Any]:
    """The information object of an onStatus, else an empty one."""
    if message.type_id != COMMAND:
        return {}
    values = decode_command(message)
    return dict(values[3]) if values[0] == "onStatus" else {}


async def status(client: RtmpClient, code: str) -> dict[str, Any]:
    """Skip to an onStatus with ``code``."""
    return status_of((await until(client, lambda message: status_of(message).get("code") == code))[-1])


async def pictures(client: RtmpClient, last: int, message_stream_id: int | None = None) -> list[Message]:
    """The pictures and sounds of one message stream up to picture ``last``."""

    def is_of(message: Message) -> bool:
        return message_stream_id is None or message.message_stream_id == message_stream_id

    found = await until(client, lambda m: m.type_id == VIDEO and is_of(m) and number_of(m) == last)
    return [message for message in found if message.type_id in (AUDIO, VIDEO) and is_of(message)]


async def playing(url: str) -> tuple[RtmpClient, RtmpClient]:
    """A publisher that has sent a picture, and a player that has it."""
    publisher, name = await RtmpClient.open(url)
    publisher.publish(name)
    await status(publisher, "NetStream.Publish.Start")
    send_video(publisher, 0, is_keyframe=True)
    player, _ = await RtmpClient.open(url)
    player.play(name)
    await pictures(player, 0)
    return publisher, player


async def ended(client: RtmpClient, within_s: float = WAIT_S) -> float:
    """Wait for the server's FIN; the seconds it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(deadline(within_s)):
            while True:
                client.backlog.append(await client.peer.read_message())
    except (asyncio.IncompleteReadError, ConnectionError):
        return loop.time() - began


async def eventually(condition: Callable[[], object], what: str, within_s: float = WAIT_S) -> None:
    await wait_until(condition, deadline(within_s), what)
