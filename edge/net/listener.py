"""Listening sockets: accept within a budget, look at the first bytes, hand the connection on.

The stock listener of asyncio goes on looping when descriptors have run out;
this one pauses, and keeps descriptors in reserve for what is established.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from edge.errors import ConfigError, ProtocolError
from edge.net import system
from edge.net.accepted import Accepted, Handler
from edge.net.address import Address, address_of
from edge.net.byte_stream import ByteStream, ListeningSocket, SocketStream
from edge.net.config import MIN_NOTSENT_BYTES
from edge.net.detecting import Detecting, Detection
from edge.net.floods import Floods
from edge.net.limits import ConnectionLimits, Undecided
from edge.net.poller import READ
from edge.net.proxied import AwaitingHeader
from edge.net.sniff import WireProtocol
from edge.net.trust import trusted_proxies

if TYPE_CHECKING:
    from edge.net.context import NetContext

logger = logging.getLogger(__name__)

_BACKLOG = 4096
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_MIN_PAUSE_MS, _MAX_PAUSE_MS = 100, 1000


class PortBusyError(ConfigError):
    """Another process listens there."""

    reason = "port_busy"


def open_socket(host: str, port: int) -> ListeningSocket:
    """A bound, listening, non-blocking socket; ``host`` "" means all addresses, IPv4 and IPv6.

    Raises:
        PortBusyError: the port is taken.
        ConfigError: the address cannot be listened on.
    """
    text = host or "0.0.0.0"
    try:
        is_v6 = ":" in host or (not host and socket.has_dualstack_ipv6())
        sock = ListeningSocket(socket.AF_INET6 if is_v6 else socket.AF_INET)
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
    """One listening socket; the ``Entrance`` of what it accepts.

    Attributes:
        role: the owner's word for what it is.
        port: the one in force, also when 0 was asked for, and after the end.
        held: protocols whose connections wait, unread, until ``release``.
        is_internal: connections accepted here may see the admin pages.
        accept_paused: descriptors have run out and accepting waits.
    """

    def __init__(
        self,
        sock: ListeningSocket,
        context: NetContext,
        handlers: Mapping[WireProtocol, Handler],
        *,
        is_internal: bool = False,
        limits: ConnectionLimits,
        role: str = "",
        held: Collection[WireProtocol] = (),
        on_held: Callable[[WireProtocol], object] = lambda protocol: None,
        expects_header: bool = False,
        floods: Floods | None = None,
    ) -> None:
        """``on_held`` is called for each connection that begins to wait, so that its handler can be made ready.

        ``expects_header``: load balancers connect here, and begin with the PROXY header where that is switched on.
        ``floods``: of connections that come to ``sock``; None where all are looked at.
        """
        self.role = role
        self.held = set(held)
        self.sock = sock
        self.port = int(sock.getsockname()[1])
        self.is_internal = is_internal
        self.accept_paused = False
        self._context = context
        self._limits = limits
        self._expects_header = expects_header
        self._floods = floods
        self._detection = Detection(context, handlers, self.held, limits.undecided, on_held)
        self._pause_ms = _MIN_PAUSE_MS
        self._has_user_timeout = False
        self._timer: asyncio.TimerHandle | None = None
        self._set_up(sock)
        context.poller.add(sock.fileno(), self)

    def on_ready(self, events: int) -> None:
        """Accept some; the rest waits for the next turn."""
        self._accept_some()

    def _accept_some(self) -> bool:
        """False when nobody waits any more, or there is no room."""
        context = self._context
        for _ in range(context.config.accept_per_turn):
            try:
                wire, name = self.sock.accept()
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(error)
                    return False
                continue
            self._pause_ms = _MIN_PAUSE_MS
            self._take_in(wire, address_of(name))
        return True

    def _take_in(self, wire: SocketStream, address: Address) -> None:
        counters, peer = self._context.counters, address.host
        counters["conn_accepted_count"] += 1
        if self._floods is not None and self._floods.turns_away(peer):
            counters["conn_rejected_count"] += 1
            wire.close()
            return
        why = None if self.is_internal else self._limits.why_refused(peer)
        if why is not None:
            self._refuse(wire, address, why)
            return
        try:
            if not system.INHERITS_OPTIONS:
                self._set_up(wire.sock)
            accepted = Accepted(wire, address, self, accepted_ms=self._context.now_ms())
            if self._expects_header and self._is_balancer(peer):
                AwaitingHeader(accepted, self._context, self._limits.undecided, self._take_client)
            else:
                self.detect(accepted)
        except OSError as error:
            counters["conn_rejected_count"] += 1
            counters.log_limited(logging.WARNING, "accept", "connection dropped peer=%s %s", peer, error)
            wire.close()
        except Exception:
            # It must not end the listener, on whose turn it came.
            self._context.poller.internal_error_count += 1
            logger.exception("connection dropped peer=%s", peer)
            wire.close()

    def _refuse(self, wire: ByteStream, address: Address, why: str) -> None:
        counters, peer = self._context.counters, address.host
        counters["conn_rejected_count"] += 1
        counters.log_limited(logging.WARNING, why, "connection refused reason=%s peer=%s", why, peer)
        counters.tell_fault(ProtocolError("connections are refused", reason=why), str(address))
        wire.close()

    def _is_balancer(self, host: str) -> bool:
        config = self._context.config
        return config.rtmp_proxy_protocol and trusted_proxies(config.trusted_proxies).is_trusted(host)

    def _take_client(self, accepted: Accepted) -> None:
        """A balancer has said who its client is, which counts as any other."""
        why = self._limits.why_client_refused(accepted.address.host) if accepted.is_proxied else None
        if why is not None:
            self._refuse(accepted.wire, accepted.address, why)
        else:
            self.detect(accepted)

    def _set_up(self, sock: socket.socket) -> None:
        """Set the options of connections, on the listening socket where they inherit them from that."""
        config = self._context.config
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        timeout_ms = config.tcp_user_timeout_ms
        if timeout_ms or self._has_user_timeout:
            self._has_user_timeout = timeout_ms > 0
            system.drop_when_unacknowledged(sock, max(timeout_ms, config.send_timeout_ms + 1000) if timeout_ms else 0)
        if config.socket_send_buffer_size > 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, config.socket_send_buffer_size)
        system.keep_alive(sock, idle_s=20, interval_s=5, probe_count=3)
        system.limit_unsent(sock, MIN_NOTSENT_BYTES)

    def reconfigure(self) -> None:
        """The settings of the network are others: connections to come are set up by them."""
        self._set_up(self.sock)

    def detect(self, accepted: Accepted) -> None:
        """Find out what a connection speaks, and hand it to whoever serves that."""
        Detecting(accepted, self._detection)

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

    def release(self, protocol: WireProtocol) -> None:
        """Hand over, as they came, the connections of a protocol that waited for its handler; those to come at once."""
        self.held.discard(protocol)
        for one in [one for one in self._undecided() if one.protocol is protocol]:
            one.hand_over()

    def _undecided(self) -> list[Undecided]:
        return [one for one in self._limits.undecided if one.accepted.entrance is self]

    def stop(self) -> None:
        """Listen no more; who has connected by now is served. Safe to call again."""
        if self.sock.fileno() < 0:
            return
        if self._timer is not None:
            self._timer.cancel()
        elif not self.accept_paused:
            for _ in range(_BACKLOG // self._context.config.accept_per_turn + 1):
                if not self._accept_some():
                    break
            if self._timer is not None:  # descriptors have run out
                self._timer.cancel()
        if self._floods is not None:
            self._floods.close()  # another process may go on listening
        self._context.poller.remove(self.sock.fileno())
        self.sock.close()

    def close(self) -> None:
        """Stop listening; of what has been accepted, that stays which has been handed over."""
        self.stop()
        for undecided in self._undecided():
            undecided.abort("")
