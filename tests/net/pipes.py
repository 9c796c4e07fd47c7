"""Wires in memory, which keep bytes back on both sides as TLS does, and a poller that the test plays."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from edge.net.config import NetConfig
from edge.net.context import NetContext
from edge.net.poller import READ, WRITE, Pollable

_descriptors = itertools.count(10_000)


class Options:
    """Stands for the socket below: takes options, and can be no more than that."""

    def setsockopt(self, *_: object) -> None:
        return None

    def getpeername(self) -> tuple[str, int]:
        return ("192.0.2.1", 4711)


class PipeWire:
    """One end of a pair; ``joined`` makes both.

    Attributes:
        record_bytes: most of one ``send``, and of one piece of what is read from below.
        room_bytes: what the side below takes at present; None: all.
        reads: how often it was asked for bytes.
    """

    def __init__(self, record_bytes: int) -> None:
        self.record_bytes = record_bytes
        self.room_bytes: int | None = None
        self.reads = 0
        self.error: OSError | None = None
        self.has_ended = False  # our side
        self.is_closed = False
        self.peer: PipeWire = self
        self.sock: Any = Options()
        self.arrived = bytearray()  # what a poller tells of
        self.is_at_end = False  # the peer has sent all
        self._unread = bytearray()
        self._unsent = bytearray()
        self._fd = next(_descriptors)

    @property
    def has_unread(self) -> bool:
        return bool(self._unread)

    @property
    def has_unsent(self) -> bool:
        return bool(self._unsent)

    @property
    def readiness(self) -> int:
        """What a poller would tell."""
        is_readable = self.arrived or self.is_at_end or self.error
        return (READ if is_readable else 0) | (WRITE if self.room_bytes != 0 or self.error else 0)

    def fileno(self) -> int:
        return -1 if self.is_closed else self._fd

    def _fill(self) -> None:
        if not self._unread:
            self._unread += self.arrived[: self.record_bytes]
            del self.arrived[: self.record_bytes]
        if not self._unread and not self.is_at_end:
            raise BlockingIOError

    def recv_into(self, buffer: memoryview, nbytes: int = 0, /) -> int:
        self.reads += 1
        if self.error is not None:
            raise self.error
        self._fill()
        data = self._unread[: nbytes or len(buffer)]
        buffer[: len(data)] = data
        del self._unread[: len(data)]
        return len(data)

    def peek(self, nbytes: int, /) -> bytes:
        if self.error is not None:
            raise self.error
        self._unread += self.arrived
        self.arrived.clear()
        self._fill()
        return bytes(self._unread[:nbytes])

    def send(self, data: bytes | memoryview, /) -> int:
        if not self.flush():
            raise BlockingIOError
        taken = bytes(data[: self.record_bytes])
        self._unsent += taken
        self.flush()
        return len(taken)

    def flush(self) -> bool:
        if self.error is not None:
            raise self.error
        size = len(self._unsent) if self.room_bytes is None else min(self.room_bytes, len(self._unsent))
        self.peer.arrived += self._unsent[:size]
        del self._unsent[:size]
        if self.room_bytes is not None:
            self.room_bytes -= size
        if self.has_ended and not self._unsent:
            self.peer.is_at_end = True
        return not self._unsent

    def end_sending(self) -> None:
        self.has_ended = True
        if self.error is None:
            self.flush()

    def close(self) -> None:
        self.is_closed = True
        self.peer.is_at_end = True


def joined(record_bytes: int) -> tuple[PipeWire, PipeWire]:
    """Two ends; what the one sends the other reads."""
    ours, theirs = PipeWire(record_bytes), PipeWire(record_bytes)
    ours.peer, theirs.peer = theirs, ours
    return ours, theirs


class PlayedPoller:
    """Watches wires in memory; ``turn`` is a turn of the loop."""

    def __init__(self) -> None:
        self.watched: dict[int, tuple[Pollable, int]] = {}
        self.wires: dict[int, PipeWire] = {}
        self.internal_error_count = 0

    def __len__(self) -> int:
        return len(self.watched)

    def add(self, fd: int, owner: Pollable, events: int = READ) -> None:
        self.watched[fd] = (owner, events)

    def modify(self, fd: int, events: int) -> None:
        self.watched[fd] = (self.watched[fd][0], events)

    def remove(self, fd: int) -> None:
        self.watched.pop(fd, None)

    def events(self, wire: PipeWire) -> int:
        """What is watched for; 0 also for one that is not watched."""
        return self.watched.get(wire.fileno(), (None, 0))[1]

    def turn(self, *wires: PipeWire) -> bool:
        """Tell the owners of ``wires`` what they wait for; False when there was nothing to tell."""
        told = False
        for wire in wires:
            owner, events = self.watched.get(wire.fileno(), (None, 0))
            if owner is not None and events & wire.readiness:
                owner.on_ready(events & wire.readiness)
                told = True
        return told

    def handler_failed(self, fd: int) -> None:
        raise AssertionError("a handler failed") from None

    def close(self) -> None:
        assert not self.watched


def played_context(**config: Any) -> tuple[NetContext, PlayedPoller]:
    """A context whose poller the test plays."""
    context = NetContext(asyncio.get_running_loop(), NetConfig(**config))
    context.poller.close()
    poller = PlayedPoller()
    context.poller = poller  # type: ignore[assignment]
    return context, poller
