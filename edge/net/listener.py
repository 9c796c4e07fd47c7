"""Listening sockets: accept within a budget, look at the first bytes, hand the socket on.

The stock listener of asyncio goes on looping when descriptors have run out;
this one pauses, and keeps descriptors in reserve for what is established.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from edge.errors import ConfigError, HandshakeError
from edge.net.connection import peer_text
from edge.net.detect import LOOK_BYTES, Protocol, detect, unknown_reason
from edge.net.poller import READ

if TYPE_CHECKING:
    from edge.net.context import NetContext

logger = logging.getLogger(__name__)

_BACKLOG = 4096
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_MIN_PAUSE_MS, _MAX_PAUSE_MS = 100, 1000

Handler = Callable[[socket.socket, bool], None]
"""Takes over a connection; True for one that was accepted on an internal port."""


class PortBusyError(ConfigError):
    """Another process listens there."""

    reason = "port_busy"


def open_socket(host: str, port: int) -> socket.socket:
    """A bound, listening, non-blocking socket; ``host`` "" means all addresses, IPv4 and IPv6.

    Raises:
        PortBusyError: the port is taken.
        ConfigError: the address cannot be listened on.
    """
    text = host or "0.0.0.0"
    try:
        is_v6 = ":" in host or (not host and socket.has_dualstack_ipv6())
        sock = socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"Fail to listen {text}:{port}: {error.strerror}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if not host else 1)
        sock.bind((host or ("::" if sock.family == socket.AF_INET6 else "0.0.0.0"), port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        kind = PortBusyError if error.errno == errno.EADDRINUSE else ConfigError
        raise kind(f"Fail to listen {text}:{port}: {error.strerror}") from error
    return sock


class Listener:
    """One listening socket.

    Attributes:
        role: the owner's word for what it is.
        held: protocols whose connections wait, unread, until ``release``.
        is_internal: connections accepted here may see the admin pages.
        accept_paused: descriptors have run out and accepting waits.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: NetContext,
        handlers: Mapping[Protocol, Handler],
        *,
        is_internal: bool = False,
        limits: ConnectionLimits,
        role: str = "",
        held: Collection[Protocol] = (),
    ) -> None:
        self.role = role
        self.held = set(held)
        self.sock = sock
        self.is_internal = is_internal
        self.handlers = handlers
        self.accept_paused = False
        self._context = context
        self._limits = limits
        self._pause_ms = _MIN_PAUSE_MS
        self._timer: asyncio.TimerHandle | None = None
        context.poller.add(sock.fileno(), self)

    @property
    def port(self) -> int:
        """The port in force (also when 0 was asked for)."""
        return int(self.sock.getsockname()[1])

    def on_ready(self, events: int) -> None:
        """Accept some; the rest waits for the next turn."""
        context = self._context
        for _ in range(context.config.accept_per_turn):
            try:
                sock, address = self.sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(error)
                    return
                continue
            self._pause_ms = _MIN_PAUSE_MS
            context.counters["conn_accepted_count"] += 1
            why = None if self.is_internal else self._limits.why_refused(str(address[0]))
            if why is not None:
                context.counters["conn_rejected_count"] += 1
                context.counters.log_limited(
                    logging.WARNING, why, "connection refused reason=%s peer=%s", why, address[0]
                )
                sock.close()
                continue
            try:
                self._set_up(sock)
            except OSError as error:
                context.counters["conn_rejected_count"] += 1
                context.counters.log_limited(
                    logging.WARNING, "accept", "connection dropped peer=%s %s", address[0], error
                )
                sock.close()
            except Exception:
                # It must not end the listener, on whose turn it came.
                context.poller.internal_error_count += 1
                logger.exception("connection dropped peer=%s", address[0])
                sock.close()

    def _set_up(self, sock: socket.socket) -> None:
        config = self._context.config
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if config.tcp_user_timeout_ms:
            timeout_ms = max(config.tcp_user_timeout_ms, config.send_timeout_ms + 1000)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        Detecting(sock, self)

    def _pause(self, error: OSError) -> None:
        context = self._context
        if not self.accept_paused:
            context.counters["error_fd_exhausted_count"] += 1
            context.counters.log_limited(
                logging.ERROR, "fd_exhausted", "accept paused reason=fd_exhausted %s", error.strerror
            )
        self.accept_paused = True
        context.poller.modify(self.sock.fileno(), 0)
        self._timer = context.call_later(self._pause_ms, self._resume)
        self._pause_ms = min(self._pause_ms * 2, _MAX_PAUSE_MS)

    def _resume(self) -> None:
        self._timer = None
        self.accept_paused = False
        self._context.poller.modify(self.sock.fileno(), READ)

    def release(self, protocol: Protocol) -> None:
        """Hand over the connections of a protocol that waited for its handler, and those to come at once."""
        self.held.discard(protocol)
        for one in [one for one in self._limits.undecided if one.listener is self and one.protocol is protocol]:
            one.hand_over()

    def close(self) -> None:
        """Stop listening; of what has been accepted, that stays which has been handed over."""
        if self.sock.fileno() < 0:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._context.poller.remove(self.sock.fileno())
        self.sock.close()
        for undecided in [one for one in self._limits.undecided if one.listener is self]:
            undecided.abort("")


class ConnectionLimits:
    """How many connections may be open at once, in all and from one address.

    Attributes:
        undecided: accepted connections whose protocol is not known yet, or is held.
        other_count: how many are open that are not the context's, which are those of HTTP.
    """

    def __init__(self, context: NetContext, max_connections: int) -> None:
        self._context = context
        self.max_connections = max_connections
        self.other_count: Callable[[], int] = lambda: 0
        self.undecided: set[Detecting] = set()

    @property
    def open_count(self) -> int:
        """Connections open now, of all protocols."""
        return len(self._context.connections) + len(self.undecided) + self.other_count()

    def why_refused(self, host: str) -> str | None:
        """The reason to refuse one more connection from ``host``, or None."""
        if self.open_count >= self.max_connections:
            return "max_connections"
        per_ip = self._context.config.max_connections_per_ip
        if per_ip:
            # A set of hosts is counted only where the limit is on.
            peers = [one.peer for one in self._context.connections] + [one.peer for one in self.undecided]
            hosts = Counter(peer.rpartition(":")[0].strip("[]") for peer in peers)
            if hosts[host.removeprefix("::ffff:")] >= per_ip:
                return "max_connections_per_ip"
        return None


class Detecting:
    """An accepted connection that has not been handed over.

    Attributes:
        protocol: what it speaks, None while that is not known.
    """

    __slots__ = ("__weakref__", "_context", "_deadline_ms", "_low_water", "listener", "peer", "protocol", "sock")

    def __init__(self, sock: socket.socket, listener: Listener) -> None:
        self.sock = sock
        self.peer = peer_text(sock)
        self.listener = listener
        self.protocol: Protocol | None = None
        self._context = context = listener._context
        self._low_water = 1
        timeout_ms = context.config.protocol_detect_timeout_ms
        self._deadline_ms: int | None = context.now_ms() + timeout_ms if timeout_ms else None
        context.poller.add(sock.fileno(), self)
        listener._limits.undecided.add(self)
        if self._deadline_ms is not None:
            context.deadlines.watch(self, self._deadline_ms)
        self.on_ready(READ)

    def on_ready(self, events: int) -> None:
        """Look at what is there."""
        if self.protocol is not None:
            self._drop("")  # it is held, so nothing but a reset is reported
            return
        try:
            head = self.sock.recv(LOOK_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self._drop("")
            return
        if len(head) < self._low_water:
            # A wake that shows no more than what did not decide before is a FIN.
            if not head:
                self._context.counters["conn_empty_count"] += 1
                self._drop("")
            else:
                self._drop("detect_truncated", f"first bytes {head[:16].hex()}")
            return
        answer = detect(head)
        if answer is True:
            self._low_water = len(head) + 1
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self._low_water)
        elif answer is False:
            self._drop(unknown_reason(head), f"first bytes {head[:16].hex()}")
        else:
            self._decide(answer, head)

    def _decide(self, protocol: Protocol, head: bytes) -> None:
        if protocol not in self.listener.handlers:
            reason = "tls_not_enabled" if protocol is Protocol.TLS else "unknown_protocol"
            self._drop(reason, f"first bytes {head[:16].hex()}")
            return
        self.protocol = protocol
        if protocol in self.listener.held:
            # Its peer has done its part, so nothing is due; what it sends stays in the kernel.
            self._deadline_ms = None
            self._context.poller.modify(self.sock.fileno(), 0)
            return
        self.hand_over()

    def hand_over(self) -> None:
        """Give the socket to the handler of its protocol, which is known."""
        assert self.protocol is not None
        handler = self.listener.handlers[self.protocol]
        sock = self._release()
        if self._low_water != 1:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        fd = sock.fileno()
        try:
            handler(sock, self.listener.is_internal)
        except Exception:
            # We may be inside the listener's turn, which must not pay for it.
            self._context.poller.handler_failed(fd)
            sock.close()

    def _release(self) -> socket.socket:
        self._deadline_ms = None
        self.listener._limits.undecided.discard(self)
        self._context.poller.remove(self.sock.fileno())
        return self.sock

    def _drop(self, reason: str, detail: str = "") -> None:
        self._release().close()
        if reason:
            self._context.counters.report(HandshakeError(detail, reason=reason), f"[{self.peer}]")

    def next_deadline_ms(self) -> int | None:
        """None once the protocol is known."""
        return self._deadline_ms

    def on_deadline(self, now_ms: int) -> None:
        """The first bytes did not come, or do not decide."""
        self._drop("detect_timeout")

    def abort(self, why: str) -> None:
        """Close at once."""
        self._drop(why)
