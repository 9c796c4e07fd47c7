"""Clients of TLS, and plain ones beside them: the load of ``tls_players.py`` and ``handshakes.py``.

    python -m bench.tls_load play PORT plain|tls COUNT PATH
    python -m bench.tls_load shake PORT PER_S SECONDS

One process with one thread and one epoll set. It prints one JSON object per line.
"""

from __future__ import annotations

import contextlib
import json
import resource
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

_BUFFER_BYTES = 65536
#: Handshakes that a flood has under way at most; who comes then is left out.
_MAX_UNDER_WAY = 4000


def say(**event: Any) -> None:
    """One event."""
    print(json.dumps(event), flush=True)


def client_context() -> ssl.SSLContext:
    """For any certificate; no ticket of one connection is used for another."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _connected(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def play(port: int, is_encrypted: bool, count: int, path: str) -> None:
    """Open ``count`` players of FLV and drain them until the process is ended.

    Events: ``ready`` when all have got media; from then on ``bytes`` each second, of the second.
    """
    context, epoll, players = client_context(), select.epoll(), {}
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    buffer = memoryview(bytearray(_BUFFER_BYTES))
    for _ in range(count):
        sock = _connected(port)
        if is_encrypted:
            sock = context.wrap_socket(sock, server_hostname="127.0.0.1")
        sock.sendall(request)
        head = sock.recv(_BUFFER_BYTES)
        if b" 200 " not in head[:20]:
            raise SystemExit(f"refused: {head[:200]!r}")
        sock.setblocking(False)
        players[sock.fileno()] = sock
        epoll.register(sock.fileno(), select.EPOLLIN)
    say(event="ready", players=count)
    total, next_s = 0, time.monotonic() + 1
    while True:
        for fd, _ in epoll.poll(0.2):
            sock = players[fd]
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                # A read gives one record at most, and what is left is not reported again.
                while size := sock.recv_into(buffer):
                    total += size
                say(event="closed")
                epoll.unregister(fd)
        if time.monotonic() >= next_s:
            say(event="bytes", bytes=total, own_cpu_s=_own_cpu_s())
            total, next_s = 0, next_s + 1


def _own_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class _Handshakes:
    """Those of a flood that are under way."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._context = client_context()
        self.epoll = select.epoll()
        self._under_way: dict[int, ssl.SSLSocket] = {}
        self.started = self.done = self.failed = self.left_out = 0

    def start(self) -> None:
        """One more; who cannot connect at once waits in the backlog of the server."""
        if len(self._under_way) >= _MAX_UNDER_WAY:
            self.left_out += 1
            return
        self.started += 1
        sock = socket.socket()
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect(("127.0.0.1", self._port))
        wrapped = self._context.wrap_socket(sock, do_handshake_on_connect=False, server_hostname="127.0.0.1")
        self._under_way[wrapped.fileno()] = wrapped
        self.epoll.register(wrapped.fileno(), select.EPOLLOUT)

    def go_on(self, fd: int) -> None:
        """Its socket is ready."""
        sock = self._under_way[fd]
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self.epoll.modify(fd, select.EPOLLIN)
            return
        except OSError:
            self.failed += 1
        else:
            self.done += 1
        self._forget(fd, sock)

    def _forget(self, fd: int, sock: ssl.SSLSocket) -> None:
        self.epoll.unregister(fd)
        del self._under_way[fd]
        sock.close()


def shake(port: int, per_s: float, seconds: float) -> None:
    """Begin ``per_s`` handshakes a second, whatever becomes of them; each connection that is done is closed.

    Events: ``shaken`` at the end.
    """
    flood = _Handshakes(port)
    began_s = time.monotonic()
    while (elapsed_s := time.monotonic() - began_s) < seconds:
        due = int(elapsed_s * per_s) - flood.started - flood.left_out
        for _ in range(min(due, 50)):
            flood.start()
        for fd, _ in flood.epoll.poll(0 if due > 50 else 0.001, 100):
            flood.go_on(fd)
    say(
        event="shaken",
        started=flood.started,
        done=flood.done,
        failed=flood.failed,
        left_out=flood.left_out,
        seconds=elapsed_s,
        own_cpu_s=_own_cpu_s(),
    )


def main(arguments: Sequence[str]) -> int:
    """See the module."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    word, port, *rest = arguments
    commands: dict[str, Callable[[], None]] = {
        "play": lambda: play(int(port), rest[0] == "tls", int(rest[1]), rest[2]),
        "shake": lambda: shake(int(port), float(rest[0]), float(rest[1])),
    }
    commands[word]()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
