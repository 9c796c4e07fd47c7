"""A non-blocking connection: reads into a shared buffer, writes what it can, closes in order."""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
from collections import deque
from collections.abc import Callable

from edge.errors import TlsError
from edge.net.address import host_of, local_address, peer_address
from edge.net.byte_stream import ByteStream, is_plain
from edge.net.context import RECEIVE_BYTES, NetContext
from edge.net.lines import Lines
from edge.net.listed import ConnectionFacts, SocketFacts
from edge.net.poller import GONE, READ, WRITE
from edge.net.system import tcp_info, unacknowledged_bytes, unsent_bytes
from edge.net.tls import TlsBrokenError

lines = Lines(__name__)

#: On top of ``reject_linger_ms``: time to discard what still comes.
_LINGER_DISCARD_MS = 200
#: Small pieces of the queue are joined up to about this for one ``send``.
_SEND_BYTES = 262144
#: Reads in a row of what the poller tells nothing of: with small chunks each may cost a millisecond or two.
_READS_PER_TURN = 8
#: Reads at the end of a connection: more than the kernel holds of any.
_MAX_LAST_READS = 256
#: From one look at whether a rest has gone out to the next.
_REST_LOOK_MS = 50
#: SO_LINGER of 0 s: closing sends a reset.
_RESET = struct.pack("ii", 1, 0)


class RawConnection:
    """Owns one stream of bytes, its *wire*.

    Subclasses override ``on_data``, ``on_closed`` and, when they produce bytes
    on demand, ``on_writable``.

    A plain socket never has bytes that the poller does not tell of, nor keeps any back. Other
    wires do both: what is unread is read some times per turn of the loop, and while something is
    unsent the poller is asked for it, whoever else wants to write.

    Attributes:
        wire: a socket, or TLS over one.
        number: for logs, ``c<number>``.
        state: ``open``, ``closing`` (flushing, then discarding) or ``closed``.
        queued_bytes: own bytes not yet taken by the kernel.
        read_limit: most bytes of one read.
    """

    __slots__ = (
        "__weakref__",
        "_bytes_came",
        "_has_read_last",
        "_is_polled",
        "_is_reading_on",
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
        "state",
        "wire",
    )

    def __init__(self, wire: ByteStream, context: NetContext, peer: str = "") -> None:
        """``peer``: who is at the other end, if that is known already."""
        self.wire = wire
        self.fd = wire.fileno()
        self.context = context
        self.peer = peer or str(peer_address(wire.sock))
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
        self._bytes_came: Callable[[], None] | None = None
        self._is_reading_on = False
        self._has_read_last = False
        self._write_error: OSError | None = None
        context.poller.add(self.fd, self, READ)
        context.connections.add(self)

    # --- as others see it -----------------------------------------------------

    @property
    def host(self) -> str:
        """Address of the peer, by which connections are counted; "" of one that we made."""
        return host_of(self.peer)

    @property
    def role(self) -> str:
        """What it is for, in a word."""
        return "idle"

    @property
    def protocol(self) -> str:
        """What it speaks."""
        return ""

    @property
    def service_name(self) -> str | None:
        """The service that it reached; None when it reached none itself."""
        return None

    @property
    def keys(self) -> list[str]:
        """The streams it carries, for people."""
        return []

    @property
    def is_feeding(self) -> bool:
        """Whether what the peer has sent is worth reading although nothing can be answered any more."""
        return False

    def describe(self) -> ConnectionFacts:
        """For pages."""
        return ConnectionFacts(
            number=self.number,
            peer=self.peer,
            protocol=self.protocol,
            role=self.role,
            service=self.service_name,
            keys=tuple(self.keys),
            created_ms=self.created_ms,
            received_bytes=self.received_bytes,
            sent_bytes=self.total_sent_bytes(),
        )

    def describe_socket(self) -> SocketFacts:
        """For pages that look closer."""
        sock = self.wire.sock
        return SocketFacts(
            number=self.number,
            fd=self.fd,
            state=self.state,
            local=str(local_address(sock)),
            idle_ms=self.context.now_ms() - self.last_read_ms,
            is_encrypted=not is_plain(self.wire),
            is_polled=self._is_polled,
            is_blocked=bool(self._writes),
            queued_bytes=self.queued_bytes,
            behind_bytes=self.behind_bytes(),
            unsent_bytes=unsent_bytes(sock),
            unacknowledged_bytes=unacknowledged_bytes(sock),
            read_limit_bytes=self.read_limit,
            tcp=tcp_info(sock),
        )

    def behind_bytes(self) -> int:
        """Bytes that others have for it and that it has not got yet."""
        return 0

    def last_active_ms(self) -> int | None:
        """When bytes last went in or out; None of one that may be idle as long as it likes."""
        return None

    def ask_to_reconnect(self, base: str = "") -> None:
        """The server will stop, for which this one has no words."""

    def take_last(self) -> None:
        """Read what has come, if it brings streams, and nothing from then on."""
        if not self.is_feeding or self.state != "open":
            return
        for _ in range(_MAX_LAST_READS):
            if not self.read_some() or self.state != "open":
                break
        self._has_read_last = True
        self.poll_reads(False)

    @property
    def has_more_to_send(self) -> bool:
        """Something that it is to be sent has not been taken by the kernel."""
        return self.state == "open" and (self.queued_bytes > 0 or self.behind_bytes() > 0)

    def shut_down(self, why: str) -> None:
        """The server stops, for which this one has no words."""
        self.close_gracefully("shutdown")

    def kick(self, why: str) -> None:
        """It is ended on purpose, for which this one has no words."""
        self.close_gracefully("kicked")

    # --- readiness -----------------------------------------------------------

    def on_ready(self, events: int) -> None:
        """Called by the poller."""
        if events & WRITE and self.state != "closed" and self._has_room():
            self.on_writable()
        if self.state == "closed":
            return
        if events & READ and self._bytes_came is None:
            self.read_some()
        elif events & GONE:
            self.on_gone(events)
        elif events & READ:
            self._tell_of_bytes()

    def on_gone(self, events: int) -> None:
        """The connection is over, with nothing to read or with reading put off."""
        if self._has_read_last:
            self.on_lost(None)
        else:
            self.read_some()

    def read_some(self) -> int:
        """Read once, and what the poller does not tell of too, and hand the bytes on; returns how many came first."""
        count = self._read_once()
        if self._write_error is not None:
            self._read_rest()
        elif self.wire.has_unread:
            self._read_unread()
        if self.wire.has_unsent and self.state != "closed":
            self._watch()  # an answer of the wire itself
        return count

    def _read_unread(self) -> None:
        """Read what the wire holds, some of it per turn of the loop; whoever puts reading off takes it up again."""
        for _ in range(_READS_PER_TURN):
            if self.state == "closed" or not self._is_polled or not self.wire.has_unread:
                return
            if not self._read_once():
                return
        self._read_on_later()

    def _read_on_later(self) -> None:
        if not self._is_reading_on:
            self._is_reading_on = True
            self.context.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        self._is_reading_on = False
        try:
            self._read_unread()
        except Exception:
            self.failed_internally()

    def _read_once(self) -> int:
        view = self.context.receive_view
        if self._has_read_last and self.state == "open":
            return 0
        try:
            count = self.wire.recv_into(view, self.read_limit)
        except BlockingIOError:
            if self._write_error is not None:
                self.on_lost(self._write_error)
            return 0
        except OSError as error:
            if isinstance(error, TlsBrokenError):
                self.context.counters.report(TlsError(error.detail), str(self), peer=self.peer)
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

    @property
    def reads_all(self) -> bool:
        """A read that gives less than ``read_limit`` has given all that there was."""
        return is_plain(self.wire)

    def poll_reads(self, is_polled: bool) -> None:
        """Leave reading to a timer (see ``ingest.py``), or take it back."""
        if is_polled != self._is_polled and self.state != "closed":
            self._is_polled = is_polled
            self._bytes_came = None
            self._watch()
            if is_polled and self.wire.has_unread:
                self._read_on_later()

    def tell_of_bytes(self, came: Callable[[], None] | None) -> None:
        """Call ``came`` once as soon as there is something to read, which is left there; None: no more.

        For a timer that reading has been left to.
        """
        if came != self._bytes_came and not self._is_polled and self.state != "closed":
            self._bytes_came = came
            self._watch()
            if came is not None and self.wire.has_unread:  # of which the poller does not tell
                self.context.loop.call_soon(self._tell_of_bytes)

    def _tell_of_bytes(self) -> None:
        came, self._bytes_came = self._bytes_came, None
        if came is not None and self.state != "closed":
            self._watch()
            came()

    @property
    def _reads(self) -> int:
        """What of reading the poller is asked for."""
        return READ if self._is_polled or self._bytes_came is not None else 0

    @property
    def _writes(self) -> int:
        """What of writing the poller is asked for."""
        return WRITE if self._is_write_wanted or self.wire.has_unsent else 0

    def _watch(self) -> None:
        self.context.poller.modify(self.fd, self._reads | self._writes)

    def _has_room(self) -> bool:
        """Hand on what the wire keeps back; True when that is done and somebody waits to write more.

        The poller may have been asked for the wire alone, whose bytes have gone out with others since.
        """
        if self._is_write_wanted and not self.wire.has_unsent:
            return True
        try:
            if not self.wire.flush():
                return False
        except OSError as error:
            self._write_failed(error)
            return False
        if not self._is_write_wanted:
            self._watch()
        return self._is_write_wanted

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
                sent = self.wire.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._write_failed(error)
                return False
            self.sent_bytes += sent
            self.queued_bytes -= sent
            if sent < len(data):
                outbox.appendleft(memoryview(data)[sent:])
                if sent and not is_plain(self.wire):
                    continue  # only a socket takes all that it has room for
                self.want_write(True)
                return False
        self._outbox = None
        if self.wire.has_unsent:
            self.want_write(True)
            return False
        self.want_write(False)
        if self.state == "closing":
            self.end_sending()
        return True

    @property
    def direct_send(self) -> Callable[[bytes | memoryview], int]:
        """Sends past the queue, as a socket does: less than all is taken only where there is no room for more.

        It is for those who keep their own place in what they send.
        """
        return self.wire.send if is_plain(self.wire) else self._send_directly

    def _send_directly(self, data: bytes | memoryview) -> int:
        sent = 0
        try:
            while sent < len(data):
                sent += self.wire.send(memoryview(data)[sent:])
        except BlockingIOError:
            if not sent:
                raise
        finally:
            if self.wire.has_unsent and self.state != "closed":
                self._watch()
        return sent

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
        for _ in range(_READS_PER_TURN):
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
        self.note_stopped(why)
        self._note_end(why)
        self.state = "closing"
        self.on_closed(why)
        self.poll_reads(True)
        self.context.call_later(self.context.config.reject_linger_ms + _LINGER_DISCARD_MS, self._linger_is_over)
        self.flush()

    def _linger_is_over(self) -> None:
        """Close; while the server ends, what has been begun is still sent to whoever takes it."""
        if self.queued_bytes and self.state == "closing" and self.context.now_ms() < self.context.rest_until_ms:
            self.context.call_later(_REST_LOOK_MS, self._linger_is_over)
        else:
            self._close_socket()

    def end_sending(self) -> None:
        """Tell the peer that no more comes; all has been written."""
        self.wire.end_sending()
        if self.wire.has_unsent:
            self._watch()

    def close_now(self, why: str) -> None:
        """Close without waiting for anything."""
        try:
            if self.state == "open":
                self._note_end(why)
                self.state = "closing"
                self.on_closed(why)
        finally:
            self._close_socket()

    def note_stopped(self, why: str) -> None:
        """It is us who end what the client does here; told with ``-log_error_text``."""
        if self.context.config.log_error_text:
            text = "%s Close connection because %s"
            self.context.counters.log_limited(logging.INFO, f"stopped {why}", text, self, why)

    def _note_end(self, why: str) -> None:
        """It is over, whoever has ended it; told with ``-log_connection_close``."""
        if self.context.config.log_connection_close:
            text = "%s closed why=%s received=%d sent=%d"
            lines.info(text, str(self), why, self.received_bytes, self.total_sent_bytes())

    def failed_internally(self) -> None:
        """An exception of ours, being handled, came up in work for this connection: it alone ends."""
        self.context.poller.handler_failed(self.fd)

    def abort(self, why: str) -> None:
        """Close with a reset."""
        if self.state == "open":
            self.note_stopped(why)
        with contextlib.suppress(OSError):
            self.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close_now(why)

    def release(self) -> bytes:
        """Give the wire away, which nobody watches until its new owner does; returns what was queued."""
        unsent = b"".join(self._outbox or ())
        self.state = "closed"
        self._outbox = None
        self.queued_bytes = 0
        self.context.poller.remove(self.fd)
        self._leave_list()
        return unsent

    def _leave_list(self) -> None:
        self.context.connections.discard(self)
        self.context.traffic.leave(self.protocol, self.received_bytes, self.total_sent_bytes())

    def _close_socket(self) -> None:
        if self.state == "closed":
            return
        self.state = "closed"
        self._outbox = None
        self.context.poller.remove(self.fd)
        self._leave_list()
        self.wire.close()
