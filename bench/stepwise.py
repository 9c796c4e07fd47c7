"""A client of RTMP that takes one step at a time: each step is one write, then a wait for its answer.

What a server must do for it depends on no clock, so that its system calls and bytes can be counted.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from bench.load import BenchError
from edge.rtmp.amf0 import encode_all
from edge.rtmp.chunk import ChunkReader, Message
from edge.rtmp.config import RtmpConfig

_TIMEOUT_S = 10.0
_HANDSHAKE_BYTES = 1536
_CHUNK_BYTES = 65536
_SET_CHUNK_SIZE, AUDIO, VIDEO, _COMMAND = 1, 8, 9, 20

AVC_HEADER = bytes.fromhex("17000000000164001effe1000467640a0001000468ee3c80")


def keyframe(size: int) -> bytes:
    """A picture to begin with, of so many bytes."""
    return b"\x17\x01\x00\x00\x00".ljust(size, b"k")


def inter_frame(size: int) -> bytes:
    """A picture that needs those before it."""
    return b"\x27\x01\x00\x00\x00".ljust(size, b"i")


def _is_keyframe(message: Message) -> bool:
    return message.type_id == VIDEO and message.payload[:2] == b"\x17\x01"


def _chunk(chunk_stream: int, type_id: int, message_stream: int, time_ms: int, payload: bytes) -> bytes:
    """A message that fits into one chunk, with a full header."""
    head = bytes((chunk_stream,)) + time_ms.to_bytes(3, "big") + len(payload).to_bytes(3, "big")
    return head + bytes((type_id,)) + struct.pack("<I", message_stream) + payload


class StepClient:
    """One blocking connection; a context manager that closes it.

    Attributes:
        port: its own, by which the server knows it.
        sent_bytes: so far.
    """

    def __init__(self, port: int, *, is_greeting: bool = False) -> None:
        """``is_greeting``: the first bytes of the handshake are sent, whether or not anybody has accepted."""
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._sock.getsockname()[1]
        self._reader = ChunkReader(RtmpConfig())
        self._arrived: list[Message] = []
        self._message_stream = 0
        self.sent_bytes = 0
        self._is_greeted = False
        if is_greeting:
            self._greet()

    def __enter__(self) -> StepClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Whatever lies unread. Safe to call again."""
        self._sock.close()

    def connect(self, app: str = "live") -> None:
        """Shake hands, ``connect``, ``createStream``: three writes."""
        if not self._is_greeted:
            self._greet()
        answer = self._take(1 + 2 * _HANDSHAKE_BYTES)
        fields = {"app": app, "tcUrl": f"rtmp://127.0.0.1/{app}", "flashVer": "steps", "objectEncoding": 0.0}
        chunk_size = _chunk(2, _SET_CHUNK_SIZE, 0, 0, struct.pack(">I", _CHUNK_BYTES))
        self._send(answer[1 : 1 + _HANDSHAKE_BYTES] + chunk_size + self._command("connect", 1.0, fields))
        self._wait_for(lambda message: b"NetConnection.Connect.Success" in message.payload, "connect")
        self._send(self._command("createStream", 2.0, None))
        created = self._wait_for(lambda message: message.payload.startswith(encode_all("_result", 2.0)), "createStream")
        self._message_stream = int(struct.unpack(">d", created.payload[-8:])[0])

    def play(self, name: str, *, is_awaited: bool = True) -> None:
        """Ask for a stream; ``is_awaited``: until its first keyframe, else until it is said to begin."""
        self._send(self._command("play", 3.0, None, name, -2000.0))
        if is_awaited:
            self._wait_for(_is_keyframe, "a keyframe")
        else:
            self._wait_for(lambda message: b"NetStream.Play.Start" in message.payload, "play")

    def publish(self, name: str) -> None:
        """Offer a stream."""
        self._send(self._command("publish", 3.0, None, name, "live"))
        self._wait_for(lambda message: b"NetStream.Publish.Start" in message.payload, "publish")

    def send_video(self, time_ms: int, payload: bytes) -> None:
        """One message, in one write."""
        self._send(_chunk(6, VIDEO, self._message_stream, time_ms, payload))

    def wait_for_video(self, payload: bytes) -> None:
        """Until exactly this picture has come."""
        self._wait_for(lambda message: message.type_id == VIDEO and message.payload == payload, "a picture")

    def leave(self) -> None:
        """Send the end, and read until the server has ended too: nothing lies unread, so nothing is reset."""
        self._sock.shutdown(socket.SHUT_WR)
        while self._sock.recv(65536):
            pass
        self._sock.close()

    def _greet(self) -> None:
        self._is_greeted = True
        self._send(b"\x03" + bytes(8) + b"c" * (_HANDSHAKE_BYTES - 8))

    def _send(self, data: bytes) -> None:
        self._sock.sendall(data)
        self.sent_bytes += len(data)

    def _command(self, name: str, transaction: float, *values: Any) -> bytes:
        return _chunk(3, _COMMAND, self._message_stream, 0, encode_all(name, transaction, *values))

    def _take(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            data += self._recv(count - len(data))
        return bytes(data)

    def _recv(self, count: int = 65536) -> bytes:
        try:
            data = self._sock.recv(count)
        except OSError as error:
            raise BenchError(f"no answer of the server: {error}") from error
        if not data:
            raise BenchError("the server closed the connection")
        return data

    def _wait_for(self, is_it: Callable[[Message], bool], what: str) -> Message:
        """The next message of this kind; those before it are dropped."""
        while True:
            while self._arrived:
                message = self._arrived.pop(0)
                if is_it(message):
                    return message
                if message.type_id == _COMMAND and b"_error" in message.payload[:10]:
                    raise BenchError(f"{what} was refused: {message.payload!r}")
            self._reader.feed(self._recv(), 0, self._arrived)
