"""What two processes say to each other while connections go from one to the other, as bytes; no I/O.

A frame is a head of 12 bytes, big-endian, and a body:

    4  b"EdgH"
    1  what it is, a ``Kind``
    1  0
    2  descriptors that come with its first byte, at most 250
    4  length of the body

The order of a hand-over, ``>`` from the process that leaves to the one that comes:

    < HELLO       what this one is and which version it speaks
    > LISTENERS   its listening sockets, with their descriptors
    < READY       it could serve now
    > STREAM, FRAMES, HLS, CONNECTIONS ...   all that moves; those with descriptors wait for an ACK
    > END         how much that was
    < PREPARED    all of it is in place, and nothing has been touched
    > COMMIT      it is yours
    < SERVING     the last word of both: from here on the sockets are the newcomer's

Whatever else comes, or does not come in time, before SERVING: the old process goes on as if
nothing had been, and the new one ends. REFUSED says why, from either side.
"""

from __future__ import annotations

import struct
from collections import deque
from enum import IntEnum
from typing import NamedTuple

from edge.errors import HandoverError

VERSION = 1
MAX_DESCRIPTORS = 250
"""Of one frame: the kernel takes 253, and counts those under way against the limit of open files of the sender."""
MAX_BODY_BYTES = 67108864
MAX_CONTROL_BYTES = 65536
"""Body of a frame before READY: nobody has shown yet what it is."""

_MAGIC = b"EdgH"
_HEAD = struct.Struct(">4sBBHI")


class Kind(IntEnum):
    """What a frame is."""

    HELLO = 1
    LISTENERS = 2
    READY = 3
    STREAM = 4
    FRAMES = 5
    CONNECTIONS = 6
    ACK = 7
    END = 8
    PREPARED = 9
    COMMIT = 10
    SERVING = 11
    REFUSED = 12
    ORDER = 13
    """Not part of a hand-over: an operator's tool asks that a new process be started."""
    OUTCOME = 14
    """What came of that, as text."""
    HLS = 15
    """Of the stream before it, to a newcomer that takes it."""


class Frame(NamedTuple):
    """One thing said; whoever takes it owns the descriptors."""

    kind: Kind
    body: bytes = b""
    descriptors: tuple[int, ...] = ()


def encode_frame(kind: Kind, body: bytes = b"", descriptor_count: int = 0) -> bytes:
    """The bytes of a frame, with the first of which the descriptors are sent."""
    if len(body) > MAX_BODY_BYTES or descriptor_count > MAX_DESCRIPTORS:
        raise HandoverError(f"{kind.name} of {len(body)} bytes and {descriptor_count} descriptors")
    return _HEAD.pack(_MAGIC, kind, 0, descriptor_count, len(body)) + body


class FrameReader:
    """Bytes and descriptors in, frames out.

    Attributes:
        max_body_bytes: of a frame from now on.
    """

    def __init__(self) -> None:
        self.max_body_bytes = MAX_CONTROL_BYTES
        self._buffer = bytearray()
        self._descriptors: deque[int] = deque()
        self._head: tuple[Kind, int, int] | None = None

    def feed(self, data: bytes, descriptors: tuple[int, ...] | list[int] = ()) -> None:
        """What came; ``next_frame`` says what it was."""
        self._buffer += data
        self._descriptors.extend(descriptors)

    def next_frame(self) -> Frame | None:
        """The next frame that is whole, or None.

        Raises:
            HandoverError: it is none, or beyond a limit (``handover_malformed``); the reader is of no more use.
        """
        if self._head is None:
            if len(self._buffer) < _HEAD.size:
                return None
            self._head = self._read_head()
        kind, count, length = self._head
        if len(self._buffer) < length:
            return None
        if len(self._descriptors) < count:
            raise _malformed(f"{kind.name} with {len(self._descriptors)} of {count} descriptors")
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._head = None
        return Frame(kind, body, tuple(self._descriptors.popleft() for _ in range(count)))

    def _read_head(self) -> tuple[Kind, int, int]:
        magic, kind, zero, count, length = _HEAD.unpack_from(self._buffer)
        if magic != _MAGIC or zero:
            raise _malformed(f"a frame that begins with {bytes(self._buffer[:6]).hex()}")
        if kind not in Kind.__members__.values():
            raise _malformed(f"a frame of kind {kind}")
        if count > MAX_DESCRIPTORS or length > self.max_body_bytes:
            raise _malformed(f"{Kind(kind).name} of {length} bytes and {count} descriptors")
        del self._buffer[: _HEAD.size]
        return Kind(kind), count, length

    def take_descriptors(self) -> list[int]:
        """Those that no frame has taken: to be closed."""
        left = list(self._descriptors)
        self._descriptors.clear()
        return left


def _malformed(detail: str) -> HandoverError:
    return HandoverError(detail, reason="handover_malformed")
