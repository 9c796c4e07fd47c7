"""Two streams of bytes joined in memory, whose kernel takes and gives as a test wants."""

from __future__ import annotations

import errno
import itertools
import socket
from collections.abc import Iterable, Iterator


class PipeEnd:
    """One side of a pair, a ``ByteStream``.

    Attributes:
        received: bytes of the peer that wait to be read.
        takes: how many bytes each ``send`` takes at most; 0 refuses it. Without limit once it is exhausted.
        gives: how many bytes each ``recv_into`` gives at most.
        error: what every further call raises.
    """

    has_unread = False
    has_unsent = False

    def __init__(self) -> None:
        self.received = bytearray()
        self.takes: Iterator[int] = iter(())
        self.gives = 1 << 30
        self.is_ended = False
        self.is_closed = False
        self.error: OSError | None = None
        self.peer: PipeEnd = self

    @property
    def sock(self) -> socket.socket:
        raise AssertionError("there is no socket here")

    def fileno(self) -> int:
        return -1 if self.is_closed else 7

    def recv_into(self, buffer: memoryview, nbytes: int = 0, /) -> int:
        if self.error is not None:
            raise self.error
        if not self.received:
            if self.peer.is_ended:
                return 0
            raise BlockingIOError(errno.EAGAIN, "nothing there")
        count = min(nbytes or len(buffer), len(self.received), self.gives)
        buffer[:count] = self.received[:count]
        del self.received[:count]
        return count

    def peek(self, nbytes: int, /) -> bytes:
        return bytes(self.received[:nbytes])

    def send(self, data: bytes | memoryview, /) -> int:
        if self.error is not None:
            raise self.error
        assert not self.is_ended, "sent behind the end"
        room = next(self.takes, 1 << 30)
        if not room:
            raise BlockingIOError(errno.EAGAIN, "full")
        count = min(room, len(data))
        self.peer.received += data[:count]
        return count

    def flush(self) -> bool:
        return True

    def end_sending(self) -> None:
        self.is_ended = True

    def close(self) -> None:
        self.is_ended = self.is_closed = True


def new_pipe(
    *, client_takes: Iterable[int] = (), server_takes: Iterable[int] = (), gives: int = 1 << 30
) -> tuple[PipeEnd, PipeEnd]:
    """The ends of a client and of a server. What a side takes is repeated for ever."""
    client, server = PipeEnd(), PipeEnd()
    client.peer, server.peer = server, client
    client.gives = server.gives = gives
    client.takes = itertools.cycle(client_takes)
    server.takes = itertools.cycle(server_takes)
    return client, server
