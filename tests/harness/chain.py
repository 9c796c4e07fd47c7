"""Three nodes in the loop of the test, each behind a relay whose manners change: players come to the far end."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

from edge.runtime.assembly import assemble
from edge.tools.why import Place, fetch
from tests.harness.client import RtmpClient
from tests.harness.clock import deadline
from tests.harness.fault_proxy import FaultProxy
from tests.harness.wire import AUDIO, VIDEO
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY
from tests.net.live import WAIT_S, eventually, send, send_audio, send_video, status
from tests.runtime.nodes import RunningNode, settings_of

#: Faults are to show soon.
QUICK = ("-timeout_ms=600", "-connect_timeout_ms=500", "-retry_interval_ms=300", "-first_data_timeout_ms=600")
NAMES = ("far", "middle", "origin")

Entered = TypeVar("Entered")


class Chain:
    """``far`` pulls from ``middle``, which pulls from ``origin``.

    Attributes:
        nodes: by name, once started.
        relays: by the name of the node that is behind it.
        targets: ``-proxy_to`` of a node, where it is not its relay to the next one; set before ``start``.
    """

    def __init__(self, flags: dict[str, tuple[str, ...]]) -> None:
        self.nodes: dict[str, RunningNode] = {}
        self.relays: dict[str, FaultProxy] = {}
        self.targets: dict[str, str] = {}
        self.flags = flags
        self._stack = AsyncExitStack()
        self._folder = tempfile.TemporaryDirectory(prefix="edge-chain-")
        self._clients: list[RtmpClient] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Chain:
        return self

    async def start(self) -> None:
        """The last node first, so that the others find it."""
        below = ""
        for name in reversed(NAMES):
            target = self.targets.get(name, below)
            flags = (*QUICK, *((f"-proxy_to={target}",) if target else ()), *self.flags.get(name, ()))
            one = self.nodes[name] = RunningNode(assemble(settings_of(*flags), asyncio.get_running_loop()))
            await one.node.start()
            relay = self.relays[name] = FaultProxy(one.port())
            await relay.start()
            below = relay.address

    async def __aexit__(self, *_: Any) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._clients:
            client.peer.abort()
        for one in self.nodes.values():  # before the relays: nobody is to connect while those stop listening
            await one.close()
        for relay in self.relays.values():
            await relay.stop()
        await self._stack.aclose()
        self._folder.cleanup()

    async def enter(self, context: AbstractAsyncContextManager[Entered]) -> Entered:
        """Keep something for as long as the nodes."""
        return await self._stack.enter_async_context(context)

    def folder(self) -> str:
        """For files of the test."""
        return self._folder.name

    def port(self, name: str) -> int:
        return self.nodes[name].port()

    async def client(self, name: str, app: str = "live", **options: Any) -> RtmpClient:
        """A connection with one message stream, straight to a node."""
        async with asyncio.timeout(deadline(WAIT_S)):
            client, _ = await RtmpClient.open(f"rtmp://127.0.0.1:{self.port(name)}/{app}/x", **options)
        self._clients.append(client)
        return client

    async def asks_to_publish(self, stream: str = "cam", *, at: str = "origin", app: str = "live") -> RtmpClient:
        """A publisher that has not been answered."""
        client = await self.client(at, app)
        client.publish(stream)
        return client

    async def publisher(
        self, stream: str = "cam", *, at: str = "origin", app: str = "live", pictures: int = 3, has_headers: bool = True
    ) -> RtmpClient:
        """A publisher that has sent its headers, and pictures of which the first is a keyframe."""
        client = await self.asks_to_publish(stream, at=at, app=app)
        await status(client, "NetStream.Publish.Start")
        if has_headers:
            send(client, VIDEO, 0, VIDEO_HEADER_BODY)
            send(client, AUDIO, 0, AUDIO_HEADER_BODY)
        for number in range(pictures):
            send_video(client, number, is_keyframe=number == 0)
            send_audio(client, number)
        return client

    async def player(self, stream: str = "cam", *, at: str = "far", **options: Any) -> RtmpClient:
        """Somebody who wants to play, and waits for what comes."""
        client = await self.client(at, **options)
        client.play(stream)
        return client

    def stream(self, name: str, stream: str = "cam") -> Any:
        """A stream of a node, None where it has none."""
        registry = self.nodes[name].node.units[0].registry
        return next((found for key, found in registry.streams.items() if key.stream_name == stream), None)

    def keep(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Let something go on until the end."""
        self._tasks.append(asyncio.create_task(coroutine))

    async def runs(self, stream: str = "cam", *, at: str = "far") -> None:
        """Wait until media have come to a node."""

        def has_media() -> bool:
            found = self.stream(at, stream)
            return found is not None and found.queue.end > 0

        await eventually(has_media, f"media of {stream} at {at}", 6)

    async def ask(self, stream: str = "", address: str = "", *, at: str = "far") -> tuple[dict[str, Any], float]:
        """The answer of a node's ``/why`` and the seconds it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        listeners = sorted(self.nodes[at].node.listeners, key=lambda listener: not listener.is_internal)
        place = Place("127.0.0.1", listeners[0].port, False, stream)
        data = await asyncio.to_thread(fetch, place, address, timeout_s=deadline(5))
        return data, loop.time() - began
