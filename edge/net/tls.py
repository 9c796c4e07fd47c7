"""TLS over a stream of bytes, by way of memory: one state of OpenSSL between two queues.

What ``send`` takes is encrypted at once and cannot be taken back, so it counts as taken
whatever the socket says; until its records are out nothing more is taken. A caller
may then offer any other bytes: no half record is ever waiting for the rest of its text.

The queues keep the size of the most they have held, for as long as the connection lives,
and each connection has two. So neither is ever given much at a time.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import threading
from typing import Protocol

from edge.errors import EdgeError, TlsError
from edge.net.byte_stream import ByteStream
from edge.net.client_hello import ClientHello

# Encrypted at a time: two full records, as one call into the kernel costs as much as encrypting 10 KB.
_BURST_BYTES = 32768
# Read from the socket at a time: a full record is little more than this.
_FILL_BYTES = 16384
# Answers to what the peer asked of TLS itself; one that asks on and reads nothing is lost.
_MAX_ANSWER_BYTES = 65536
# Bytes of TLS itself (key updates, tickets, empty records) that a peer may send ahead of its data, and how many
# of them each byte of data allows: a record of one byte has 22 about it. A key update has 27, and takes some 10 us.
_MAX_OVERHEAD_BYTES = 65536
_OVERHEAD_PER_BYTE = 32
_FATAL_UNRECOGNIZED_NAME = b"\x15\x03\x03\x00\x02\x02\x70"


class TlsBrokenError(OSError):
    """An established connection broke a rule of TLS: it is over.

    Attributes:
        detail: OpenSSL's word for it, or ours.
    """

    reason = "tls_error"

    def __init__(self, detail: str) -> None:
        super().__init__(errno.EPROTO, f"{self.reason}: {detail}")
        self.detail = detail


class ServerContexts(Protocol):
    """What a server is to be for whom."""

    def context_for(self, server_name: str | None) -> ssl.SSLContext | None:
        """For a client that asks for this host; None refuses it."""
        ...


class _Scratch(threading.local):
    """Where bytes stand on their way from a socket to OpenSSL."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_FILL_BYTES))


_scratch = _Scratch()


def library_reason(error: ssl.SSLError) -> str:
    """OpenSSL's word for it, e.g. ``WRONG_VERSION_NUMBER``."""
    return error.reason or error.strerror or str(error)


class TlsStream:
    """A ``ByteStream``, once its ``handshake`` is done, over one that keeps nothing back itself.

    ``handshake`` and ``recv_into`` go on when the socket can be read, and ``flush``, while
    ``has_unsent``, when it can be written.

    Attributes:
        is_established: the handshake is done.
        has_ended: the peer has sent its last byte; what of it is left can be read.
    """

    __slots__ = (
        "_broken",
        "_incoming",
        "_inner",
        "_is_end_told",
        "_is_ending",
        "_object",
        "_outgoing",
        "_overhead_left",
        "_peeked",
        "_unsent",
        "has_ended",
        "is_established",
    )

    def __init__(self, inner: ByteStream) -> None:
        self._inner = inner
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object: ssl.SSLObject | None = None
        self._peeked = b""
        self._unsent: bytes | memoryview = b""
        self._overhead_left = _MAX_OVERHEAD_BYTES
        self._is_ending = False
        self._is_end_told = False
        self._broken: TlsBrokenError | None = None
        self.is_established = False
        self.has_ended = False

    # --- what a ByteStream has -----------------------------------------------

    @property
    def sock(self) -> socket.socket:
        """See ``ByteStream``."""
        return self._inner.sock

    @property
    def has_unread(self) -> bool:
        """See ``ByteStream``; what is there may be the end, or, once, no more than a part of a record."""
        if self.has_ended or self._broken is not None:
            return not self._is_end_told or bool(self._peeked)
        return bool(self._peeked or self._incoming.pending or (self._object is not None and self._object.pending()))

    @property
    def has_unsent(self) -> bool:
        """See ``ByteStream``; also true in a handshake that waits for the socket to take bytes."""
        return bool(self._unsent)

    def fileno(self) -> int:
        """See ``ByteStream``."""
        return self._inner.fileno()

    @property
    def version(self) -> str:
        """``TLSv1.2`` or ``TLSv1.3``; "" before the handshake."""
        return (self._object.version() if self._object is not None else None) or ""

    @property
    def alpn(self) -> str | None:
        """The protocol agreed on by ALPN, if any."""
        return self._object.selected_alpn_protocol() if self._object is not None else None

    # --- handshake -----------------------------------------------------------

    def handshake(self) -> bool:
        """Go on with the handshake; True when it is done.

        Its last records may still wait for the socket (``has_unsent``), and the first bytes of
        data may have come with the peer's (``has_unread``).

        Raises:
            TlsError: a server's client failed, or has gone.
            UpstreamTlsError: a client's server failed, or has gone.
            OSError: the connection below broke.
        """
        while not self.is_established:
            if self._object is not None:
                try:
                    self._object.do_handshake()
                    self.is_established = True
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError as error:
                    with contextlib.suppress(OSError):
                        self.flush()  # the alert
                    raise self._failure(error) from error
                if not self.flush() or self.is_established:
                    break
            try:
                count = self._inner.recv_into(_scratch.view)
            except BlockingIOError:
                break
            if not count:
                self.has_ended = True
                raise self._failure(None)
            self._receive_first(_scratch.view[:count])
        return self.is_established

    def _receive_first(self, data: memoryview) -> None:
        """Bytes of the handshake came."""
        self._incoming.write(data)

    def _failure(self, error: ssl.SSLError | None) -> EdgeError:
        """How the end of a handshake is told; None stands for a peer that has gone."""
        return TlsError("closed in the handshake" if error is None else library_reason(error))

    def _breach(self, detail: str) -> TlsBrokenError:
        """How it is told that an established connection broke a rule."""
        return TlsBrokenError(detail)

    # --- reading -------------------------------------------------------------

    def recv_into(self, buffer: memoryview, nbytes: int = 0, /) -> int:
        """See ``ByteStream``. An end without TLS's own farewell is one like any other."""
        view = buffer[:nbytes] if nbytes else buffer
        if self._peeked:
            count = min(len(view), len(self._peeked))
            view[:count] = self._peeked[:count]
            self._peeked = self._peeked[count:]
            return count
        count = self._read(view)
        if not count:
            self._is_end_told = True
        return count

    def peek(self, nbytes: int, /) -> bytes:
        """See ``ByteStream``."""
        if len(self._peeked) < nbytes:
            more = bytearray(nbytes - len(self._peeked))
            try:
                count = self._read(memoryview(more))
            except BlockingIOError:
                if not self._peeked:
                    raise
            else:
                self._peeked += more[:count]
        return self._peeked[:nbytes]

    def _read(self, view: memoryview) -> int:
        """Decrypt what is there, from the socket once none is left here; 0 at the end."""
        while not (count := self._decrypt(view)):
            if self._broken is not None:
                self._is_end_told = True
                raise self._broken
            if self.has_ended:
                return 0
            if self._object is None:
                raise BlockingIOError(errno.EAGAIN, "the handshake is not done")
            received = self._inner.recv_into(_scratch.view)
            if not received:
                self.has_ended = True
                return 0
            self._overhead_left -= received
            if self._overhead_left < 0:
                self._broken = self._breach("too many records without data")
            else:
                self._incoming.write(_scratch.view[:received])
        return count

    def _decrypt(self, view: memoryview) -> int:
        """Fill ``view`` from what is here; 0 when that makes no byte, or the connection has ended or broken."""
        total = 0
        tls = self._object
        if tls is None or self._broken is not None or self.has_ended:
            return 0
        try:
            while total < len(view) and (self._incoming.pending or tls.pending()):
                count = tls.read(len(view) - total, view[total:])
                if not count:
                    self.has_ended = True
                    break
                total += int(count)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.has_ended = True
        except ssl.SSLError as error:
            self._broken = self._breach(library_reason(error))
        if total:
            overhead_left = self._overhead_left + total * _OVERHEAD_PER_BYTE
            self._overhead_left = min(overhead_left, _MAX_OVERHEAD_BYTES)
        if self._outgoing.pending:
            self._answer()
        return total

    def _answer(self) -> None:
        """Reading made TLS say something: an alert, a new key."""
        with contextlib.suppress(OSError):  # who sends next will meet it; what the peer sent can be read on
            self.flush()
        if len(self._unsent) > _MAX_ANSWER_BYTES:
            self._broken = self._breach("the peer asks for keys and reads none")

    # --- writing -------------------------------------------------------------

    def send(self, data: bytes | memoryview, /) -> int:
        """See ``ByteStream``. Goes on while the socket takes everything; the end of what is taken may wait here."""
        if self._is_ending:
            raise BrokenPipeError(errno.EPIPE, "sending has ended")
        tls, size, total = self._object, len(data), 0
        if tls is None or (self._unsent and not self.flush()):
            raise BlockingIOError(errno.EAGAIN, "records wait for the socket")
        if size > _BURST_BYTES:
            data = memoryview(data)
        try:
            while total < size:
                total += tls.write(data if size <= _BURST_BYTES and not total else data[total : total + _BURST_BYTES])
                if not self._hand_on(self._outgoing.read()):
                    break
        except ssl.SSLWantReadError:
            raise BlockingIOError(errno.EAGAIN, "the handshake is not done") from None
        except ssl.SSLError as error:
            raise self._breach(library_reason(error)) from error
        return total

    def flush(self) -> bool:
        """See ``ByteStream``."""
        records: bytes | memoryview = self._unsent
        if self._outgoing.pending:
            more = self._outgoing.read()
            records = b"".join((records, more)) if records else more
        if records and not self._hand_on(records):
            return False
        if self._is_ending:
            self._inner.end_sending()
        return True

    def _hand_on(self, records: bytes | memoryview) -> bool:
        """Give the socket all that waits for it, and keep what it does not take; False when that is some."""
        try:
            sent = self._inner.send(records)
        except BlockingIOError:
            sent = 0
        is_out = sent == len(records)
        self._unsent = b"" if is_out else memoryview(records)[sent:]
        return is_out

    def end_sending(self) -> None:
        """See ``ByteStream``. The farewell goes behind what waits: flush while ``has_unsent``."""
        if self._is_ending:
            return
        self._is_ending = True
        if self.is_established and self._object is not None:
            # After its farewell OpenSSL takes data that it has not yet decrypted for a fault.
            held = bytearray(_FILL_BYTES * 2)
            self._peeked += held[: self._decrypt(memoryview(held))]
            with contextlib.suppress(ssl.SSLError):  # it wants the peer's farewell, for which nobody waits
                self._object.unwrap()
        with contextlib.suppress(OSError):
            self.flush()

    def close(self) -> None:
        """See ``ByteStream``."""
        self._inner.close()


class TlsServerStream(TlsStream):
    """The side that shows a certificate.

    Attributes:
        server_name: the host that the client asked for, if it did.
    """

    __slots__ = ("_contexts", "_hello", "server_name")

    def __init__(self, inner: ByteStream, contexts: ServerContexts) -> None:
        super().__init__(inner)
        self._contexts: ServerContexts = contexts
        self._hello: ClientHello | None = None
        self.server_name: str | None = None

    def _receive_first(self, data: memoryview) -> None:
        if self._object is not None:
            self._incoming.write(data)
            return
        if self._hello is None:
            self._hello = ClientHello()
        if not self._hello.receive(data):
            return
        hello, self._hello = self._hello, None
        self.server_name = hello.server_name
        context = self._contexts.context_for(self.server_name)
        if context is None:
            self._outgoing.write(_FATAL_UNRECOGNIZED_NAME)
            with contextlib.suppress(OSError):
                self.flush()
            raise TlsError(f"unrecognized_name {self.server_name or 'none'}")
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._incoming.write(hello.data)
