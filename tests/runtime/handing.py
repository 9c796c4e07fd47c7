"""The other side of a hand-over, in a thread: says what it is told to say, and keeps what it gets."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from edge.errors import HandoverError
from edge.handover.channel import Channel
from edge.handover.documents import Hello, Totals, decode, encode
from edge.handover.frames import MAX_BODY_BYTES, VERSION, Frame, Kind
from edge.hls.handover import VERSION as HLS_VERSION
from edge.runtime.giving import Moving, give
from edge.runtime.node import Node
from edge.runtime.taking import Taker

WITHIN_MS = 60_000


def channels() -> tuple[Channel, Channel]:
    one, other = (Channel(sock) for sock in socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))
    for channel in (one, other):
        channel.set_deadline(WITHIN_MS)
        channel.reader.max_body_bytes = MAX_BODY_BYTES
    return one, other


class Successor(threading.Thread):
    """A new process, as far as the old one can tell; ``leaves_at`` is where it goes away without a word.

    Attributes:
        ours: the old process's end of the channel.
        frames: all that it was told; descriptors are its own.
    """

    def __init__(self, *, leaves_at: Kind | None = None, lies: bool = False) -> None:
        super().__init__()
        self.ours, self._channel = channels()
        self.frames: list[Frame] = []
        self._leaves_at, self._lies = leaves_at, lies
        self.start()

    def run(self) -> None:
        with suppress(HandoverError):
            self._talk()
        self._channel.close()

    def _talk(self) -> None:
        channel = self._channel
        while True:
            frame = channel.receive()
            self.frames.append(frame)
            if frame.kind is self._leaves_at:
                return
            if frame.kind is Kind.END:
                totals = decode(frame.body, Totals)
                totals.stream_count += self._lies
                channel.send(Kind.PREPARED, encode(totals))
            elif frame.kind is Kind.COMMIT:
                channel.send(Kind.SERVING)
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ours.close()
        self.join()

    def close_sockets(self) -> None:
        """What it was given and nobody serves."""
        for frame in self.frames:
            for descriptor in frame.descriptors:
                with suppress(OSError):
                    os.close(descriptor)


class Predecessor(threading.Thread):
    """An old process that says what another one has said to a ``Successor``."""

    def __init__(self, frames: list[Frame], *, commits: bool = True) -> None:
        super().__init__()
        self.theirs, self._channel = channels()
        self._frames, self._commits = frames, commits
        self.is_served = False
        self.start()

    def run(self) -> None:
        channel = self._channel
        with suppress(HandoverError):
            channel.expect(Kind.READY)
            for frame in self._frames:
                if frame.kind is not Kind.COMMIT:
                    channel.send(frame.kind, frame.body, frame.descriptors)
            channel.expect(Kind.PREPARED)
            if self._commits:
                channel.send(Kind.COMMIT)
                channel.expect(Kind.SERVING)
                self.is_served = True
        channel.close()


def hello() -> Frame:
    return Frame(Kind.HELLO, encode(Hello(VERSION, "test", os.getpid())))


@contextmanager
def copies(frames: list[Frame]) -> Iterator[list[Frame]]:
    """The same frames with descriptors of their own, which are closed in the end."""
    made = [frame._replace(descriptors=tuple(map(os.dup, frame.descriptors))) for frame in frames]
    try:
        yield made
    finally:
        for frame in made:
            for descriptor in frame.descriptors:
                os.close(descriptor)


def move_all(old: Node, new: Node) -> Moving:
    """Hand all over from one node of this process to another; returns what has moved, and what has stayed."""
    with Successor() as successor:
        moving = give(old, successor.ours, within_ms=WITHIN_MS, hls_version=HLS_VERSION)
    with copies(successor.frames) as made:
        before = Predecessor(made)
        taker = Taker(new, before.theirs)
        taker.take()
        before.join()
    assert before.is_served
    successor.close_sockets()
    taker.go_on()
    return moving
