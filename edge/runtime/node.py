"""A node: one service with its listeners, its upstream and its pages, built from settings."""

from __future__ import annotations

import asyncio
import logging
import resource
import secrets
import socket

from edge.builtin.page import PageContext
from edge.builtin.site import site_routes
from edge.errors import ProtocolError
from edge.httpd.app import HttpService
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.net.aio import TaskOwner, now_ms, spawn, wall_ms
from edge.net.context import NetContext
from edge.net.detect import Protocol
from edge.net.ingest import IngestTicker
from edge.net.listener import ConnectionLimits, Handler, Listener, open_socket
from edge.net.rtmp_server import RtmpServerConnection
from edge.net.service import RtmpService
from edge.runtime.loop import LagProbe
from edge.runtime.pages import PageData
from edge.runtime.settings import Settings
from edge.upstream.manager import UpstreamManager

logger = logging.getLogger(__name__)

_TICK_MS = 250


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        logger.info("open files: soft limit raised from %d to the hard limit %d", soft, hard)
    return hard


class Node:
    """Everything that serves; made and closed inside its event loop."""

    def __init__(self, settings: Settings, loop: asyncio.AbstractEventLoop) -> None:
        self.settings = settings
        self.loop = loop
        self.started_ms = now_ms()
        self.tasks = TaskOwner("node")
        self.context = NetContext(loop, settings.net, settings.hub)
        self.lag = LagProbe(loop)
        self.listeners: list[Listener] = []
        self.is_draining = False
        self.registry = Registry(
            settings.hub,
            new_id=lambda: secrets.token_hex(8),
            wall_ms=wall_ms,
            metadata_name=settings.rtmp.user_defined_data_message,
        )
        is_edge = bool(settings.upstream.proxy_to)
        self.service = RtmpService(
            self.context,
            self.registry,
            hub=settings.hub,
            rtmp=settings.rtmp,
            service_id=secrets.token_hex(8),
            hostname=settings.hostname,
            is_edge=is_edge,
        )
        self.upstream = UpstreamManager(self.service, settings.upstream, settings.naming) if is_edge else None
        self.ingest = IngestTicker(self.context, self.service.publishers)
        limit = raise_descriptor_limit()
        self.limits = ConnectionLimits(self.context, self._connection_cap(limit))
        self.pages = PageData(self)
        self.page_context: PageContext = self.pages.context()
        self.http = HttpService(settings.http, site_routes(self.page_context), loop)
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0
        self.limits.other_count = lambda: self.http.connection_count

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
        wanted = [(host, port, False) for port in (net.port, *net.listen) for host in net.bind or ("",)]
        if net.internal_port >= 0:
            wanted += [(host, net.internal_port, True) for host in net.bind or ("",)]
        sockets: list[tuple[socket.socket, bool]] = []
        try:
            for host, port, is_internal in wanted:
                sockets.append((open_socket(host, port), is_internal))
        except Exception:
            for sock, _ in sockets:
                sock.close()
            raise
        await self.http.start()
        handlers: dict[Protocol, Handler] = {Protocol.RTMP: self._serve_rtmp, Protocol.HTTP: self._serve_http}
        for sock, is_internal in sockets:
            self.listeners.append(Listener(sock, self.context, handlers, is_internal=is_internal, limits=self.limits))
        if self.upstream is not None:
            own = {listener.port for listener in self.listeners}
            spawn(self.upstream.start(own), name="upstream", owner=self.tasks)
        self.lag.start()
        self._timer = self.loop.call_later(_TICK_MS / 1000, self._on_tick)

    def _serve_rtmp(self, sock: socket.socket, is_internal: bool) -> None:
        RtmpServerConnection(sock, self.service).read_some()

    def _serve_http(self, sock: socket.socket, is_internal: bool) -> None:
        spawn(self.http.adopt(sock, is_internal=is_internal), name="adopt", owner=self.tasks)

    # --- ticks ---------------------------------------------------------------

    def _on_tick(self) -> None:
        self._timer = self.loop.call_later(_TICK_MS / 1000, self._on_tick)
        now = now_ms()
        self._ticks += 1
        self.context.fanout.tick(now)
        self.ingest.tick()
        self._check_publishers(now)
        if self._ticks % 4 == 0:
            self.registry.tick(now)
            if self.upstream is not None:
                self.upstream.tick(now)
            if self.settings.net.server_idle_timeout > 0:
                self._close_idle(now)

    def _check_publishers(self, now: int) -> None:
        hub, cap = self.settings.hub, self.settings.net.max_publish_kbps
        for connection in list(self.service.publishers):
            for publisher, _ in list((connection.feeds or {}).values()):
                last = publisher.last_media_ms or publisher.since_ms
                limit = hub.publish_normal_timeout_ms if publisher.last_media_ms else hub.publish_firstpkt_timeout_ms
                if limit and now - last > limit and not connection.is_publish_kept_alive(now, limit):
                    error = ProtocolError(f"no media for {now - last} ms", reason="publish_timeout", is_quiet=True)
                    self.context.report(error, str(connection))
                    connection.end_publish(publisher, "NetStream.Publish.Idle", "Idle: no media", "publish_timeout")
            if cap and connection.is_over_rate(now, cap):
                for publisher, _ in list((connection.feeds or {}).values()):
                    connection.end_publish(
                        publisher, "NetStream.Publish.BadName", f"rate_limit: more than {cap} kbit/s", "rate_limit"
                    )

    def _close_idle(self, now: int) -> None:
        limit_ms = self.settings.net.server_idle_timeout * 1000
        for connection in list(self.context.connections):
            if isinstance(connection, RtmpServerConnection) and now - connection.last_active_ms() > limit_ms:
                logger.info("%s closed reason=idle", connection)
                connection.close_gracefully("idle")

    # --- the end -------------------------------------------------------------

    async def close(self, *, wait_ms: int = 1500) -> None:
        """Stop listening, tell everyone, flush, and close."""
        self.is_draining = self.service.is_draining = True
        for listener in self.listeners:
            listener.close()
        if self._timer is not None:
            self._timer.cancel()
        self.lag.close()
        if self.upstream is not None:
            await self.upstream.close()
        for stream in list(self.registry.streams.values()):
            self.registry.end_stream(stream, "Shutdown: server is stopping")
        for connection in list(self.context.connections):
            if isinstance(connection, RtmpServerConnection):
                connection.shut_down()
        deadline = now_ms() + wait_ms
        while self.context.connections and now_ms() < deadline:
            await asyncio.sleep(0.01)
        for connection in list(self.context.connections):
            connection.close_now("shutdown")
        await self.http.close()
        await self.tasks.close()
        self.ingest.close()
        self.context.close()

    def state_of(self, stream: Stream) -> str:
        """``live``, ``waiting`` (no publisher yet) or ``grace`` (it may come back)."""
        if stream.grace_until_ms:
            return "grace"
        if self.upstream is not None and stream.pull is not None:
            return self.upstream.state_of(stream)
        return "live" if stream.publisher is not None else "waiting"
