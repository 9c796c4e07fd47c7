"""What a connection reads from and writes to: a socket, or TLS over one."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any, Protocol


class ByteStream(Protocol):
    """A non-blocking connection of bytes.

    ``recv_into``, ``peek`` and ``send`` raise BlockingIOError when nothing can be had or
    taken now, and another OSError when the connection has broken.
    """

    @property
    def sock(self) -> socket.socket:
        """The socket below, for its options and the kernel's counters; nobody else reads or writes it."""
        ...

    @property
    def has_unread(self) -> bool:
        """There are bytes, or their end, for ``recv_into`` that the poller does not tell of."""
        ...

    @property
    def has_unsent(self) -> bool:
        """Some of what ``send`` has taken waits for the socket: call ``flush`` when it is writable."""
        ...

    def fileno(self) -> int:
        """The descriptor to watch; -1 once closed."""
        ...

    def recv_into(self, buffer: memoryview, nbytes: int = 0, /) -> int:
        """Read up to ``nbytes`` (0: up to the size of ``buffer``); 0 is the end of what the peer sends."""
        ...

    def peek(self, nbytes: int, /) -> bytes:
        """Up to ``nbytes`` of what ``recv_into`` would read, which are left there; empty at the end."""
        ...

    def send(self, data: bytes | memoryview, /) -> int:
        """Take some of ``data``, perhaps less than all; returns the number of bytes."""
        ...

    def flush(self) -> bool:
        """Hand the socket what waits for it; False while some is left."""
        ...

    def end_sending(self) -> None:
        """Tell the peer that no more comes; what it sends can be read on. Harmless on a broken connection."""
        ...

    def close(self) -> None:
        """Release the descriptor; harmless when done before."""
        ...


class SocketStream(socket.socket):
    """A plain TCP socket as a ``ByteStream``: most of it is the socket's own."""

    __slots__ = ()

    has_unread = False
    has_unsent = False

    @property
    def sock(self) -> socket.socket:
        """Itself."""
        return self

    def peek(self, nbytes: int, /) -> bytes:
        """See ``ByteStream``."""
        return self.recv(nbytes, socket.MSG_PEEK)

    def flush(self) -> bool:
        """Nothing ever waits."""
        return True

    def end_sending(self) -> None:
        """See ``ByteStream``."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_WR)


class ListeningSocket(socket.socket):
    """A TCP socket that accepts streams.

    The library's ``accept`` makes two objects for each, and asks three times what they are.
    """

    __slots__ = ("_kind",)

    def __init__(self, family: int, fileno: int | None = None) -> None:
        """``fileno``: of one that listens already, which is owned from here on."""
        super().__init__(family, socket.SOCK_STREAM, 0, fileno)
        self._kind = (family, int(socket.SOCK_STREAM), 0)

    @classmethod
    def of_descriptor(cls, fileno: int) -> ListeningSocket:
        """One that another process has opened."""
        with socket.socket(fileno=fileno) as found:
            family = found.family
            found.detach()
        sock = cls(family, fileno)
        sock.setblocking(False)
        return sock

    def accept(self) -> tuple[SocketStream, Any]:
        """The next connection, non-blocking, and its peer's name; raises as the library's does."""
        fd, name = self._accept()  # type: ignore[attr-defined]
        try:
            stream = SocketStream(*self._kind, fd)
            stream.setblocking(False)
        except BaseException:
            os.close(fd)
            raise
        return stream, name


def is_plain(wire: ByteStream) -> bool:
    """Whether ``wire`` is a socket: the kernel alone holds what is to be read and what was sent."""
    return isinstance(wire, socket.socket)


def stream_of(sock: socket.socket) -> SocketStream:
    """``sock`` as a non-blocking stream, which owns its descriptor from here on."""
    stream = SocketStream(sock.family, sock.type, sock.proto, sock.detach())
    stream.setblocking(False)
    return stream
