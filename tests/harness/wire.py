"""RTMP 1.0 for the peers of the tests, both sides, written apart from the code under test.

It is strict where the server must be exact: a header compressed without a
predecessor, a chunk that starts in the middle of another message or an AMF value
cut short raises :class:`WireError`, and so fails the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from typing import Any, NamedTuple

SET_CHUNK_SIZE, ACKNOWLEDGEMENT, USER_CONTROL, WINDOW_SIZE, PEER_BANDWIDTH = 1, 3, 4, 5, 6
AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
STREAM_BEGIN, STREAM_EOF, PING_REQUEST, PING_RESPONSE = 0, 1, 6, 7
_EXTENDED = 0xFFFFFF
#: How long a peer may take to answer our FIN.
_CLOSE_S = 5.0


class WireError(Exception):
    """The peer sent what RTMP does not allow."""


class Message(NamedTuple):
    """One RTMP message; ``timestamp`` is the absolute 32-bit time of its chunk stream."""

    type_id: int
    message_stream_id: int
    timestamp: int
    payload: bytes


def encode_amf(*values: Any) -> bytes:
    """AMF0 (§2.2-2.7) of numbers, booleans, strings, ``None`` and dictionaries."""
    out = bytearray()
    for value in values:
        if isinstance(value, bool):
            out += bytes((1, value))
        elif isinstance(value, int | float):
            out += b"\x00" + struct.pack(">d", value)
        elif isinstance(value, str):
            out += b"\x02" + _short_string(value)
        elif value is None:
            out += b"\x05"
        else:
            out += b"\x03" + b"".join(_short_string(k) + encode_amf(v) for k, v in value.items()) + b"\x00\x00\x09"
    return bytes(out)


def _short_string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def decode_amf(data: bytes) -> list[Any]:
    """All AMF0 values of ``data``; undefined and null are both ``None``."""
    values, at = [], 0
    try:
        while at < len(data):
            value, at = _decode_value(data, at)
            values.append(value)
    except (struct.error, IndexError) as error:
        raise WireError(f"AMF0 cut short at byte {at} of {len(data)}") from error
    return values


def _decode_value(data: bytes, at: int) -> tuple[Any, int]:
    marker, at = data[at], at + 1
    if marker == 0:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if marker == 1:
        return data[at] != 0, at + 1
    if marker in (2, 12):
        size, at = struct.unpack_from(">H" if marker == 2 else ">I", data, at)[0], at + (2 if marker == 2 else 4)
        if at + size > len(data):
            raise WireError(f"AMF0 string of {size} bytes passes the end")
        return data[at : at + size].decode(), at + size
    if marker in (5, 6):
        return None, at
    if marker in (3, 8):
        return _decode_object(data, at + (4 if marker == 8 else 0))
    if marker == 10:
        items, count = [], struct.unpack_from(">I", data, at)[0]
        at += 4
        for _ in range(count):
            item, at = _decode_value(data, at)
            items.append(item)
        return items, at
    if marker == 11:
        return struct.unpack_from(">d", data, at)[0], at + 10
    raise WireError(f"AMF0 marker {marker}")


def _decode_object(data: bytes, at: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while data[at : at + 3] != b"\x00\x00\x09":
        size = struct.unpack_from(">H", data, at)[0]
        name = data[at + 2 : at + 2 + size].decode()
        found[name], at = _decode_value(data, at + 2 + size)
    return found, at + 3


class _ChunkStream:
    """Header fields remembered for one chunk stream, and its unfinished message."""

    __slots__ = ("delta", "is_extended", "length", "message_stream_id", "partial", "timestamp", "type_id")

    def __init__(self) -> None:
        self.timestamp = self.delta = self.length = self.type_id = self.message_stream_id = 0
        self.is_extended = False
        self.partial: bytearray | None = None


class _Ending(asyncio.Protocol):
    """Takes the place of a stream's protocol and discards what comes.

    Attributes:
        lost: done when the connection has ended.
    """

    def __init__(self, inner: asyncio.BaseProtocol) -> None:
        self._inner = inner
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, error: Exception | None) -> None:
        self._inner.connection_lost(error)
        if not self.lost.done():
            self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


class RtmpPeer:
    """One end of an RTMP connection over asyncio streams.

    Attributes:
        received_bytes: all bytes read from the peer.
        pings: how many PingRequests were answered.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._streams: dict[int, _ChunkStream] = {}
        self._in_chunk_size = self._out_chunk_size = 128
        self._window = self._acknowledged = 0
        self.received_bytes = self.pings = 0

    async def _read(self, count: int) -> bytes:
        data = await self._reader.readexactly(count)
        self.received_bytes += count
        return data

    async def handshake_as_client(self) -> None:
        """RTMP 1.0 §5.2, the simple form; S2 must echo C1."""
        c1 = struct.pack(">II", 0, 0) + os.urandom(1528)
        self._writer.write(b"\x03" + c1)
        s0_s1 = await self._read(1537)
        if s0_s1[0] != 3:
            raise WireError(f"server speaks RTMP version {s0_s1[0]}")
        self._writer.write(s0_s1[1:])
        if (await self._read(1536))[8:] != c1[8:]:
            raise WireError("S2 does not echo C1")

    async def handshake_as_server(self) -> None:
        """RTMP 1.0 §5.2, the simple form."""
        c0_c1 = await self._read(1537)
        self._writer.write(b"\x03" + struct.pack(">II", 0, 0) + os.urandom(1528) + c0_c1[1:])
        await self._read(1536)

    def send(self, chunk_stream_id: int, type_id: int, message_stream_id: int, timestamp: int, payload: bytes) -> None:
        """Queue one message with a full header (RTMP 1.0 §5.3.1.2.1)."""
        timestamp &= 0xFFFFFFFF
        short, extended = (_EXTENDED, struct.pack(">I", timestamp)) if timestamp >= _EXTENDED else (timestamp, b"")
        head = bytes((chunk_stream_id,)) + short.to_bytes(3, "big") + len(payload).to_bytes(3, "big")
        head += bytes((type_id,)) + struct.pack("<I", message_stream_id) + extended
        size = self._out_chunk_size
        parts = [head, payload[:size]]
        for at in range(size, len(payload), size):
            parts += [bytes((0xC0 | chunk_stream_id,)), extended, payload[at : at + size]]
        self._writer.write(b"".join(parts))

    def send_bytes(self, data: bytes) -> None:
        """Queue bytes as they are, such as a part of a message."""
        self._writer.write(data)

    def send_command(self, message_stream_id: int, *values: Any) -> None:
        self.send(3, COMMAND, message_stream_id, 0, encode_amf(*values))

    def set_out_chunk_size(self, size: int) -> None:
        self.send(2, SET_CHUNK_SIZE, 0, 0, struct.pack(">I", size))
        self._out_chunk_size = size

    async def drain(self) -> None:
        await self._writer.drain()

    def abort(self) -> None:
        """End the connection at once, whatever is queued."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Send what is queued, then FIN, and wait for the peer's end; what it still sends is discarded.

        A socket that is closed with unread bytes sends a reset instead, and what the kernel
        has not sent by then is lost.
        """
        transport = self._writer.transport
        if not transport.is_closing():
            ending = _Ending(transport.get_protocol())
            transport.set_protocol(ending)
            transport.resume_reading()
            transport.write_eof()
            await asyncio.wait([ending.lost], timeout=_CLOSE_S)
        transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def read_message(self) -> Message:
        """The next message that is not protocol control; those are acted on here.

        Raises ``IncompleteReadError`` or ``OSError`` at the end of the connection.
        """
        while True:
            message = await self._read_any()
            if message.type_id == SET_CHUNK_SIZE:
                self._in_chunk_size = struct.unpack(">I", message.payload)[0]
            elif message.type_id == WINDOW_SIZE:
                self._window = struct.unpack(">I", message.payload)[0]
            elif message.type_id == USER_CONTROL and message.payload[:2] == bytes((0, PING_REQUEST)):
                self.pings += 1
                self.send(2, USER_CONTROL, 0, 0, bytes((0, PING_RESPONSE)) + message.payload[2:])
            elif message.type_id not in (ACKNOWLEDGEMENT, PEER_BANDWIDTH):
                return message

    async def _read_any(self) -> Message:
        while True:
            stream = await self._read_header()
            partial = stream.partial
            assert partial is not None
            partial += await self._read(min(self._in_chunk_size, stream.length - len(partial)))
            self._acknowledge()
            if len(partial) == stream.length:
                stream.partial = None
                return Message(stream.type_id, stream.message_stream_id, stream.timestamp, bytes(partial))

    def _acknowledge(self) -> None:
        if self._window and self.received_bytes - self._acknowledged >= self._window // 2:
            self._acknowledged = self.received_bytes
            self.send(2, ACKNOWLEDGEMENT, 0, 0, struct.pack(">I", self.received_bytes & 0xFFFFFFFF))

    async def _read_header(self) -> _ChunkStream:
        """Read a chunk header (RTMP 1.0 §5.3.1) and leave ``partial`` ready for its payload."""
        first = (await self._read(1))[0]
        fmt, chunk_stream_id = first >> 6, first & 63
        if chunk_stream_id == 0:
            chunk_stream_id = 64 + (await self._read(1))[0]
        elif chunk_stream_id == 1:
            chunk_stream_id = 64 + int.from_bytes(await self._read(2), "little")
        stream = self._streams.get(chunk_stream_id)
        if stream is None:
            if fmt != 0:
                raise WireError(f"chunk stream {chunk_stream_id} opens with header type {fmt}")
            stream = self._streams[chunk_stream_id] = _ChunkStream()
        if fmt != 3 and stream.partial is not None:
            raise WireError(f"chunk stream {chunk_stream_id}: header type {fmt} inside a message")
        if fmt < 3:
            await self._read_message_header(stream, fmt)
        elif stream.is_extended:
            await self._read(4)
        if stream.partial is None:
            stream.timestamp = (stream.timestamp + stream.delta) & 0xFFFFFFFF
            stream.partial = bytearray()
        return stream

    async def _read_message_header(self, stream: _ChunkStream, fmt: int) -> None:
        head = await self._read((11, 7, 3)[fmt])
        time_field = int.from_bytes(head[:3], "big")
        if fmt < 2:
            stream.length, stream.type_id = int.from_bytes(head[3:6], "big"), head[6]
        if fmt == 0:
            stream.message_stream_id = struct.unpack("<I", head[7:])[0]
        stream.is_extended = time_field == _EXTENDED
        if stream.is_extended:
            time_field = struct.unpack(">I", await self._read(4))[0]
        if fmt == 0:
            stream.timestamp, stream.delta = 0, time_field
        else:
            stream.delta = time_field
