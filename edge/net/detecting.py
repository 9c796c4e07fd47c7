"""A connection whose protocol is being found out, on a socket or inside TLS."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import HandshakeError
from edge.net.accepted import Accepted, Handler
from edge.net.byte_stream import is_plain
from edge.net.connection_set import ConnectionSet
from edge.net.limits import Undecided
from edge.net.poller import END, GONE, READ, WRITE
from edge.net.sniff import LOOK_BYTES, Answer, WireProtocol, sniff, unknown_reason
from edge.net.tls import TlsBrokenError

if TYPE_CHECKING:
    from edge.net.context import NetContext


@dataclass(frozen=True, slots=True)
class Detection:
    """What the connections of a listener have in common while nobody serves them.

    Attributes:
        handlers: who serves what.
        held: protocols whose connections wait, unread, for their handler.
        undecided: connections that nobody serves yet, of other listeners too.
        on_held: called for each connection that begins to wait.
    """

    context: NetContext
    handlers: Mapping[WireProtocol, Handler]
    held: set[WireProtocol]
    undecided: ConnectionSet[Undecided]
    on_held: Callable[[WireProtocol], object] = lambda protocol: None


class Detecting:
    """An accepted connection that has not been handed over; it begins by looking.

    Most have sent enough by then, and are handed over at once: only who is waited for is
    watched, counted as undecided, and has a deadline.

    A socket wakes us again only when more has come than we have seen (``SO_RCVLOWAT``), or at
    its end. Another wire takes in what comes, so its descriptor is quiet by itself; its end
    shows as what the poller tells of the peer, or as its deadline.

    Attributes:
        protocol: what it speaks, None while that is not known.
    """

    __slots__ = (
        "__weakref__",
        "_deadline_ms",
        "_detection",
        "_is_plain",
        "_is_waiting",
        "_seen_bytes",
        "accepted",
        "protocol",
    )

    def __init__(self, accepted: Accepted, detection: Detection) -> None:
        self.accepted = accepted
        self.protocol: WireProtocol | None = None
        self._detection = detection
        self._is_plain = is_plain(accepted.wire)
        self._is_waiting = False
        self._seen_bytes = 0
        self._deadline_ms: int | None = None
        self.on_ready(READ)

    @property
    def host(self) -> str:
        """Address of the peer."""
        return self.accepted.address.host

    @property
    def _events(self) -> int:
        if self._is_plain:
            return READ
        return READ | END | (WRITE if self.accepted.wire.has_unsent else 0)

    def on_ready(self, events: int) -> None:
        """Look at what is there."""
        if self.protocol is not None:
            self._drop("")  # it is held, so nothing but a reset is reported
            return
        wire = self.accepted.wire
        try:
            if events & WRITE:
                wire.flush()
            head = wire.peek(LOOK_BYTES)
        except BlockingIOError:
            self._wait()
            return
        except TlsBrokenError as error:
            self._drop(error.reason, error.detail)
            return
        except OSError:
            self._drop("")
            return
        if not head:
            self._detection.context.counters["conn_empty_count"] += 1
            self._drop("")
        elif len(head) <= self._seen_bytes and (self._is_plain or events & GONE):
            self._drop("detect_truncated", f"first bytes {head[:16].hex()}")
        else:
            self._ask(head)

    def _ask(self, head: bytes) -> None:
        answer, protocol = sniff(head)
        if answer is Answer.MORE:
            self._seen_bytes = len(head)
            if self._is_plain:
                self._wake_at(len(head) + 1)
            self._wait()
        elif protocol is None:
            self._drop(unknown_reason(head), f"first bytes {head[:16].hex()}")
        else:
            self._decide(protocol, head)

    def _wake_at(self, size_bytes: int) -> None:
        self.accepted.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)

    def _wait(self) -> None:
        context = self._detection.context
        if not self._is_waiting:
            self._begin_to_wait(self._events)
            timeout_ms = context.config.protocol_detect_timeout_ms
            if timeout_ms:
                self._deadline_ms = context.now_ms() + timeout_ms
                context.deadlines.watch(self, self._deadline_ms)
        elif not self._is_plain:
            context.poller.modify(self.accepted.wire.fileno(), self._events)

    def _begin_to_wait(self, events: int) -> None:
        self._detection.context.poller.add(self.accepted.wire.fileno(), self, events)
        self._detection.undecided.add(self)
        self._is_waiting = True

    def _decide(self, protocol: WireProtocol, head: bytes) -> None:
        is_nested = protocol is WireProtocol.TLS and self.accepted.tls is not None
        if protocol not in self._detection.handlers or is_nested:
            reason = "tls_not_enabled" if protocol is WireProtocol.TLS and not is_nested else "unknown_protocol"
            self._drop(reason, f"first bytes {head[:16].hex()}")
            return
        self.protocol = protocol
        self.accepted.head = head
        if protocol in self._detection.held:
            # Its peer has done its part, so nothing is due; what it sends stays in the kernel.
            self._deadline_ms = None
            if self._is_waiting:
                self._detection.context.poller.modify(self.accepted.wire.fileno(), 0)
            else:
                self._begin_to_wait(0)
            self._detection.on_held(protocol)
            return
        self.hand_over()

    def hand_over(self) -> None:
        """Give the connection to the handler of its protocol, which is known."""
        assert self.protocol is not None
        accepted, fd = self.accepted, self.accepted.wire.fileno()
        self._release()
        if self._is_plain and self._seen_bytes:
            self._wake_at(1)
        try:
            self._detection.handlers[self.protocol](accepted)
        except Exception:
            # We may be inside the listener's turn, which must not pay for it.
            self._detection.context.poller.handler_failed(fd)
            accepted.wire.close()

    def _release(self) -> None:
        self._deadline_ms = None
        if self._is_waiting:
            self._is_waiting = False
            self._detection.undecided.discard(self)
            self._detection.context.poller.remove(self.accepted.wire.fileno())

    def _drop(self, reason: str, detail: str = "") -> None:
        self._release()
        self.accepted.wire.close()
        if reason:
            error = HandshakeError(detail, reason=reason)
            peer = str(self.accepted.address)
            self._detection.context.counters.report(error, f"[{peer}]", peer=peer)

    def next_deadline_ms(self) -> int | None:
        """None once the protocol is known."""
        return self._deadline_ms

    def on_deadline(self, now_ms: int) -> None:
        """The first bytes did not come, or do not decide."""
        self._drop("detect_timeout")

    def let_go(self) -> None:
        """Another process has the socket, and looks anew what it speaks: nothing of what came was taken."""
        self._release()
        self.accepted.wire.close()

    def abort(self, why: str) -> None:
        """Close at once."""
        self._drop(why)
