"""Sockets to others."""

from __future__ import annotations

import errno
import os
import socket

from edge.net import system
from edge.net.context import NetContext


def connecting_socket(context: NetContext, host: str, port: int) -> socket.socket:
    """A socket that begins to connect to a numeric address; raises OSError."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        system.keep_alive(sock, idle_s=10, interval_s=5, probe_count=3)
        if context.config.tcp_user_timeout_ms:
            # Keep-alive is silent while bytes are under way: a push would hang on a dead host for many minutes.
            system.drop_when_unacknowledged(sock, context.config.tcp_user_timeout_ms)
        code = sock.connect_ex((host, port))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
    except OSError:
        sock.close()
        raise
    return sock
