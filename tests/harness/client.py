"""The client half of an RTMP session: connect, createStream, publish or play."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit

from tests.harness.wire import COMMAND, Message, RtmpPeer, WireError, decode_amf


class RtmpClient:
    """A connected client with one message stream.

    Attributes:
        backlog: messages that arrived while an answer was awaited.
        connect_info: the second object of the answer to ``connect``.
    """

    def __init__(self, peer: RtmpPeer) -> None:
        self.peer = peer
        self.backlog: list[Message] = []
        self.connect_info: dict[str, Any] = {}
        self._transaction = 0
        self.message_stream_id = 0

    @classmethod
    async def open(cls, url: str, *, receive_buffer: int | None = None, **connect: Any) -> tuple[RtmpClient, str]:
        """Connect to ``rtmp://host:port/app/name[?query]``; return the client and the name with its query.

        ``connect``: more fields of its object, or others.

        Raises ``OSError``, ``IncompleteReadError`` or ``WireError``.
        """
        parts = urlsplit(url)
        app, _, name = parts.path.lstrip("/").partition("/")
        if parts.query:
            name += "?" + parts.query
        sock = socket.socket()
        try:
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port or 1935))
            limit = 65536 if receive_buffer is None else max(receive_buffer, 4096)
            reader, writer = await asyncio.open_connection(sock=sock, limit=limit)
        except BaseException:
            sock.close()
            raise
        client = cls(RtmpPeer(reader, writer))
        try:
            await client._begin(app, f"rtmp://{parts.netloc}/{app}", connect)
        except BaseException:
            client.peer.abort()
            raise
        return client, name

    async def _begin(self, app: str, tc_url: str, more: dict[str, Any]) -> None:
        await self.peer.handshake_as_client()
        self.peer.set_out_chunk_size(4096)
        fields = {"app": app, "tcUrl": tc_url, "flashVer": "harness", "objectEncoding": 0, **more}
        answer = await self.call("connect", fields)
        self.connect_info = answer[3] if len(answer) > 3 and isinstance(answer[3], dict) else {}
        self.message_stream_id = int((await self.call("createStream", None))[3])

    async def call(self, name: str, *values: Any) -> list[Any]:
        """Send a command and return the values of its ``_result``; raises ``WireError`` on ``_error``."""
        self._transaction += 1
        self.peer.send_command(0, name, self._transaction, *values)
        while True:
            message = await self.peer.read_message()
            if message.type_id == COMMAND:
                from_peer = decode_command(message)
                if from_peer[:2] == ["_result", self._transaction]:
                    return from_peer
                if from_peer[:2] == ["_error", self._transaction]:
                    raise WireError(f"{name} refused: {from_peer[2:]}")
            self.backlog.append(message)

    def publish(self, name: str) -> None:
        self.peer.send_command(self.message_stream_id, "publish", 0, None, name, "live")

    def play(self, name: str) -> None:
        self.peer.send_command(self.message_stream_id, "play", 0, None, name, -2000)

    def delete_stream(self, name: str) -> None:
        """Say goodbye as encoders do, so that the server sees an end and not a loss."""
        self.peer.send_command(0, "FCUnpublish", 0, None, name)
        self.peer.send_command(0, "deleteStream", 0, None, self.message_stream_id)

    async def next_message(self) -> Message:
        return self.backlog.pop(0) if self.backlog else await self.peer.read_message()


def decode_command(message: Message) -> list[Any]:
    return decode_amf(message.payload)
