"""A client of HTTP/2 whose every byte is given, and what it is told."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.harness.clock import deadline
from tests.hostile._arena import Row
from tests.hostile._wire import RawPeer

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, ACK = 1, 4, 8, 1
CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
#: A message of gRPC without a byte in it: health of the whole.
EMPTY = bytes(5)


def frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream: int = 0, size: int | None = None) -> bytes:
    """One frame; ``size`` is what its head says where that is a lie."""
    told = len(payload) if size is None else size
    return told.to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header that is not to be kept (RFC 7541 §6.2.2), both parts plain."""
    return b"\x00" + _length(name) + _length(value)


def literal_kept(name: bytes, value: bytes) -> bytes:
    """One that is to be kept in the table (RFC 7541 §6.2.1); the newest is at index 62."""
    return b"\x40" + _length(name) + _length(value)


def _length(text: bytes) -> bytes:
    size = len(text)
    if size < 127:
        return bytes((size,)) + text
    rest, found = size - 127, bytearray((127,))
    while rest >= 128:
        found.append(rest % 128 + 128)
        rest //= 128
    return bytes((*found, rest)) + text


def block(path: str = CHECK, *more: tuple[bytes, bytes], leave_out: tuple[bytes, ...] = ()) -> bytes:
    """Headers of a call, with more behind."""
    usual = [
        *((b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()), (b":authority", b"localhost")),
        *((b"te", b"trailers"), (b"content-type", b"application/grpc")),
    ]
    replaced = {name for name, _ in more} | set(leave_out)
    return b"".join(literal(*each) for each in [*(each for each in usual if each[0] not in replaced), *more])


def call(stream: int, message: bytes = EMPTY, path: str = CHECK, *more: tuple[bytes, bytes]) -> bytes:
    """A whole call."""
    head = frame(HEADERS, block(path, *more), flags=END_HEADERS, stream=stream)
    return head + frame(DATA, message, flags=END_STREAM, stream=stream)


@dataclass
class Told:
    """What the server has said so far.

    Attributes:
        kinds: frames by kind.
        resets: codes by stream.
        goaway: code of the last one.
        statuses: ``grpc-status`` by stream.
        https: status of HTTP by stream, where it is not 200.
        ended: streams that are over.
    """

    kinds: Counter[int] = field(default_factory=Counter)
    resets: dict[int, int] = field(default_factory=dict)
    goaway: int | None = None
    statuses: dict[int, int] = field(default_factory=dict)
    https: dict[int, bytes] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    raw: bytes = b""
    _rest: bytes = b""

    def take(self, data: bytes) -> None:
        self.raw += data
        rest = self._rest + data
        while len(rest) >= 9 and len(rest) >= 9 + (size := int.from_bytes(rest[:3], "big")):
            self._frame(rest[3], rest[4], int.from_bytes(rest[5:9], "big"), rest[9 : 9 + size])
            rest = rest[9 + size :]
        self._rest = rest

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        self.kinds[kind] += 1
        if kind == RST:
            self.resets[stream] = int.from_bytes(payload, "big")
            self.ended.add(stream)
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], "big")
        elif kind == HEADERS:
            # The library writes these names and numbers plainly.
            found = re.search(rb"grpc-status[\x01\x02](\d+)", payload)
            if found is not None:
                self.statuses[stream] = int(found[1])
            http = re.search(rb"\x03([45]\d\d)", payload)
            if http is not None:
                self.https[stream] = http[1]
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended.add(stream)


class H2Peer:
    """A connection that has begun as it must.

    Attributes:
        raw: the connection.
        told: what has come.
    """

    def __init__(self, row: Row, settings: bytes = b"", *, receive_buffer: int = 0) -> None:
        self.raw: RawPeer = row.raw(receive_buffer=receive_buffer)
        self.told = Told()
        self.raw.send(PREFACE + frame(SETTINGS, settings))

    def send(self, *frames: bytes) -> None:
        self.raw.send(b"".join(frames))

    def take(self, within_s: float = 0.05) -> None:
        """Whatever comes; settings are acknowledged."""
        before = self.told.kinds[SETTINGS]
        self.told.take(self.raw.receive(within_s))
        if before == 0 and self.told.kinds[SETTINGS]:
            self.send(frame(SETTINGS, flags=ACK))

    def ends(self, stream: int = 1, within_s: float = 2.0) -> Told:
        """Take in what comes until the stream or the connection is over, which has to be in time."""
        limit = time.monotonic() + deadline(within_s)
        while stream not in self.told.ended and not self.raw.is_closed:
            assert time.monotonic() < limit, f"stream {stream} goes on after {self.told}"
            self.take()
        return self.told

    def closes(self, within_s: float = 2.0) -> Told:
        """The same to the end of the connection."""
        limit = time.monotonic() + deadline(within_s)
        while not self.raw.is_closed:
            assert time.monotonic() < limit, f"still open after {self.told}"
            self.take()
        return self.told

    def answers(self, stream: int) -> None:
        """The connection serves: a call on ``stream`` is answered."""
        self.send(call(stream))
        told = self.ends(stream)
        assert told.statuses.get(stream) == 0, told
