"""Connections to upstreams, shared where the upstream can carry several streams on one.

Whether it can is announced in its answer to ``connect`` and remembered per
endpoint. Until it is known, further streams to the endpoint wait for the
first answer; to servers that cannot, each stream has a connection of its own.
"""

from __future__ import annotations

import dataclasses
import logging
import ssl
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from edge.errors import UpstreamTlsError
from edge.net.context import NetContext
from edge.net.rtmp.client import Link, LinkEnd, RtmpClientConnection, start_connect
from edge.net.rtmp.why import WhyDesk
from edge.rtmp.config import RtmpConfig
from edge.upstream.tls import UpstreamTls
from naming.node import ServerNode

logger = logging.getLogger(__name__)

#: S0, S1 and S2; an upstream that sent no more has not accepted the handshake.
HANDSHAKE_BYTES = 3073
_PRUNE_MIN = 64


class PoolKey(NamedTuple):
    """Streams that may share a connection agree in all of this.

    Attributes:
        tls_host: whose certificate is asked for and believed; "" without TLS.
    """

    endpoint: str
    tls_host: str
    tc_url: str
    app: str
    is_simplified: bool


class UpstreamPool:
    """All outgoing connections of a service."""

    def __init__(
        self,
        context: NetContext,
        rtmp: RtmpConfig,
        tls: UpstreamTls,
        *,
        edge_id: str,
        timeout_ms: int,
        prove: Callable[[str], str] = lambda _: "",
        why_desk: WhyDesk | None = None,
    ) -> None:
        """``prove`` makes a proof of our id; ``why_desk`` answers what upstreams of ours ask."""
        self._context = context
        self._tls = tls
        self.reconfigure(rtmp, timeout_ms)
        self._edge_id = edge_id
        self._prove = prove
        self._why_desk = why_desk
        self._shared: dict[PoolKey, RtmpClientConnection] = {}
        self._can_share: dict[str, bool] = {}
        # Endpoints where the digest form of the handshake has just failed: the next attempt takes the simple one.
        self._plain_next: set[str] = set()
        # Endpoints that gave no answer to the simplified form: the next attempt takes the ordinary one.
        self._ordinary_next: set[str] = set()
        self._hinted: set[str] = set()
        self._asked_simply: dict[RtmpClientConnection, str] = {}
        self._open: set[RtmpClientConnection] = set()
        self._prune_at = _PRUNE_MIN
        self.connect_count = 0
        self.on_leaving: Callable[[RtmpClientConnection], object] = lambda _: None

    def reconfigure(self, rtmp: RtmpConfig, timeout_ms: int) -> None:
        """Take other settings, for connections to come."""
        self._rtmp = rtmp
        self._timeout_ms = timeout_ms

    @property
    def connection_count(self) -> int:
        """Connections open now."""
        return sum(1 for connection in self._open if connection.state == "open")

    def open_connections(self) -> list[RtmpClientConnection]:
        """Those that are open now."""
        return [connection for connection in self._open if connection.state == "open"]

    def acquire(
        self, link: Link, server: ServerNode, *, tc_url: str, app: str, is_tls: bool, is_simplified: bool, share: bool
    ) -> RtmpClientConnection | None:
        """Find or make a connection for ``link``; it is told by ``on_connected`` or ``on_ended``.

        Returns the connection that it waits for, if it does: a link that gives up closes itself there.
        """
        key = self._key_of(server, tc_url, app, is_tls=is_tls, is_simplified=is_simplified)
        if not share or self._can_share.get(server.endpoint) is False:
            self._connect(link, server, key, is_shared=False)
            return None
        connection = self._shared.get(key)
        if connection is None or connection.state != "open":
            self._connect(link, server, key, is_shared=True)
        elif connection.is_multiplexing or key.is_simplified or self._can_share.get(server.endpoint):
            link.on_connected(connection)
        else:
            connection.waiting.append(link)
            return connection
        return None

    def tls_context(self) -> ssl.SSLContext:
        """What connections over TLS begin with; raises UpstreamTlsError."""
        return self._tls.context()

    def _key_of(self, server: ServerNode, tc_url: str, app: str, *, is_tls: bool, is_simplified: bool) -> PoolKey:
        is_simplified = is_simplified and server.endpoint not in self._ordinary_next
        return PoolKey(server.endpoint, (server.name or server.host) if is_tls else "", tc_url, app, is_simplified)

    def has_shared(self, server: ServerNode, tc_url: str, app: str, *, is_tls: bool, is_simplified: bool) -> bool:
        """Whether one more stream needs no connect: the upstream has answered and carries several."""
        connection = self._shared.get(self._key_of(server, tc_url, app, is_tls=is_tls, is_simplified=is_simplified))
        return connection is not None and connection.state == "open" and bool(connection.is_multiplexing)

    def _connect(self, link: Link, server: ServerNode, key: PoolKey, *, is_shared: bool) -> None:
        self.connect_count += 1
        try:
            connection = start_connect(
                self._context,
                server.host,
                server.port,
                endpoint=server.endpoint,
                app=key.app,
                tc_url=key.tc_url,
                rtmp=self._settings_for(server.endpoint),
                edge_id=self._edge_id,
                proof=self._prove(self._edge_id),
                timeout_ms=self._timeout_ms,
                is_simplified=key.is_simplified,
                is_encoder=getattr(link, "what", "pull") == "push",
                tls=partial(self._tls.wrap, host=key.tls_host) if key.tls_host else None,
            )
        except UpstreamTlsError as error:
            link.on_ended(LinkEnd.LOST, str(error))
            return
        except OSError as error:
            link.on_ended(LinkEnd.LOST, f"connect: {error.strerror}")
            return
        connection.why_desk = self._why_desk
        self._forget_closed()
        self._open.add(connection)
        if is_shared:
            self._shared[key] = connection
        if key.is_simplified:
            self._asked_simply[connection] = key.endpoint
        connection.on_asked_to_leave = self._asked_to_leave
        connection.on_settled = lambda settled, is_connected: self._settled(settled, is_connected, server, key)
        link.on_connected(connection)

    def distrust(self, connection: RtmpClientConnection) -> None:
        """It did not answer: streams to come get another connection, those on it stay."""
        for key in [key for key, shared in self._shared.items() if shared is connection]:
            del self._shared[key]
        endpoint = self._asked_simply.pop(connection, None)
        if endpoint is not None and connection.has_begun:
            self._take_ordinary_form(endpoint)

    def _asked_to_leave(self, connection: RtmpClientConnection) -> None:
        """Its server will stop: whatever comes next goes another way."""
        self.distrust(connection)
        self.on_leaving(connection)

    def _forget_closed(self) -> None:
        if len(self._open) < self._prune_at:
            return
        self._open = {other for other in self._open if other.state == "open"}
        self._shared = {key: other for key, other in self._shared.items() if other.state == "open"}
        self._prune_at = 2 * len(self._open) + _PRUNE_MIN

    def _note_form(self, connection: RtmpClientConnection, key: PoolKey) -> None:
        """A connect has failed: the forms take turns, unless TCP or TLS failed or nobody wanted it any more."""
        endpoint = self._asked_simply.pop(connection, None)
        if not key.is_simplified:
            self._ordinary_next.discard(key.endpoint)
        elif endpoint is not None and connection.link_count and connection.has_begun:
            self._take_ordinary_form(endpoint)

    def _take_ordinary_form(self, endpoint: str) -> None:
        self._ordinary_next.add(endpoint)
        if endpoint in self._hinted:
            return
        self._hinted.add(endpoint)
        text = "upstream %s does not answer simplified RTMP (-simplified_rtmp_play): trying the ordinary form"
        logger.warning(text, endpoint, extra={"cause": endpoint})

    def _settings_for(self, endpoint: str) -> RtmpConfig:
        if endpoint in self._plain_next:
            return dataclasses.replace(self._rtmp, rtmp_client_use_simple_handshake=True)
        return self._rtmp

    def _note_handshake(self, connection: RtmpClientConnection, endpoint: str) -> None:
        """Take turns between the two forms while handshakes with an endpoint fail."""
        if self._rtmp.rtmp_client_use_simple_handshake or not connection.has_begun:
            return
        if connection.received_bytes > HANDSHAKE_BYTES:
            return
        if endpoint in self._plain_next:
            self._plain_next.discard(endpoint)
        else:
            self._plain_next.add(endpoint)

    def _settled(self, connection: RtmpClientConnection, is_connected: bool, server: ServerNode, key: PoolKey) -> None:
        if not is_connected:
            self._note_form(connection, key)
            self._note_handshake(connection, server.endpoint)
            if self._shared.get(key) is connection:
                del self._shared[key]
            return
        self._asked_simply.pop(connection, None)
        can_share = bool(connection.is_multiplexing)
        if self._can_share.get(server.endpoint) != can_share:
            self._can_share[server.endpoint] = can_share
            if not can_share:
                logger.info("upstream %s carries one stream per connection", server.endpoint)
        waiting, connection.waiting = connection.waiting, []
        if not can_share and self._shared.get(key) is connection:
            del self._shared[key]
        for link in waiting:
            # The one that connected may have left, and its connection is free.
            if can_share or not connection.link_count:
                link.on_connected(connection)
            else:
                self._connect(link, server, key, is_shared=False)

    def abandon(self) -> None:
        """Drop all connections without a word to either side, as if they were lost; nothing may be begun after that."""
        for connection in list(self._open):
            if connection.state != "closed":
                connection.release()
                connection.wire.close()

    def close(self) -> None:
        """Close everything; links are told, and what is queued, such as the ends of publishes, is still sent."""
        for connection in list(self._open):
            connection.close_gracefully("shutdown")
        self._open.clear()
        self._shared.clear()
