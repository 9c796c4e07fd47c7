"""An RTMP server that takes whatever is published and writes down what came, in order."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from tests.harness.accounting import CorruptFrameError, Delivery, decode_frame
from tests.harness.wire import AUDIO, COMMAND, DATA, VIDEO, Message, RtmpPeer, WireError, decode_amf


@dataclass(slots=True)
class Publication:
    """One publish as the server saw it; kinds of ``events`` as in the player, and ``bad`` for an unreadable frame."""

    name: str
    events: list[str] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)


class SinkServer:
    """Attributes:
    publications: in order of arrival.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.publications: list[Publication] = []
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> SinkServer:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
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
        self._tasks[task] = writer
        try:
            peer = RtmpPeer(reader, writer)
            await peer.handshake_as_server()
            await self._serve(peer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, WireError):
            pass
        finally:
            del self._tasks[task]
            writer.transport.abort()

    async def _serve(self, peer: RtmpPeer) -> None:
        publication = Publication("")
        while True:
            message = await peer.read_message()
            if message.type_id == COMMAND:
                publication = self._answer(peer, message, publication)
            else:
                _write_down(publication, message)

    def _answer(self, peer: RtmpPeer, message: Message, publication: Publication) -> Publication:
        name, transaction, *rest = decode_amf(message.payload)
        if name == "connect":
            info = {"level": "status", "code": "NetConnection.Connect.Success", "description": ""}
            peer.send_command(0, "_result", transaction, {"fmsVer": "FMS/3,0,1,123"}, info)
        elif name == "createStream":
            peer.send_command(0, "_result", transaction, None, 1)
        elif name == "publish":
            info = {"level": "status", "code": "NetStream.Publish.Start", "description": ""}
            peer.send_command(message.message_stream_id, "onStatus", 0, None, info)
            publication = Publication(str(rest[1]))
            self.publications.append(publication)
        return publication


def _write_down(publication: Publication, message: Message) -> None:
    if message.type_id == DATA:
        names = [value for value in decode_amf(message.payload)[:2] if isinstance(value, str)]
        publication.events.append("metadata" if "onMetaData" in names else "data")
    elif message.type_id in (AUDIO, VIDEO):
        is_video = message.type_id == VIDEO
        if message.payload[1:2] == b"\x00":
            publication.events.append("avc_header" if is_video else "aac_header")
            return
        try:
            frame = decode_frame(message.payload)
        except CorruptFrameError:
            publication.events.append("bad")
            return
        publication.events.append("keyframe" if frame.is_keyframe else "video" if is_video else "audio")
        publication.deliveries.append(Delivery(time.monotonic(), message.timestamp, frame))
