"""A node: its services with their listeners and pages, built from settings."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from edge.builtin.page import PageContext
from edge.flags.check import merge_port as merge_port_of
from edge.net import system
from edge.net.accepted import Accepted, Handler
from edge.net.aio import TaskOwner, now_ms, spawn, wall_ms
from edge.net.context import NetContext
from edge.net.limits import ConnectionLimits
from edge.net.listener import Listener, open_socket
from edge.net.plain_refused import encrypted_only
from edge.net.rtmp.server import RtmpServerConnection
from edge.net.sniff import WireProtocol
from edge.net.tls_entrance import TlsEntrance, open_certificates
from edge.runtime.late_http import LateHttp
from edge.runtime.loop import LagProbe
from edge.runtime.pages import PageData
from edge.runtime.settings import Settings
from edge.runtime.unit import make_units

if TYPE_CHECKING:
    from edge.httpd.app import HttpService

logger = logging.getLogger(__name__)

_TICK_MS = 250
_CLOSE_POLL_MS = 10

#: What clients are told in the end.
STOPPING = "Shutdown: server is stopping"

PUBLIC, INTERNAL, MERGE = "public", "internal", "merge"


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; returns it."""
    before, limit = system.raise_descriptor_limit()
    if before < limit:
        logger.info("open files: soft limit raised from %d to the hard limit %d", before, limit)
    return limit


def service_line(row: Mapping[str, Any]) -> str:
    """What the log says of a service at start: its name, where there are two, its id and its upstreams."""
    name = f"{row['service']} " if row.get("service") else ""
    sides = f" pulls from {row['pulls_from']}, pushes to {row['pushes_to']}" if row["pulls_from"] else ""
    return f"{name}service id={row['id']}{sides}"


class Node:
    """Everything that serves; made and closed inside its event loop.

    Attributes:
        on_loaded, on_failed: called in the loop, one of them once, when HTTP is served as well or never will be.
        tls: None while no port takes it.
    """

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        """Raises ConfigError when a file that is named cannot be used."""
        tls = settings.tls
        certificates = open_certificates(tls) if tls.https else None  # before anything is opened
        self.settings = settings
        self.loop = loop
        self.started_ms = now_ms()
        self.tasks = TaskOwner("node")
        self.context = NetContext(loop, settings.net)
        self.lag = LagProbe(loop)
        self.listeners: list[Listener] = []
        self.is_draining = False
        self.units = make_units(settings, self.context)
        limit = raise_descriptor_limit()
        self.limits = ConnectionLimits(self.context, self._connection_cap(limit))
        self.tls: TlsEntrance | None = None
        if certificates is not None:
            self.tls = TlsEntrance(self.context, self.limits.undecided, tls, certificates)
        self.pages = PageData(self)
        self.page_context: PageContext = self.pages.context()
        self.on_loaded: Callable[[], object] = lambda: None
        self.on_failed: Callable[[], object] = lambda: None
        self.http = LateHttp(
            self._make_http, owner=self.tasks, on_ready=self._http_is_ready, on_failed=lambda: self.on_failed()
        )
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0

    def _connection_cap(self, limit: int) -> int:
        net = self.settings.net
        available = max(limit - net.reserved_fds, 16)
        if not net.max_connections:
            return available
        if net.max_connections > available:
            logger.warning(
                "max_connections %d lowered to %d: %d open files less %d reserved",
                net.max_connections,
                available,
                limit,
                net.reserved_fds,
            )
        return min(net.max_connections, available)

    async def start(self) -> None:
        """Listen; raises ConfigError when an address cannot be listened on, with nothing left open."""
        net = self.settings.net
        wanted = [(host, port, PUBLIC) for port in (net.port, *net.listen) for host in net.bind or ("",)]
        if net.internal_port >= 0:
            wanted += [(host, net.internal_port, INTERNAL) for host in net.bind or ("",)]
        upstream = self.settings.upstream
        merge_port = merge_port_of(upstream.cdn_merge_to, upstream.cdn_merge_port)
        if merge_port is not None:
            wanted += [(host, merge_port, MERGE) for host in net.bind or ("",)]
        sockets: list[tuple[socket.socket, str]] = []
        try:
            for host, port, role in wanted:
                sockets.append((open_socket(host, port), role))
        except Exception:
            for sock, _ in sockets:
                sock.close()
            raise
        for sock, role in sockets:
            is_internal = role == INTERNAL
            self.listeners.append(
                Listener(
                    sock,
                    self.context,
                    self._handlers(role),
                    is_internal=is_internal,
                    limits=self.limits,
                    role=role,
                    held=(WireProtocol.HTTP,),
                )
            )
        if self.tls is not None:
            self.tls.certificates.warn_of_dates(wall_ms())
        for row in self.pages.services():
            logger.info("%s", service_line(row))
        for unit in self.units:
            if unit.upstream is not None:
                spawn(unit.upstream.start(), name="upstream", owner=self.tasks)
        self.lag.start()
        self._timer = self.loop.call_later(_TICK_MS / 1000, self._on_tick)
        self.http.start()

    def _handlers(self, role: str) -> dict[WireProtocol, Handler]:
        """Who serves what on the ports of a role.

        The merge port has no TLS: only nodes of ours come there. The internal one has, for operators who
        are far away, but plain stays possible on it for probes, and for when a certificate is of no use.
        """
        handlers: dict[WireProtocol, Handler] = {
            WireProtocol.RTMP: self._serve_merge if role == MERGE else self._serve_rtmp,
            WireProtocol.HTTP: self._serve_merge_http if role == MERGE else self._serve_http,
        }
        if self.tls is None or role == MERGE:
            return handlers
        if self.settings.tls.force_ssl and role == PUBLIC:
            handlers = {word: encrypted_only(word, handler, self.context) for word, handler in handlers.items()}
        return {WireProtocol.TLS: self.tls.serve, **handlers}

    def _make_http(self) -> HttpService:
        # They were imported by the thread that loads them.
        from edge.builtin.site import site_routes
        from edge.httpd.app import HttpService
        from edge.httpd.live import LivePlayer

        # The internal port shows the front's streams, as all but the merge port do.
        front, merge = self.units[0].service, self.units[-1].service
        services = {PUBLIC: front, INTERNAL: front, MERGE: merge}
        live = LivePlayer(self.settings.http, self.context, services)
        return HttpService(self.settings.http, [*site_routes(self.page_context), *live.routes()], self.context)

    def _http_is_ready(self) -> None:
        for listener in self.listeners:
            listener.release(WireProtocol.HTTP)
        self.on_loaded()

    def _serve_rtmp(self, accepted: Accepted) -> None:
        RtmpServerConnection(accepted, self.units[0].rtmp).read_some()

    def _serve_merge(self, accepted: Accepted) -> None:
        RtmpServerConnection(accepted, self.units[-1].rtmp).read_some()

    def _serve_http(self, accepted: Accepted) -> None:
        self.http.adopt(accepted)

    def _serve_merge_http(self, accepted: Accepted) -> None:
        """Other nodes must reach the merge port, so it is as public as can be: health and version, no other page."""
        self.http.adopt(accepted, hides_pages=True)

    # --- ticks ---------------------------------------------------------------

    def _on_tick(self) -> None:
        self._timer = self.loop.call_later(_TICK_MS / 1000, self._on_tick)
        now = now_ms()
        self._ticks += 1
        self.context.fanout.tick(now)
        is_full_second = self._ticks % 4 == 0
        for unit in self.units:
            unit.tick(now, is_full_second=is_full_second)
        if is_full_second and self.tls is not None:
            self.tls.check_files(now, wall_ms())
        if is_full_second and self.settings.net.server_idle_timeout > 0:
            self._close_idle(now)

    def _close_idle(self, now: int) -> None:
        limit_ms = self.settings.net.server_idle_timeout * 1000
        for connection in list(self.context.connections):
            active_ms = connection.last_active_ms()
            if active_ms is not None and now - active_ms > limit_ms:
                logger.info("%s closed reason=idle", connection)
                connection.close_gracefully("idle")

    # --- the end -------------------------------------------------------------

    async def close(self, *, wait_ms: int = 1500) -> None:
        """Stop listening, tell everyone, flush, and close."""
        self.is_draining = True
        for unit in self.units:
            unit.service.is_draining = True
        for listener in self.listeners:
            listener.close()
        if self.tls is not None:
            self.tls.close()
        if self._timer is not None:
            self._timer.cancel()
        self.lag.close()
        # Players first: the end of their streams would tell them of a publisher that has left.
        self._shut_down(are_feeding=False)
        for unit in self.units:
            await unit.close()
        self._shut_down(are_feeding=True)
        for _ in range(wait_ms // _CLOSE_POLL_MS):
            if len(self.context.connections) <= self.http.connection_count:
                break  # those of HTTP end last: they tell how it goes
            await asyncio.sleep(_CLOSE_POLL_MS / 1000)
        await self.http.close()
        for connection in list(self.context.connections):
            connection.close_now("shutdown")
        await self.tasks.close()
        self.context.close()

    def _shut_down(self, *, are_feeding: bool) -> None:
        for connection in list(self.context.connections):
            if connection.is_feeding is are_feeding:
                connection.shut_down(STOPPING)
