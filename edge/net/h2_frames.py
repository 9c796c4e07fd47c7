"""Frames of HTTP/2 on their way through, without I/O: their heads, and of few kinds what is in them (RFC 9113 §4.1)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
#: Largest payload that a peer may send to who has not announced more (RFC 9113 §6.5.2).
MAX_FRAME_BYTES = 16384
#: Of all streams of a connection, and of each, before anybody says another.
DEFAULT_WINDOW = 65535

END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 0x01, 0x01, 0x04, 0x08, 0x20
#: Names of settings (RFC 9113 §6.5.2).
ENABLE_PUSH, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 0x02, 0x04, 0x05
MAX_WINDOW = (1 << 31) - 1


class Kind(IntEnum):
    """Types of frames (RFC 9113 §6)."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class Code(IntEnum):
    """Error codes (RFC 9113 §7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class FrameHead(NamedTuple):
    """One frame.

    Attributes:
        kind: a ``Kind``, or a number that nobody knows.
        size: bytes of its payload.
        payload: of SETTINGS, WINDOW_UPDATE, GOAWAY, HEADERS and CONTINUATION; empty of all others.
    """

    kind: int
    flags: int
    stream_id: int
    size: int
    payload: bytes = b""


#: Payloads of these have one size (RFC 9113 §6.3, §6.4, §6.7, §6.9).
_SIZES: dict[int, int] = {Kind.PRIORITY: 5, Kind.RST_STREAM: 4, Kind.PING: 8, Kind.WINDOW_UPDATE: 4}
_OF_STREAMS = frozenset({Kind.DATA, Kind.HEADERS, Kind.PRIORITY, Kind.RST_STREAM, Kind.PUSH_PROMISE, Kind.CONTINUATION})
_OF_CONNECTIONS = frozenset({Kind.SETTINGS, Kind.PING, Kind.GOAWAY})
_READ_WHOLE = frozenset({Kind.SETTINGS, Kind.WINDOW_UPDATE, Kind.GOAWAY, Kind.HEADERS, Kind.CONTINUATION})


class FrameTooLargeError(Exception):
    """A frame announces more than it may have."""


class FrameReader:
    """One direction of a connection, from its first frame on.

    No more than one head and one payload of at most ``max_frame_bytes`` is kept.
    """

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._held = bytearray()
        self._head: FrameHead | None = None
        self._passing_bytes = 0

    @property
    def is_between(self) -> bool:
        """What has come so far ends with a whole frame."""
        return not self._held and not self._passing_bytes and self._head is None

    def frames(self, data: bytes) -> Iterator[FrameHead]:
        """The frames whose heads are complete by now; those that are read whole once they are there.

        Raises:
            FrameTooLargeError: nothing behind that frame can be read.
        """
        at, end = 0, len(data)
        while at < end or self._head is not None:
            if self._passing_bytes:
                passed = min(self._passing_bytes, end - at)
                self._passing_bytes -= passed
                at += passed
                continue
            wanted = HEAD_BYTES if self._head is None else self._head.size
            taken = data[at : at + wanted - len(self._held)]
            self._held += taken
            at += len(taken)
            if len(self._held) < wanted:
                return
            found = bytes(self._held)
            self._held.clear()
            if self._head is not None:
                head, self._head = self._head._replace(payload=found), None
                yield head
                continue
            head = _decode_head(found)
            if head.size > self._max_frame_bytes:
                raise FrameTooLargeError(f"a frame of {head.size} bytes")
            if head.kind in _READ_WHOLE:
                self._head = head
                continue
            self._passing_bytes = head.size
            yield head


def _decode_head(data: bytes) -> FrameHead:
    stream_id = int.from_bytes(data[5:9], "big") & 0x7FFFFFFF
    return FrameHead(data[3], data[4], stream_id, int.from_bytes(data[:3], "big"))


def encode_frame(kind: int, payload: bytes = b"", *, flags: int = 0, stream_id: int = 0) -> bytes:
    """One frame as it is sent."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream_id.to_bytes(4, "big") + payload


def goaway(code: Code, last_stream_id: int = 0, text: str = "") -> bytes:
    """The frame that ends a connection (RFC 9113 §6.8)."""
    payload = last_stream_id.to_bytes(4, "big") + code.to_bytes(4, "big") + text.encode()
    return encode_frame(Kind.GOAWAY, payload)


def settings_of(payload: bytes) -> Iterator[tuple[int, int]]:
    """Names and values of SETTINGS (RFC 9113 §6.5.1); a rest that is no whole one is left out."""
    for at in range(0, len(payload) - 5, 6):
        yield int.from_bytes(payload[at : at + 2], "big"), int.from_bytes(payload[at + 2 : at + 6], "big")


def fault_of(head: FrameHead) -> tuple[Code, str] | None:
    """What is wrong with a frame by itself, as a client may send it: its size, its stream, its values."""
    kind, size = head.kind, head.size
    if size != _SIZES.get(kind, size):
        return Code.FRAME_SIZE_ERROR, f"a frame of type {kind} with {size} bytes"
    if (kind in _OF_STREAMS and not head.stream_id) or (kind in _OF_CONNECTIONS and head.stream_id):
        return Code.PROTOCOL_ERROR, f"a frame of type {kind} on stream {head.stream_id}"
    if kind == Kind.PUSH_PROMISE:
        return Code.PROTOCOL_ERROR, "a promise of a client"
    if kind == Kind.SETTINGS:
        if size % 6 or (head.flags & ACK and size):
            return Code.FRAME_SIZE_ERROR, f"settings of {size} bytes"
        return _fault_of_settings(head.payload)
    if kind == Kind.WINDOW_UPDATE and not int.from_bytes(head.payload, "big") & MAX_WINDOW:
        return Code.PROTOCOL_ERROR, "a window that is opened by nothing"
    if head.flags & PADDED and kind in (Kind.DATA, Kind.HEADERS) and not size:
        return Code.PROTOCOL_ERROR, "padding without a length"
    return None


def _fault_of_settings(payload: bytes) -> tuple[Code, str] | None:
    """Values out of range (RFC 9113 §6.5.2)."""
    for name, value in settings_of(payload):
        if name == INITIAL_WINDOW_SIZE and value > MAX_WINDOW:
            return Code.FLOW_CONTROL_ERROR, f"an initial window of {value} bytes"
        if (name == ENABLE_PUSH and value > 1) or (
            name == MAX_FRAME_SIZE and not MAX_FRAME_BYTES <= value < MAX_FRAME_BYTES << 10
        ):
            return Code.PROTOCOL_ERROR, f"setting {name} is {value}"
    return None


def fragment_of(head: FrameHead) -> bytes | None:
    """What a frame has of a header block, without padding and priority (RFC 9113 §6.2); None where that cannot be."""
    payload = head.payload
    if head.kind != Kind.HEADERS:
        return payload
    begin = (1 if head.flags & PADDED else 0) + (5 if head.flags & PRIORITISED else 0)
    end = len(payload) - (payload[0] if head.flags & PADDED else 0)
    return payload[begin:end] if begin <= end else None
