"""What one system has and another lacks: asked for here, and nowhere else.

Linux is what the program is made for. Each function says what is lost where the system cannot do the
same; none fails for want of it. Numbers that the interpreter has no name for are those of the headers.
"""

from __future__ import annotations

import fcntl
import resource
import select
import socket
import sys
from typing import Protocol

_SIOCOUTQ = 0x5411  # linux/sockios.h
_SIOCOUTQNSD = 0x894B
_SO_NWRITE = 0x1024  # sys/socket.h of macOS


class ReadySet(Protocol):
    """A set of descriptors that is a descriptor itself, readable while one of them is ready: epoll's."""

    @property
    def closed(self) -> bool:
        """It has been released."""
        ...

    def fileno(self) -> int:
        """Its own descriptor."""
        ...

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch ``fd``."""
        ...

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Change what ``fd`` is watched for."""
        ...

    def unregister(self, fd: int, /) -> None:
        """Watch it no more."""
        ...

    def poll(self, timeout: float, maxevents: int, /) -> list[tuple[int, int]]:
        """Descriptors that are ready, each with what for."""
        ...

    def close(self) -> None:
        """Release it."""
        ...


def new_ready_set() -> ReadySet:
    """A level-triggered set, whose masks are those of ``poller.py``."""
    return select.epoll()


def keep_alive(sock: socket.socket, *, idle_s: int, interval_s: int, probe_count: int) -> None:
    """Have the kernel ask a silent peer whether it is there, and break the connection when no answer comes."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, probe_count)


def drop_when_unacknowledged(sock: socket.socket, timeout_ms: int) -> None:
    """Have the kernel break the connection when what was sent is not acknowledged for so long."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)


def limit_unsent(sock: socket.socket, limit_bytes: int) -> None:
    """Have the kernel hold no more than this that it has not sent."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limit_bytes)


def unacknowledged_bytes(sock: socket.socket) -> int | None:
    """Bytes that the peer's kernel has not acknowledged yet, sent or not; None where the system does not tell."""
    try:
        if sys.platform == "darwin":
            return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
        return _ask_queue(sock, _SIOCOUTQ)
    except (OSError, ValueError):
        return None


def unsent_bytes(sock: socket.socket) -> int:
    """Bytes in the kernel that have not been sent."""
    return _ask_queue(sock, _SIOCOUTQNSD)


def is_unheard(sock: socket.socket) -> bool:
    """The kernel repeats what was sent, and nothing acknowledges it: no slow peer, whose kernel would."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
    return info[2] > 0  # tcpi_retransmits


def _ask_queue(sock: socket.socket, request: int) -> int:
    return int.from_bytes(fcntl.ioctl(sock.fileno(), request, b"\0\0\0\0"), sys.byteorder)


def raise_descriptor_limit() -> tuple[int, int]:
    """Let this process open as many files as it may; returns how many it might before, and may now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft, hard
