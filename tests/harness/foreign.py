"""A server of another make: it carries one stream per connection, and starts and ends plays as a script says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from tests.harness.wire import COMMAND, Message, RtmpPeer, WireError, decode_amf

Script = Callable[[RtmpPeer], Awaitable[None]]


def status(peer: RtmpPeer, code: str, *, level: str = "status", message_stream_id: int = 1) -> None:
    """Send an onStatus."""
    peer.send_command(message_stream_id, "onStatus", 0, None, {"level": level, "code": code, "description": "why"})


class ForeignServer:
    """Attributes:
    connects: the objects of the connects that came.
    asked: plays and publishes so far.
    received: what publishers sent, commands included.
    """

    def __init__(self, on_play: Script | None = None, on_publish: Script | None = None) -> None:
        self._scripts = {"play": on_play, "publish": on_publish}
        self.port = 0
        self.connects: list[dict[str, Any]] = []
        self.asked = 0
        self.received: list[Message] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ForeignServer:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: Any) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        peer, scripts = RtmpPeer(reader, writer), list[asyncio.Task[None]]()
        try:
            await peer.handshake_as_server()
            while True:
                message = await peer.read_message()
                self.received.append(message)
                if message.type_id == COMMAND:
                    self._answer(peer, decode_amf(message.payload), scripts)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, WireError):
            pass
        finally:
            for script in scripts:
                script.cancel()
            await asyncio.gather(*scripts, return_exceptions=True)
            self._tasks.discard(task)
            writer.transport.abort()

    def _answer(self, peer: RtmpPeer, values: list[Any], scripts: list[asyncio.Task[None]]) -> None:
        name, number, *rest = values
        if name == "connect":
            self.connects.append(rest[0])
            info = {"level": "status", "code": "NetConnection.Connect.Success", "description": ""}
            peer.send_command(0, "_result", number, {"fmsVer": "FMS/3,0,1,123"}, info)
        elif name == "createStream":
            peer.send_command(0, "_result", number, None, 1)
        elif (script := self._scripts.get(name)) is not None:
            self.asked += 1
            scripts.append(asyncio.create_task(_run(script, peer), name=f"script of {name}"))


async def _run(script: Script, peer: RtmpPeer) -> None:
    with contextlib.suppress(OSError):
        await script(peer)
