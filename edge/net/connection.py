"""A raw non-blocking TCP connection: reads into a shared buffer, writes what it can, closes in order."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections import deque

from edge.net.context import RECEIVE_BYTES, NetContext
from edge.net.poller import GONE, READ, WRITE

#: On top of ``reject_linger_ms``: time to discard what still comes.
_LINGER_DISCARD_MS = 200
#: Small pieces of the queue are joined up to about this for one ``send``.
_SEND_BYTES = 262144
#: Reads in a row of a connection that has ended: with small chunks each may cost a millisecond or two.
_RESTS_PER_TURN = 8
#: SO_LINGER of 0 s: closing sends a reset.
_RESET = struct.pack("ii", 1, 0)


def peer_text(sock: socket.socket) -> str:
    """``ip:port`` or ``[v6]:port`` of the other end, ``?`` once it has gone."""
    try:
        address = sock.getpeername()
    except OSError:
        return "?"
    host = str(address[0])
    if host.startswith("::ffff:"):
        host = host[7:]
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"


class RawConnection:
    """Owns one socket.

    Subclasses override ``on_data``, ``on_closed`` and, when they produce bytes
    on demand, ``on_writable``.

    Attributes:
        number: for logs, ``c<number>``.
        state: ``open``, ``closing`` (flushing, then discarding) or ``closed``.
        queued_bytes: own bytes not yet taken by the kernel.
        read_limit: most bytes of one read.
    """

    __slots__ = (
        "__weakref__",
        "_is_polled",
        "_is_write_wanted",
        "_outbox",
        "_write_error",
        "context",
        "created_ms",
        "fd",
        "last_read_ms",
        "number",
        "peer",
        "queued_bytes",
        "read_limit",
        "received_bytes",
        "sent_bytes",
        "sock",
        "state",
    )

    def __init__(self, sock: socket.socket, context: NetContext) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.context = context
        self.peer = peer_text(sock)
        self.number = context.next_connection_number()
        self.state = "open"
        self.created_ms = self.last_read_ms = context.now_ms()
        self.received_bytes = 0
        self.sent_bytes = 0
        self.queued_bytes = 0
        self.read_limit = RECEIVE_BYTES
        self._outbox: deque[bytes | memoryview] | None = None
        self._is_write_wanted = False
        self._is_polled = True
        self._write_error: OSError | None = None
        context.poller.add(self.fd, self, READ)
        context.connections.add(self)

    @property
    def role(self) -> str:
        """What it is for, in a word."""
        return "idle"

    @property
    def keys(self) -> list[str]:
        """The streams it carries, for people."""
        return []

    # --- readiness -----------------------------------------------------------

    def on_ready(self, events: int) -> None:
        """Called by the poller."""
        if events & WRITE and self.state != "closed":
            self.on_writable()
        if self.state == "closed":
            return
        if events & READ:
            self.read_some()
        elif events & GONE:
            self.on_gone(events)

    def on_gone(self, events: int) -> None:
        """The connection is over, with nothing to read or with reading put off."""
        self.read_some()

    def read_some(self) -> int:
        """Read once and hand the bytes on; returns how many came."""
        count = self._read_once()
        if self._write_error is not None:
            self._read_rest()
        return count

    def _read_once(self) -> int:
        view = self.context.receive_view
        try:
            count = self.sock.recv_into(view, self.read_limit)
        except BlockingIOError:
            if self._write_error is not None:
                self.on_lost(self._write_error)
            return 0
        except OSError as error:
            self.on_lost(error)
            return 0
        if count == 0:
            self.on_lost(self._write_error)
            return 0
        if self.state == "open":
            self.received_bytes += count
            self.last_read_ms = self.context.now_ms()
            self.on_data(bytes(view[:count]))
        return count

    def on_writable(self) -> None:
        """The kernel takes bytes again."""
        self.flush()

    def on_data(self, data: bytes) -> None:
        """Bytes came."""
        raise NotImplementedError

    def on_lost(self, error: OSError | None) -> None:
        """The peer closed (None) or the connection broke."""
        self.close_now(f"reset: {error.strerror}" if error is not None else "closed by the peer")

    def on_closed(self, why: str) -> None:
        """The connection is over; called once."""

    def want_write(self, is_wanted: bool) -> None:
        """Ask the poller for ``on_writable``."""
        if is_wanted != self._is_write_wanted and self.state != "closed":
            self._is_write_wanted = is_wanted
            self._watch()

    def poll_reads(self, is_polled: bool) -> None:
        """Leave reading to a timer (see ``ingest.py``), or take it back."""
        if is_polled != self._is_polled and self.state != "closed":
            self._is_polled = is_polled
            self._watch()

    def _watch(self) -> None:
        self.context.poller.modify(self.fd, (READ if self._is_polled else 0) | (WRITE if self._is_write_wanted else 0))

    def total_sent_bytes(self) -> int:
        """Bytes the kernel has taken, shared ones included."""
        return self.sent_bytes

    # --- writing -------------------------------------------------------------

    def enqueue(self, data: bytes | memoryview) -> None:
        """Queue bytes behind what is queued; ``flush`` sends them."""
        if not data or self.state == "closed" or self._write_error is not None:
            return
        if self._outbox is None:
            self._outbox = deque()
        self._outbox.append(data)
        self.queued_bytes += len(data)

    def send(self, data: bytes | memoryview) -> None:
        """Queue bytes and send what the kernel takes, unless it is known to take none."""
        self.enqueue(data)
        if not self._is_write_wanted:
            self.flush()

    def flush(self) -> bool:
        """Send what the kernel takes; False while bytes remain."""
        outbox = self._outbox
        while outbox:
            data = outbox.popleft()
            if outbox and len(data) < _SEND_BYTES:
                pieces = [data]
                size = len(data)
                while outbox and size < _SEND_BYTES:
                    piece = outbox.popleft()
                    pieces.append(piece)
                    size += len(piece)
                data = b"".join(pieces)
            try:
                sent = self.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._write_failed(error)
                return False
            self.sent_bytes += sent
            self.queued_bytes -= sent
            if sent < len(data):
                outbox.appendleft(memoryview(data)[sent:])
                self.want_write(True)
                return False
        self._outbox = None
        self.want_write(False)
        if self.state == "closing":
            self._shutdown()
        return True

    @property
    def is_feeding(self) -> bool:
        """Whether what the peer has sent is worth reading although nothing can be answered any more."""
        return False

    def _write_failed(self, error: OSError) -> None:
        """The peer takes no more; what it sent before that is still read, then the connection is lost.

        A peer that closes without having read all of ours (an encoder, our
        acknowledgements) resets, and the end of its stream may lie in our kernel by then.
        """
        if self.state != "open" or not self.is_feeding:
            self.on_lost(error)
            return
        self._write_error = error
        self._outbox = None
        self.queued_bytes = 0
        self.want_write(False)
        self.context.loop.call_soon(self._read_rest_later)

    def _read_rest(self) -> None:
        """Read up to the end of the connection, some of it per turn of the loop."""
        for _ in range(_RESTS_PER_TURN):
            if self.state != "open":
                return
            self._read_once()

    def _read_rest_later(self) -> None:
        try:
            self._read_rest()
        except Exception:
            self.failed_internally()
        if self.state == "open":
            self.context.loop.call_soon(self._read_rest_later)

    # --- closing -------------------------------------------------------------

    def close_gracefully(self, why: str) -> None:
        """Flush for at most ``reject_linger_ms``, FIN, discard what still comes, close.

        Unread input would turn the FIN into a reset, which takes the last
        reply out of the peer's hands.
        """
        if self.state != "open":
            return
        self.state = "closing"
        self.on_closed(why)
        self.poll_reads(True)
        self.context.call_later(self.context.config.reject_linger_ms + _LINGER_DISCARD_MS, self._close_socket)
        if self.flush() and self.state == "closing":
            self._shutdown()

    def _shutdown(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close_now(self, why: str) -> None:
        """Close without waiting for anything."""
        try:
            if self.state == "open":
                self.state = "closing"
                self.on_closed(why)
        finally:
            self._close_socket()

    def failed_internally(self) -> None:
        """An exception of ours, being handled, came up in work for this connection: it alone ends."""
        self.context.poller.handler_failed(self.fd)

    def abort(self, why: str) -> None:
        """Close with a reset."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_now(why)

    def _close_socket(self) -> None:
        if self.state == "closed":
            return
        self.state = "closed"
        self._outbox = None
        self.context.poller.remove(self.fd)
        self.context.connections.discard(self)
        self.sock.close()
