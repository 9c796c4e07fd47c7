"""A connection as an asyncio transport, for protocols that are written for one.

Both asyncio's own and uvloop's want a socket, so TLS of ours could not be under them, and they
keep it: nothing else could take the connection over. Behaviour is asyncio's (``asyncio.Transport``,
``_SelectorSocketTransport``), but that a closed connection discards what still comes for a
moment, lest a reset takes the last answer out of the peer's hands.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from edge.net.accepted import Accepted
from edge.net.address import NOWHERE
from edge.net.byte_stream import ByteStream
from edge.net.connection import RawConnection

if TYPE_CHECKING:
    from edge.net.context import NetContext

#: What may wait in the connection before the protocol is told to pause writing; a quarter of it lets it go on.
_HIGH_WATER_BYTES = 65536


class CarriedConnection(RawConnection):
    """The connection below a transport.

    Attributes:
        transport: told of what happens; None once all is told.
        error: what the connection was lost by.
    """

    __slots__ = ("_protocol_word", "_role", "error", "transport")

    def __init__(self, accepted: Accepted, context: NetContext, protocol_word: str, role: str) -> None:
        super().__init__(accepted.wire, context, str(accepted.address) if accepted.address != NOWHERE else "")
        self._protocol_word = protocol_word
        self._role = role
        self.error: OSError | None = None
        self.transport: StreamTransport | None = None

    def __str__(self) -> str:
        return f"[c{self.number} {self.peer} {self._protocol_word}]"

    @property
    def role(self) -> str:
        """As its owner says."""
        return self._role

    @property
    def protocol(self) -> str:
        """As its owner says."""
        return self._protocol_word

    def shut_down(self, why: str) -> None:
        """Whoever owns the protocol ends it in good order."""

    def on_data(self, data: bytes) -> None:
        """Bytes for the protocol."""
        if self.transport is not None:
            self.transport.on_data(data)

    def on_lost(self, error: OSError | None) -> None:
        """The peer has sent its last byte, or the connection broke."""
        if error is None and self.state == "open" and self.transport is not None and self._is_polled:
            self.transport.on_eof()
            return
        self.error = error
        super().on_lost(error)

    def on_gone(self, events: int) -> None:
        """The connection has broken; what lies unread is waived while reading is put off, as no answer can be given."""
        if self._is_polled or self.state != "open":
            super().on_gone(events)
            return
        code = self.wire.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self.on_lost(OSError(code, os.strerror(code)) if code else None)

    def on_writable(self) -> None:
        """The kernel takes bytes again."""
        self.flush()
        if self.transport is not None:
            self.transport.on_flushed()

    def on_closed(self, why: str) -> None:
        """The transport tells its protocol."""
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.on_over(self.error)


class StreamTransport(asyncio.Transport):
    """Carries one protocol over an accepted connection, plain or encrypted; ``start`` begins.

    ``get_extra_info`` knows ``peername``, ``sockname`` and ``socket``, and of an encrypted one
    ``sslcontext`` and ``ssl_object``, which are its ``TlsFacts``.
    """

    def __init__(
        self,
        accepted: Accepted,
        context: NetContext,
        protocol: asyncio.Protocol,
        *,
        protocol_word: str,
        role: str,
    ) -> None:
        """``protocol_word`` and ``role`` are what pages say of it."""
        super().__init__()
        self._accepted = accepted
        self._loop = context.loop
        self._protocol: asyncio.Protocol | None = protocol
        self._connection = CarriedConnection(accepted, context, protocol_word, role)
        self._connection.transport = self
        self._low_bytes, self._high_bytes = _HIGH_WATER_BYTES // 4, _HIGH_WATER_BYTES
        self._is_closing = False
        self._is_over = False
        self._is_reading_paused = False
        self._is_read_to_end = False
        self._is_write_paused = False
        self._is_eof_due = False

    def start(self) -> None:
        """Tell the protocol, and read what has come."""
        if self._protocol is not None:
            self._protocol.connection_made(self)
        if not self._is_closing and not self._is_reading_paused:
            self._connection.read_some()

    # --- what the connection tells ---------------------------------------------

    def on_data(self, data: bytes) -> None:
        """Bytes came."""
        if self._protocol is not None and not self._is_closing:
            self._protocol.data_received(data)

    def on_eof(self) -> None:
        """The peer has sent its last byte; the protocol may go on writing, else the connection is closed."""
        self._is_read_to_end = True
        self._connection.poll_reads(False)
        if self._protocol is None or not self._protocol.eof_received():
            self.close()

    def on_flushed(self) -> None:
        """Some of what waited has gone out."""
        size = self.get_write_buffer_size()
        if self._is_write_paused and size <= self._low_bytes:
            self._is_write_paused = False
            if self._protocol is not None:
                self._protocol.resume_writing()
        if not size:
            self._all_is_written()

    def _all_is_written(self) -> None:
        if self._is_over:
            return
        if self._is_closing:
            self._connection.close_gracefully("closed")
        elif self._is_eof_due:
            self._connection.end_sending()

    def on_over(self, error: OSError | None) -> None:
        """The connection is over; the protocol hears of it in the next turn of the loop."""
        if not self._is_over:
            self._is_over = self._is_closing = True
            self._loop.call_soon(self._tell_lost, error)

    def _tell_lost(self, error: OSError | None) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(error)

    # --- asyncio.BaseTransport ---------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """See the class."""
        accepted = self._accepted
        if name == "socket":
            return accepted.wire.sock
        if name == "peername":
            return (accepted.address.host, accepted.address.port) if accepted.address != NOWHERE else default
        if name == "sockname":
            try:
                return accepted.wire.sock.getsockname()
            except OSError:
                return default
        if name in ("sslcontext", "ssl_object"):
            return accepted.tls if accepted.tls is not None else default
        return default

    def is_closing(self) -> bool:
        """Nothing more can be written."""
        return self._is_closing

    def close(self) -> None:
        """Write what waits, then close; nothing more is read."""
        if self._is_closing:
            return
        self._is_closing = True
        if self.get_write_buffer_size():
            self._connection.poll_reads(False)
        else:
            self._all_is_written()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """The one that hears of what comes from here on."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The one that hears of what comes."""
        assert self._protocol is not None, "the connection is over"
        return self._protocol

    # --- asyncio.ReadTransport ---------------------------------------------------

    def is_reading(self) -> bool:
        """The protocol hears of what comes."""
        return not self._is_closing and not self._is_reading_paused

    def pause_reading(self) -> None:
        """Leave what comes in the kernel."""
        if not self._is_closing and not self._is_reading_paused:
            self._is_reading_paused = True
            self._connection.poll_reads(False)

    def resume_reading(self) -> None:
        """Read again."""
        if not self._is_closing and self._is_reading_paused:
            self._is_reading_paused = False
            if not self._is_read_to_end:
                self._connection.poll_reads(True)

    # --- asyncio.WriteTransport --------------------------------------------------

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the protocol is told to pause, and to go on; as asyncio's."""
        if high is None:
            high = _HIGH_WATER_BYTES if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high}) must be >= low ({low}) must be >= 0")
        self._low_bytes, self._high_bytes = low, high
        self._pause_if_full()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Low and high."""
        return self._low_bytes, self._high_bytes

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel has not taken; of what the wire keeps back it is only known that it is some."""
        return self._connection.queued_bytes or int(self._connection.wire.has_unsent)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send what the kernel takes and keep the rest."""
        if self._is_eof_due:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._is_closing or not data:
            return
        self._connection.send(data if isinstance(data, bytes) else bytes(data))
        self._pause_if_full()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """As one ``write``."""
        self.write(b"".join(list_of_data))

    def _pause_if_full(self) -> None:
        if not self._is_write_paused and not self._is_over and self.get_write_buffer_size() > self._high_bytes:
            self._is_write_paused = True
            if self._protocol is not None:
                self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def write_eof(self) -> None:
        """Tell the peer that no more comes, once all is written; reading goes on."""
        if not self._is_closing and not self._is_eof_due:
            self._is_eof_due = True
            if not self.get_write_buffer_size():
                self._all_is_written()

    def abort(self) -> None:
        """Close without writing what waits."""
        self._is_closing = True
        self._connection.close_now("aborted")

    # --- giving the connection away -----------------------------------------------

    def detach(self) -> tuple[ByteStream, bytes]:
        """Take the wire out, with what waits to be written; the protocol hears nothing more, not even of an end.

        Raises:
            ConnectionError: it is closing or lost.
        """
        if self._is_closing:
            raise ConnectionError("the connection is closing")
        self._is_over = self._is_closing = True
        self._protocol = None
        self._connection.transport = None
        return self._connection.wire, self._connection.release()

    def failed_internally(self) -> None:
        """An exception of ours, being handled, came up in the middle of that: whoever has the wire by now ends."""
        self._connection.failed_internally()
        self._connection.wire.close()
