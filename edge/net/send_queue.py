"""What the kernel still holds of a socket's bytes; each system has a question of its own for it."""

from __future__ import annotations

import fcntl
import socket
import sys

_SIOCOUTQ = 0x5411  # Linux: bytes of the send queue that are not acknowledged
_SO_NWRITE = 0x1024  # macOS: the same


def unacknowledged_bytes(sock: socket.socket) -> int | None:
    """Bytes that the peer's kernel has not acknowledged yet, sent or not; None where the system does not tell."""
    try:
        if sys.platform == "darwin":
            return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
        held = fcntl.ioctl(sock.fileno(), _SIOCOUTQ, b"\0\0\0\0")
    except (OSError, ValueError):
        return None
    return int.from_bytes(held, sys.byteorder)
