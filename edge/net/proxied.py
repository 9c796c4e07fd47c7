"""A connection of a load balancer, from which its header is awaited before anything else."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.errors import HandshakeError
from edge.net.accepted import Accepted
from edge.net.connection_set import ConnectionSet
from edge.net.limits import Undecided
from edge.net.poller import READ
from edge.net.proxy_header import MAX_HEADER_BYTES, ProxyHeader, ProxyHeaderError, parse_proxy_header
from edge.net.sniff import WireProtocol

if TYPE_CHECKING:
    from edge.net.context import NetContext


class AwaitingHeader:
    """An accepted connection whose PROXY header is read, and nothing behind it; see ``Undecided``.

    Its header is looked at until all of it is there, as what follows is somebody else's; the
    socket wakes us when more has come than we have seen (``SO_RCVLOWAT``), or at its end.

    Attributes:
        protocol: None, for that is behind the header.
    """

    __slots__ = (
        "__weakref__",
        "_context",
        "_deadline_ms",
        "_on_known",
        "_seen_bytes",
        "_undecided",
        "accepted",
        "protocol",
    )

    def __init__(
        self,
        accepted: Accepted,
        context: NetContext,
        undecided: ConnectionSet[Undecided],
        on_known: Callable[[Accepted], object],
    ) -> None:
        """``on_known`` is called with the connection as the header describes it."""
        self.accepted = accepted
        self.protocol: WireProtocol | None = None
        self._context = context
        self._undecided = undecided
        self._on_known = on_known
        self._seen_bytes = 0
        timeout_ms = context.config.protocol_detect_timeout_ms
        self._deadline_ms = context.now_ms() + timeout_ms if timeout_ms else None
        context.poller.add(accepted.wire.fileno(), self, READ)
        undecided.add(self)
        if self._deadline_ms is not None:
            context.deadlines.watch(self, self._deadline_ms)
        self.on_ready(READ)

    @property
    def host(self) -> str:
        """Not counted by the address of the balancer."""
        return ""

    def on_ready(self, events: int) -> None:
        """Look at what is there."""
        try:
            head = self.accepted.wire.peek(MAX_HEADER_BYTES)
            if not head or len(head) <= self._seen_bytes:
                self._drop("proxy_header_truncated" if head else "")
                return
            header = parse_proxy_header(head)
            if header is None:
                self._wake_at(len(head) + 1)
                self._seen_bytes = len(head)
                return
            self._take(header)
        except BlockingIOError:
            return
        except ProxyHeaderError as error:
            self._drop(error.reason, error.detail)
            return
        except OSError:
            self._drop("")
            return
        self._release()
        if header.source is not None:
            self.accepted.address, self.accepted.is_proxied = header.source, True
        self._on_known(self.accepted)

    def _take(self, header: ProxyHeader) -> None:
        """Read the header, which is there."""
        self.accepted.wire.recv_into(memoryview(bytearray(header.size_bytes)), header.size_bytes)
        self._wake_at(1)

    def _wake_at(self, size_bytes: int) -> None:
        self.accepted.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)

    def _release(self) -> None:
        self._deadline_ms = None
        self._undecided.discard(self)
        self._context.poller.remove(self.accepted.wire.fileno())

    def _drop(self, reason: str, detail: str = "") -> None:
        self._release()
        self.accepted.wire.close()
        if reason:
            peer = str(self.accepted.address)
            self._context.counters.report(HandshakeError(detail, reason=reason), f"[{peer}]", peer=peer)
        else:
            self._context.counters["conn_empty_count"] += 1

    def hand_over(self) -> None:
        """Nobody waits for it: only who is held does."""

    def next_deadline_ms(self) -> int | None:
        """None once the header is there."""
        return self._deadline_ms

    def on_deadline(self, now_ms: int) -> None:
        """The header did not come."""
        self._drop("proxy_header_timeout")

    def abort(self, why: str) -> None:
        """Close at once."""
        self._drop(why)
