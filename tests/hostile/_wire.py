"""A peer that says anything: chunk headers byte by byte, over a blocking socket."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from tests.harness.accounting import AAC_SEQUENCE_HEADER, AVC_SEQUENCE_HEADER
from tests.harness.clock import deadline
from tests.harness.wire import AUDIO, COMMAND, DATA, SET_CHUNK_SIZE, VIDEO, Message, WireError, decode_amf, encode_amf

__all__ = [
    "AAC_SEQUENCE_HEADER",
    "AUDIO",
    "AVC_SEQUENCE_HEADER",
    "COMMAND",
    "DATA",
    "VIDEO",
    "Message",
    "RawPeer",
    "audio",
    "basic",
    "chunk",
    "control",
    "encode_amf",
    "message",
    "video",
]

_EXTENDED = 0xFFFFFF


def basic(fmt: int, chunk_stream_id: int, form: int = 0) -> bytes:
    """The basic header (RTMP 1.0 §5.3.1.1); ``form`` 1-3 asks for so many bytes, 0 for the fewest."""
    form = form or (1 if chunk_stream_id < 64 else 2 if chunk_stream_id < 320 else 3)
    if form == 1:
        return bytes((fmt << 6 | chunk_stream_id,))
    return bytes((fmt << 6 | form - 2,)) + (chunk_stream_id - 64).to_bytes(form - 1, "little")


def chunk(
    fmt: int,
    chunk_stream_id: int,
    payload: bytes = b"",
    *,
    type_id: int = COMMAND,
    length: int | None = None,
    stream: int = 0,
    at: int = 0,
    extended: int | None = None,
) -> bytes:
    """One chunk with a header of any type; ``extended`` adds the extended timestamp to whatever ``at`` says."""
    out = basic(fmt, chunk_stream_id)
    if fmt < 3:
        out += at.to_bytes(3, "big")
    if fmt < 2:
        out += (len(payload) if length is None else length).to_bytes(3, "big") + bytes((type_id,))
    if fmt == 0:
        out += struct.pack("<I", stream)
    return out + (b"" if extended is None else struct.pack(">I", extended)) + payload


def message(
    type_id: int, payload: bytes, *, csid: int = 3, stream: int = 0, at: int = 0, chunk_size: int = 128
) -> bytes:
    """One whole message with a full header, cut into chunks."""
    at &= 0xFFFFFFFF
    extended = at if at >= _EXTENDED else None
    head = chunk(0, csid, type_id=type_id, length=len(payload), stream=stream, at=min(at, _EXTENDED), extended=extended)
    parts = [head, payload[:chunk_size]]
    for begin in range(chunk_size, len(payload), chunk_size):
        parts += [chunk(3, csid, extended=extended), payload[begin : begin + chunk_size]]
    return b"".join(parts)


def control(type_id: int, payload: bytes, *, csid: int = 2, stream: int = 0) -> bytes:
    """A protocol control message."""
    return message(type_id, payload, csid=csid, stream=stream)


def video(number: int = 0, *, is_keyframe: bool = True, size: int = 40) -> bytes:
    """An AVC frame body of ``size`` bytes that bears a number."""
    head = (b"\x17" if is_keyframe else b"\x27") + b"\x01\x00\x00\x00" + struct.pack(">I", number)
    pattern = bytes((number * 7 + i) & 0xFF for i in range(256))
    return (head + pattern * (size // 256 + 1))[:size]


def audio(number: int = 0, size: int = 20) -> bytes:
    """An AAC frame body that bears a number."""
    return b"\xaf\x01" + struct.pack(">I", number) + b"a" * size


class _State:
    __slots__ = ("delta", "extended", "length", "partial", "stream", "time", "type_id")

    def __init__(self) -> None:
        self.time = self.delta = self.length = self.type_id = self.stream = 0
        self.extended = False
        self.partial: bytearray | None = None


class Inbox:
    """Reads what the server sends, as it comes. Raises ``WireError`` on what no server may send."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.chunk_size = 128
        self._buffer = bytearray()
        self._states: dict[int, _State] = {}

    def feed(self, data: bytes) -> None:
        self._buffer += data
        at, buffer = 0, self._buffer
        while (after := self._take_chunk(buffer, at)) > 0:
            at = after
        del buffer[:at]

    def _take_chunk(self, buffer: bytearray, at: int) -> int:
        """The position after the chunk at ``at``, 0 while it is not whole."""
        if at >= len(buffer):
            return 0
        fmt, csid, at = buffer[at] >> 6, buffer[at] & 63, at + 1
        if csid < 2:
            size = csid + 1
            if len(buffer) < at + size:
                return 0
            csid, at = 64 + int.from_bytes(buffer[at : at + size], "little"), at + size
        state = self._states.get(csid)
        if state is None:
            if fmt:
                raise WireError(f"chunk stream {csid} opens with header type {fmt}")
            state = self._states[csid] = _State()
        if fmt != 3 and state.partial is not None:
            raise WireError(f"chunk stream {csid}: header type {fmt} inside a message")
        head_size = (11, 7, 3, 0)[fmt]
        head = bytes(buffer[at : at + head_size])
        at += head_size
        field = int.from_bytes(head[:3], "big")
        extended = field == _EXTENDED if fmt < 3 else state.extended
        length = int.from_bytes(head[3:6], "big") if fmt < 2 else state.length
        done = len(state.partial) if state.partial is not None else 0
        end = at + 4 * extended + min(self.chunk_size, length - done)
        if len(buffer) < end or len(head) < head_size:
            return 0
        if extended and fmt < 3:
            field = int.from_bytes(buffer[at : at + 4], "big")
        at += 4 * extended
        state.length, state.extended = length, extended
        if fmt < 2:
            state.type_id = head[6]
        if fmt == 0:
            state.stream = struct.unpack("<I", head[7:])[0]
            state.time, state.delta = 0, field
        elif fmt < 3:
            state.delta = field
        if state.partial is None:
            state.time = (state.time + state.delta) & 0xFFFFFFFF
            state.partial = bytearray()
        state.partial += buffer[at:end]
        if len(state.partial) == length:
            self._finish(state, bytes(state.partial))
            state.partial = None
        return end

    def _finish(self, state: _State, payload: bytes) -> None:
        if state.type_id == SET_CHUNK_SIZE:
            self.chunk_size = int.from_bytes(payload, "big")
        self.messages.append(Message(state.type_id, state.stream, state.time, payload))


class RawPeer:
    """A TCP connection to the server; sending never fails, the end is noted.

    Attributes:
        name: ``ip:port`` as the server's log shows it.
        messages: all that came after the handshake, control included.
        is_closed: the server has ended the connection (FIN or reset).
        stream: the message stream that ``open_stream`` made.
    """

    def __init__(self, port: int, *, receive_buffer: int = 0) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.name = f"127.0.0.1:{self.sock.getsockname()[1]}"
        self.is_closed = False
        self.s1 = self.s2 = b""
        self.stream = 0
        self.chunk_size = 128
        self.inbox = Inbox()
        self._transaction = 100  # below are the numbers of the tests

    # --- bytes ---------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send all of it; what a server that has closed refuses is nobody's loss."""
        self.sock.settimeout(deadline(10))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def receive(self, within_s: float) -> bytes:
        """Whatever comes first within the time; b"" for nothing, or for the end."""
        self.sock.settimeout(max(within_s, 0.001))
        try:
            data = self.sock.recv(262144)
        except TimeoutError:
            return b""
        except ConnectionResetError:
            data = b""
        self.is_closed = not data
        return data

    def receive_exactly(self, count: int, within_s: float = 2.0) -> bytes:
        data, limit = b"", time.monotonic() + deadline(within_s)
        while len(data) < count:
            self.sock.settimeout(max(limit - time.monotonic(), 0.001))
            piece = self.sock.recv(count - len(data))
            assert piece, f"the server closed after {len(data)} of {count} bytes"
            data += piece
        return data

    def wait(self, condition: Callable[[], object], what: str, within_s: float = 2.0) -> None:
        """Take in messages until ``condition()`` holds; fails at the end of the connection or of the time."""
        limit = time.monotonic() + deadline(within_s)
        while not condition():
            left_s = limit - time.monotonic()
            assert left_s > 0, f"not within {within_s} s: {what}; got {self.last_messages}"
            assert not self.is_closed, f"closed before: {what}; got {self.last_messages}"
            self.inbox.feed(self.receive(left_s))

    def wait_closed(self, within_s: float) -> float:
        """Take in messages until the server closes; returns the seconds it took, fails after ``within_s``."""
        began = time.monotonic()
        limit = began + deadline(within_s)
        while not self.is_closed:
            left_s = limit - time.monotonic()
            assert left_s > 0, f"still open after {deadline(within_s)} s; got {self.last_messages}"
            self.inbox.feed(self.receive(left_s))
        return time.monotonic() - began

    def settle(self, seconds: float = 0.05) -> None:
        """Take in what comes during a moment."""
        limit = time.monotonic() + seconds
        while not self.is_closed and (left_s := limit - time.monotonic()) > 0:
            self.inbox.feed(self.receive(left_s))

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # --- the ordinary steps --------------------------------------------------

    def shake(self, c1: bytes | None = None, c2: bytes | None = None) -> None:
        """RTMP 1.0 §5.2 in the simple form, or with other bytes."""
        self.send(b"\x03" + (c1 or bytes(8) + os.urandom(1528)))
        answer = self.receive_exactly(3073)
        assert answer[0] == 3
        self.s1, self.s2 = answer[1:1537], answer[1537:]
        self.send(self.s1 if c2 is None else c2)

    def send_message(self, type_id: int, payload: bytes, *, csid: int = 3, stream: int = 0, at: int = 0) -> None:
        self.send(message(type_id, payload, csid=csid, stream=stream, at=at, chunk_size=self.chunk_size))

    def set_chunk_size(self, size: int) -> None:
        self.send(control(SET_CHUNK_SIZE, struct.pack(">I", size)))
        self.chunk_size = size

    def command(self, stream: int, name: str, transaction: float, *values: Any) -> None:
        self.send_message(COMMAND, encode_amf(name, transaction, *values), stream=stream)

    def call(self, name: str, *values: Any) -> list[Any]:
        """Send a command and wait for its ``_result``."""
        self._transaction += 1
        wanted = self._transaction
        self.command(0, name, wanted, *values)
        self.wait(lambda: self.replies(wanted), f"the answer to {name}")
        answer = self.replies(wanted)[0]
        assert answer[0] == "_result", f"{name} refused: {answer}"
        return answer

    def connect(self, app: str = "live", **properties: Any) -> None:
        """``connect``, answered."""
        asked = {"app": app, "tcUrl": f"rtmp://localhost/{app}", **properties}
        self.call("connect", {name: value for name, value in asked.items() if value is not None})

    def open_stream(self) -> int:
        """``createStream``; its number."""
        self.stream = int(self.call("createStream", None)[3])
        return self.stream

    def publish(self, name: str, stream: int = 0) -> None:
        """``publish``, granted, and larger chunks from then on."""
        self.set_chunk_size(65536)
        before = self.statuses.count("NetStream.Publish.Start")
        self.command(stream or self.stream, "publish", 0, None, name, "live")
        self.wait(lambda: self.statuses.count("NetStream.Publish.Start") > before, "Publish.Start")

    def play(self, name: str, stream: int = 0) -> None:
        """``play``, granted."""
        before = self.statuses.count("NetStream.Play.Start")
        self.command(stream or self.stream, "play", 0, None, name, -2000)
        self.wait(lambda: self.statuses.count("NetStream.Play.Start") > before, "Play.Start")

    def media(self, type_id: int, payload: bytes, at: int = 0, stream: int = 0) -> None:
        """Send one media message on the chunk stream of its kind."""
        csid = {AUDIO: 4, VIDEO: 6}.get(type_id, 7)
        self.send_message(type_id, payload, csid=csid, stream=stream or self.stream, at=at)

    def forget_media(self) -> None:
        """Drop the audio and video received so far."""
        self.inbox.messages[:] = [each for each in self.messages if each.type_id not in (AUDIO, VIDEO)]

    # --- what came -----------------------------------------------------------

    @property
    def messages(self) -> list[Message]:
        return self.inbox.messages

    @property
    def last_messages(self) -> str:
        """The newest, for the text of a failure."""
        shown = [f"{each.type_id}@{each.timestamp} {each.payload[:24]!r}" for each in self.messages[-5:]]
        return f"{len(self.messages)} messages, statuses {self.statuses}, last {shown}"

    @property
    def commands(self) -> list[list[Any]]:
        return [decode_amf(each.payload) for each in self.messages if each.type_id == COMMAND]

    def replies(self, transaction: float) -> list[list[Any]]:
        """``_result`` and ``_error`` with that transaction number."""
        return [each for each in self.commands if each[0] in ("_result", "_error") and each[1] == transaction]

    @property
    def infos(self) -> list[dict[str, Any]]:
        """Information objects of the onStatus messages."""
        return [each[3] for each in self.commands if each[0] == "onStatus"]

    @property
    def statuses(self) -> list[str]:
        return [str(info["code"]) for info in self.infos]

    def received(self, type_id: int) -> list[bytes]:
        """Bodies of the messages of one type."""
        return [each.payload for each in self.messages if each.type_id == type_id]
