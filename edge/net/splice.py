"""Joins an accepted connection of HTTP/2 to a server on a unix socket of this process.

A library that serves gRPC takes no connection from anybody, and does not know by which port
one came. So it listens on private unix sockets, one for each kind of port, and what comes
here goes there byte by byte, watched on its way (``h2_watch.py``). Whoever serves learns who
is at the other end by the name that our side of the unix socket is bound to.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import RemoteProtocolError
from edge.net.accepted import Accepted
from edge.net.address import Address
from edge.net.config import Http2Config
from edge.net.connection import RawConnection
from edge.net.h2_frames import goaway
from edge.net.h2_watch import Http2Fault, Http2Watch
from edge.net.poller import GONE, READ, WRITE

if TYPE_CHECKING:
    from edge.net.context import NetContext

#: What may wait on one side before the other is read no more; a quarter of it lets that go on.
_HIGH_WATER_BYTES = 262144
_READ_BYTES = 65536
_LOOK_EVERY_MS = 1000


class Http2Error(RemoteProtocolError):
    """A peer that speaks HTTP/2 broke its rules, or went beyond a limit."""

    reason = "h2_protocol"
    is_quiet = True


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of a spliced connection.

    Attributes:
        is_internal: the internal port accepted it.
        is_encrypted: it came by TLS.
    """

    address: Address
    is_internal: bool
    is_encrypted: bool


class Splicer:
    """Joins connections, and knows who is at the other end of each.

    Attributes:
        folder: where our sides of unix sockets have their names; nobody else may reach it.
        peers: by name of the socket, of those that are open.
    """

    def __init__(self, context: NetContext, folder: Path) -> None:
        self.context = context
        self.folder = folder
        self.peers: dict[str, Peer] = {}
        self._open: set[SplicedConnection] = set()

    def __len__(self) -> int:
        return len(self._open)

    def join(self, accepted: Accepted, path: Path, config: Http2Config) -> None:
        """Join ``accepted`` to the server that listens at ``path``; it is closed where that takes nobody."""
        name = secrets.token_hex(8)
        try:
            inner = self._connect(name, path)
        except OSError as error:
            error_text = error.strerror or str(error)
            self.context.counters.report(Http2Error(error_text, reason="h2_not_served"), f"[{accepted.address}]")
            accepted.wire.close()
            return
        self.peers[name] = Peer(accepted.address, accepted.entrance.is_internal, accepted.tls is not None)
        connection = SplicedConnection(accepted, self, name, inner, config)
        self._open.add(connection)
        connection.start()

    def _connect(self, name: str, path: Path) -> socket.socket:
        inner = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        bound = self.folder / name
        try:
            inner.setblocking(False)
            inner.bind(str(bound))
            inner.connect(str(path))
        except BaseException:
            inner.close()
            raise
        finally:
            with contextlib.suppress(OSError):
                os.unlink(bound)  # the name stays the socket's
        return inner

    def forget(self, connection: SplicedConnection) -> None:
        """It is over."""
        self._open.discard(connection)
        self.peers.pop(connection.name, None)

    def close(self) -> None:
        """End all that are open."""
        for connection in list(self._open):
            connection.close_gracefully("shutdown")


class _Inner:
    """The side of the server behind, of a spliced connection."""

    def __init__(self, sock: socket.socket, outer: SplicedConnection) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self._outer = outer
        self._poller = outer.context.poller
        self._waiting: deque[bytes | memoryview] = deque()
        self._is_read = True
        self.waiting_bytes = 0
        self._poller.add(self._fd, self, READ)

    def on_ready(self, events: int) -> None:
        """Called by the poller."""
        if events & WRITE:
            self._flush()
            self._outer.inner_has_room()
        if self._fd >= 0 and events & (READ | GONE):
            self._read()

    def _read(self) -> None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._outer.server_sent(data)
        else:
            self._outer.close_gracefully("closed by the server")

    def send(self, data: bytes) -> None:
        """Hand on what the client has sent, as fast as it is taken."""
        self._waiting.append(data)
        self.waiting_bytes += len(data)
        if len(self._waiting) == 1:
            self._flush()

    def _flush(self) -> None:
        while self._waiting:
            data = self._waiting[0]
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                break
            except OSError:
                self._waiting.clear()  # its end is to be read
                self.waiting_bytes = 0
                break
            self.waiting_bytes -= sent
            if sent < len(data):
                self._waiting[0] = memoryview(data)[sent:]
            else:
                self._waiting.popleft()
        self._watch()

    def read(self, is_read: bool) -> None:
        """Go on reading, or stop."""
        if is_read != self._is_read and self._fd >= 0:
            self._is_read = is_read
            self._watch()

    def _watch(self) -> None:
        self._poller.modify(self._fd, (READ if self._is_read else 0) | (WRITE if self._waiting else 0))

    def abort(self, why: str) -> None:
        """A handler of ours has failed."""
        self._outer.close_now(why)

    def close(self) -> None:
        """Let the server see the end; harmless when done before."""
        if self._fd >= 0:
            self._poller.remove(self._fd)
            self._fd = -1
            self._sock.close()


class SplicedConnection(RawConnection):
    """The side of the client, of a spliced connection.

    Attributes:
        name: the one by which the server behind knows it.
    """

    __slots__ = (
        "_config",
        "_frames",
        "_inner",
        "_look_ms",
        "_seen_ms",
        "_seen_sent_bytes",
        "_splicer",
        "_word",
        "name",
    )

    def __init__(
        self, accepted: Accepted, splicer: Splicer, name: str, inner: socket.socket, config: Http2Config
    ) -> None:
        super().__init__(accepted.wire, splicer.context, str(accepted.address))
        self.name = name
        self._word = "grpc" if accepted.tls is None else "grpcs"
        self._splicer = splicer
        self._inner = _Inner(inner, self)
        self._config = config
        self._frames = Http2Watch(config, self.created_ms)
        self._look_ms = self.created_ms + _LOOK_EVERY_MS
        self._seen_sent_bytes, self._seen_ms = 0, self.created_ms

    def __str__(self) -> str:
        return f"[c{self.number} {self.peer} {self._word}]"

    @property
    def role(self) -> str:
        """What it is for."""
        return "control"

    @property
    def protocol(self) -> str:
        """What it speaks."""
        return self._word

    def last_active_ms(self) -> int | None:
        """When the client sent something last."""
        return self.last_read_ms

    def shut_down(self, why: str) -> None:
        """The server behind says goodbye itself."""

    def start(self) -> None:
        """Read what has come."""
        self.context.deadlines.watch(self, self._look_ms)
        self.read_some()

    # --- both ways ---------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        """The client has sent something."""
        fault = self._frames.client_sent(data, self.context.now_ms())
        if fault is not None:
            self._end(fault)
            return
        self._inner.send(data)
        if self._inner.waiting_bytes > _HIGH_WATER_BYTES:
            self.poll_reads(False)

    def inner_has_room(self) -> None:
        """The server behind has taken something."""
        if self.state == "open" and not self._is_polled and self._inner.waiting_bytes <= _HIGH_WATER_BYTES // 4:
            self.poll_reads(True)

    def server_sent(self, data: bytes) -> None:
        """The server behind has sent something."""
        if self.state != "open":
            return
        fault = self._frames.server_sent(data, self.context.now_ms())
        self.send(data)
        if self.state != "open":
            return
        if fault is not None:
            self._end(fault)
            return
        if self.queued_bytes > _HIGH_WATER_BYTES:
            self._inner.read(False)

    def on_writable(self) -> None:
        """The kernel takes bytes again."""
        self.flush()
        if self.state == "open" and self.queued_bytes <= _HIGH_WATER_BYTES // 4:
            self._inner.read(True)

    # --- the end -------------------------------------------------------------------

    def _end(self, fault: Http2Fault) -> None:
        error = Http2Error(fault.detail, reason=fault.reason)
        self.context.counters.report(error, str(self), peer=self.peer)
        if not fault.is_told and self._frames.is_server_between:
            self.enqueue(goaway(fault.code, self._frames.last_stream_id, fault.reason))
        self.close_gracefully(fault.reason)

    def on_closed(self, why: str) -> None:
        """Calls in progress end with it."""
        self._inner.close()
        self._splicer.forget(self)

    # --- time ------------------------------------------------------------------------

    def next_deadline_ms(self) -> int | None:
        """When it is looked at next; None once it is over."""
        return self._look_ms if self.state == "open" else None

    def on_deadline(self, now_ms: int) -> None:
        """See whether it has gone on."""
        self._look_ms = now_ms + _LOOK_EVERY_MS
        if not self.queued_bytes or self.sent_bytes != self._seen_sent_bytes:
            self._seen_sent_bytes, self._seen_ms = self.sent_bytes, now_ms
        elif 0 < self._config.write_stall_timeout_ms <= now_ms - self._seen_ms:
            self.context.counters.report(Http2Error("its kernel takes nothing", reason="write_stall"), str(self))
            self.abort("write_stall")
            return
        fault = self._frames.handle_timer(now_ms)
        if fault is not None:
            self._end(fault)
