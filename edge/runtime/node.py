"""A node: its services with their listeners and pages, built from settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from edge.errors import HandoverError
from edge.facts.orders import Drain, Outcome, Result
from edge.handover.keys import SocketKey
from edge.hls.config import HlsConfig
from edge.net.accepted import Accepted, Handler
from edge.net.address import local_address
from edge.net.aio import RUN_CLOCK, TaskOwner, now_ms, spawn, wall_ms
from edge.net.byte_stream import ListeningSocket
from edge.net.context import NetContext
from edge.net.limits import ConnectionLimits
from edge.net.listener import Listener, open_socket
from edge.net.plain_refused import encrypted_only
from edge.net.rtmp.server import RtmpServerConnection
from edge.net.sniff import WireProtocol
from edge.net.tls_entrance import TlsEntrance, open_certificates
from edge.runtime.access import Access
from edge.runtime.activation import take_roles
from edge.runtime.descriptors import connection_cap, raise_descriptor_limit
from edge.runtime.hls_files import new_disk_hls
from edge.runtime.hooks import Hooks
from edge.runtime.late_grpc import LateGrpc, is_public
from edge.runtime.late_http import LateHttp
from edge.runtime.loop import ClockWatch, LagProbe
from edge.runtime.measure import load_ratio
from edge.runtime.overload import Overload
from edge.runtime.ports import INTERNAL, MERGE, PUBLIC, wanted_sockets
from edge.runtime.rules import check_upstreams, new_rulebook
from edge.runtime.settings import Settings
from edge.runtime.stat_log import StatLog
from edge.runtime.unit import STOPPING, make_units, new_source
from edge.runtime.viewers import Viewers

if TYPE_CHECKING:
    from edge.httpd.app import HttpService, Owned
    from edge.httpd.hls import HlsPlayer
    from edge.httpd.live import LivePlayer
    from edge.httpd.routes import Route
    from edge.httpd.steer import Steering
    from edge.hub.key import StreamKey
    from edge.runtime.elsewhere import Elsewhere
    from edge.runtime.gathered import Counting
    from edge.runtime.otlp import SpanExport
    from edge.service.service import Service

logger = logging.getLogger(__name__)

_TICK_MS = 250
_CLOSE_POLL_MS = 10
# What was read last reaches even those who are written to in turns; who takes less is not waited for.
_LAST_FLUSH_MS = 500
# Asked to go elsewhere in groups, so that others are not stormed.
_ASKED_AT_ONCE = 200
_ASK_PAUSE_S = 0.05


async def _cannot_upgrade() -> str:
    raise HandoverError("nobody can start a new process")


class Node:
    """Everything that serves; made and closed inside its event loop.

    Attributes:
        on_loaded: called in the loop when HTTP is served as well.
        on_failed: called in the loop when HTTP, which was to be loaded from the start, cannot be.
        on_drain: begins to see everybody off; whoever runs the process sets it.
        on_handed_over: called in the loop when another process has all that can move.
        upgrade: hands all over to a new process; see ``edge.runtime.upgrade``.
        rulebook: which vhosts there are, and the settings of each stream.
        page_routes: makes the routes of the pages, when HTTP is loaded.
        owned_by_pages: what these work with, and what ends with HTTP; filled by then.
        sockets: those that listen, by what each was asked for.
        tls: None while no port takes it.
        hooks: calls servers of the operator, where flags or vhosts name any.
        viewers: what players report.
        hls_disk: writes HLS as files; None where that is off.
        hls: serves HLS; None before HTTP is loaded, and where it is off.
        access: says who may publish and play.
        overload: refuses newcomers while there is too much to do.
        steering: sends viewers of HLS to other nodes; None before HTTP is loaded, and where it is off.
        otlp: sends spans to a collector; None where that is off.
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
        self.context.spans.configure(settings.debug)
        self.lag = LagProbe(loop, warn_ms=settings.net.loop_stall_warn_ms)
        self._clock = ClockWatch(now_ms(), wall_ms())
        self.listeners: list[Listener] = []
        self.sockets: list[tuple[ListeningSocket, SocketKey]] = []
        self.is_draining = False
        self.rulebook = new_rulebook(settings)
        check_upstreams(self.rulebook, settings, lambda each, config: new_source(each, self.context, config))
        self.units = make_units(settings, self.context, self.rulebook)
        self.access = Access(settings, self.context, self.units, self.rulebook, self.tasks)
        self.hooks = Hooks(self.units, settings, self.rulebook, self.access.gates)
        self.viewers = Viewers(settings.quality)
        self.overload = Overload(settings.overload, self.units, self.lag, is_loading=self._is_loading)
        self.stat_log = StatLog(self.units, settings, self.started_ms)
        self.hls_disk = new_disk_hls(self.rulebook, self.units, loop, self.hooks.on_listed)
        self.hls: HlsPlayer | None = None
        self._live: LivePlayer | None = None
        self.steering: Steering | None = None
        self.otlp = self._make_otlp()
        self._elsewhere = self._make_elsewhere()
        self._descriptor_limit = raise_descriptor_limit()
        self.limits = ConnectionLimits(self.context, connection_cap(self._descriptor_limit, settings.net))
        self.tls: TlsEntrance | None = None
        if certificates is not None:
            self.tls = TlsEntrance(self.context, self.limits.undecided, tls, certificates)
        self.page_routes: Callable[[], Sequence[Route]] = tuple
        self.owned_by_pages: list[Owned] = []
        self.on_loaded: Callable[[], object] = lambda: None
        self.on_failed: Callable[[], object] = lambda: None
        self.on_drain: Callable[[Drain], Outcome] = lambda _: Outcome(Result.REFUSED, "Nobody runs this node.")
        self.upgrade: Callable[[], Awaitable[str]] = _cannot_upgrade
        self.on_handed_over: Callable[[], object] = lambda: None
        self.http = LateHttp(
            self._make_http,
            self.context,
            owner=self.tasks,
            on_ready=self._http_is_ready,
            on_failed=self._http_has_failed,
        )
        self.grpc = LateGrpc(settings.grpc, self.context, owner=self.tasks, on_ready=self._grpc_is_ready)
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = self._skipped_ms = 0
        self._is_upstream_started = False

    @property
    def counting(self) -> list[Counting]:
        """Parts that count for themselves."""
        parts = (
            self.overload,
            self.access,
            self.hls_disk,
            self.hls,
            self.otlp,
            self.viewers,
            self.steering,
            self.hooks,
        )
        return [part for part in parts if part is not None]

    def _make_otlp(self) -> SpanExport | None:
        settings = self.settings
        if not settings.otlp.otlp_endpoint:
            return None
        from edge.runtime.otlp import open_export  # its libraries are an extra

        export = open_export(
            settings.otlp.otlp_endpoint,
            settings.otlp.otlp_service_name,
            version=settings.version,
            hostname=settings.hostname,
            instance_id=self.units[0].service.service_id,
        )
        self.context.spans.sink = export.take
        return export

    def _make_elsewhere(self) -> Elsewhere | None:
        if not self.settings.process.rtmp_siblings:
            return None
        from edge.runtime.elsewhere import Elsewhere  # most nodes do without

        return Elsewhere(self.settings.process.rtmp_siblings, self.settings.naming)

    def open_sockets(
        self,
        inherited: dict[SocketKey, ListeningSocket] | None = None,
        passed: Sequence[tuple[ListeningSocket, str]] = (),
    ) -> None:
        """Listen, at first without accepting; what is not wanted of the inherited ones is closed.

        ``passed``: sockets that listen already, with their names, which take the place of those that would be opened.

        Raises:
            ConfigError: an address cannot be listened on; nothing is left open.
        """
        known = inherited or {}
        try:
            self.sockets, wanted = take_roles(passed, wanted_sockets(self.settings))
            given = [key for key in known if key.is_given]
            self.sockets += [(known.pop(key), key) for key in given]
            roles = {key.role for key in given}
            for key in (key for key in wanted if key.role not in roles):
                sock = known.pop(key) if key in known else open_socket(key.host, key.port)
                self.sockets.append((sock, key))
        except Exception:
            for sock in (*known.values(), *(sock for sock, _ in self.sockets or passed)):
                sock.close()
            self.sockets.clear()
            raise
        for sock in known.values():
            sock.close()

    async def get_ready(self, within_ms: int) -> None:
        """Do what takes time before another process hands its connections over: servers of upstreams, HTTP."""
        self.http.start()
        self._start_upstream()
        for _ in range(within_ms // _CLOSE_POLL_MS):
            has_http = self.http.service is not None or self.http.has_failed
            if has_http and all(unit.upstream is None or unit.upstream.has_answer for unit in self.units):
                return
            await asyncio.sleep(_CLOSE_POLL_MS / 1000)

    def _start_upstream(self) -> None:
        if self._is_upstream_started:
            return
        self._is_upstream_started = True
        for unit in self.units:
            if unit.upstream is not None:
                spawn(unit.upstream.start(), name="upstream", owner=self.tasks)

    def key_of(self, listener: object) -> SocketKey | None:
        """What a listener was asked for, at the start or since then; None for what is no listener of ours."""
        found = next((each for each in self.listeners if each is listener), None)
        if found is None:
            return None
        host = str(local_address(found.sock).host) if self.settings.net.bind else ""
        since = SocketKey(host, found.port, found.role)
        return next((key for sock, key in self.sockets if sock is found.sock), since)

    def listener_of(self, key: SocketKey) -> Listener | None:
        """The listener of what was asked for, if there is one."""
        return next((each for each in self.listeners if self.key_of(each) == key), None)

    async def start(self, passed: Sequence[tuple[ListeningSocket, str]] = ()) -> None:
        """Accept, and listen before that if that has not been done; arguments and errors are ``open_sockets``'s."""
        if not self.sockets:
            self.open_sockets(passed=passed)
        for sock, key in self.sockets:
            self.listen_on(sock, key.role)
        if self.tls is not None:
            self.tls.certificates.warn_of_dates(wall_ms())
        self._start_upstream()
        if self.hls_disk is not None:
            self.hls_disk.start()
        if self._elsewhere is not None:
            self._elsewhere.start(self.tasks)
        self.access.start()
        self.hooks.start()
        self.lag.start()
        RUN_CLOCK.watch(True)
        self._skipped_ms = RUN_CLOCK.skipped_ms
        self._timer = self.loop.call_later(_TICK_MS / 1000, self._on_tick)
        if self.settings.http.http_preload:
            self.http.start()

    def listen_on(self, sock: ListeningSocket, role: str) -> None:
        """Serve what comes to ``sock`` as it is served on the ports of a role."""
        self.listeners.append(
            Listener(
                sock,
                self.context,
                self._handlers(role),
                is_internal=role == INTERNAL,
                limits=self.limits,
                role=role,
                expects_header=role == PUBLIC,
                held=self._not_loaded(),
                on_held=self._load,
                floods=self.access.floods(sock) if role == PUBLIC else None,
            )
        )

    def _is_loading(self) -> bool:
        return self.http.is_loading or self.grpc.is_loading

    def _not_loaded(self) -> list[WireProtocol]:
        """Protocols whose connections are to wait until they are."""
        parts = ((WireProtocol.HTTP, self.http), (WireProtocol.HTTP2, self.grpc))
        return [protocol for protocol, part in parts if part.service is None and not part.has_failed]

    def _handlers(self, role: str) -> dict[WireProtocol, Handler]:
        """Who serves what on the ports of a role.

        The merge port has no TLS: only nodes of ours come there. The internal one has, for operators who
        are far away, but plain stays possible on it for probes, and for when a certificate is of no use.
        """
        handlers: dict[WireProtocol, Handler] = {
            WireProtocol.RTMP: self._serve_merge if role == MERGE else self.access.shutting(self._serve_rtmp),
            WireProtocol.HTTP: self._serve_merge_http if role == MERGE else self._serve_http,
            WireProtocol.HTTP2: self._serve_grpc,
        }
        if self.tls is None or role == MERGE:
            return handlers
        if self.settings.tls.force_ssl and role == PUBLIC:
            handlers = {word: encrypted_only(word, handler, self.context) for word, handler in handlers.items()}
        return {WireProtocol.TLS: self.tls.serve, **handlers}

    def _make_http(self) -> HttpService:
        # They were imported by the thread that loads them.
        from edge.httpd.app import HttpService
        from edge.httpd.cmcd import Receiver
        from edge.httpd.fixed import fixed_routes
        from edge.httpd.hls import HlsPlayer
        from edge.httpd.hls_permits import HlsGuard
        from edge.httpd.live import LivePlayer

        # The internal port shows the front's streams, as all but the merge port do.
        front, merge = self.units[0].service, self.units[-1].service
        services = {PUBLIC: front, INTERNAL: front, MERGE: merge}
        live = self._live = LivePlayer(self.settings.http, self.context, services)
        owned: list[Owned] = []
        settings = self.settings
        receiver = Receiver(settings.quality, self.context, services, self.viewers.audience)
        if self.rulebook.has_vhosts or self.rulebook.root.of(HlsConfig).hls:
            steering = self._make_steering(services)
            hls = HlsPlayer(
                self.settings.hls,
                self.settings.http,
                self.context,
                services,
                live,
                receiver,
                max_segment_bytes=self.settings.hub.hls_max_segment_bytes,
                steering=steering,
                guard=HlsGuard(
                    self._guards_play, self.access.permit_secret, self.access.is_cdn, self.access.asks_players
                ),
            )
            owned.append(hls)
            self.hls = hls
            outputs = hls.routes()
            if steering is not None:
                owned.append(steering)
                outputs += steering.routes()
        else:
            outputs = live.routes()
        routes = [*self.page_routes(), *outputs, *receiver.routes()]
        routes += fixed_routes(self.settings.http.cdn_probe_file, {route.path for route in routes})
        return HttpService(self.settings.http, routes, self.context, owned=[*owned, *self.owned_by_pages])

    def _guards_play(self, service: Service, key: StreamKey) -> bool:
        return self.access.guards_play(service, key) or self.hooks.guards_play(service, key)

    def _load(self, protocol: WireProtocol) -> None:
        """Somebody waits for what is not loaded."""
        if protocol is WireProtocol.HTTP2:
            self.grpc.start()
        else:
            self.http.start()

    def _grpc_is_ready(self) -> None:
        for listener in self.listeners:
            listener.release(WireProtocol.HTTP2)

    def _make_steering(self, services: dict[str, Service]) -> Steering | None:
        if not self.settings.quality.hls_siblings:
            return None
        from edge.httpd.hls_delivery import DeliveryWatch  # most nodes do without
        from edge.httpd.siblings import Siblings
        from edge.httpd.steer import Steering

        deliveries = DeliveryWatch(self.settings.quality)
        siblings = Siblings(
            self.settings.quality,
            self.settings.naming,
            own_ids=frozenset(unit.service.service_id for unit in self.units),
            load=self.load_ratio,
            late_share=lambda: deliveries.share,
            is_draining=lambda: self.is_draining,
        )
        self.steering = Steering(self.settings.quality, services, siblings, self.viewers.audience, deliveries)
        return self.steering

    def load_ratio(self) -> float:
        """How much of what this process can do is in use: ``edge.runtime.measure.load_ratio``."""
        return load_ratio(
            busy_share=self.lag.busy_share,
            connection_share=self.limits.open_count / self.limits.max_connections,
            mean_lag_ms=self.lag.mean_lag_ms,
            memory_share=self.overload.guard.memory_share,
        )

    def _http_is_ready(self) -> None:
        if self.http.service is not None:
            self.http.service.is_draining = self.units[0].service.lets_nobody_in
        self._release_http()
        self.on_loaded()

    def _http_has_failed(self) -> None:
        self._release_http()
        # Media that are served already go on; a start that was to bring it is of no use without.
        if self.settings.http.http_preload:
            self.on_failed()

    def _release_http(self) -> None:
        for listener in self.listeners:
            listener.release(WireProtocol.HTTP)

    def _serve_rtmp(self, accepted: Accepted) -> None:
        RtmpServerConnection(accepted, self.units[0].rtmp).read_some()

    def _serve_merge(self, accepted: Accepted) -> None:
        RtmpServerConnection(accepted, self.units[-1].rtmp).read_some()

    def _serve_http(self, accepted: Accepted) -> None:
        self.http.adopt(accepted)

    def _serve_merge_http(self, accepted: Accepted) -> None:
        """Other nodes must reach the merge port, so it is as public as can be: health and version, no other page."""
        self.http.adopt(accepted, hides_pages=True)

    def _serve_grpc(self, accepted: Accepted) -> None:
        is_hidden = is_public(accepted, is_internal_port_set=self.settings.http.is_internal_port_set)
        is_merge = accepted.entrance.role == MERGE
        self.grpc.adopt(accepted, self.settings.http2, is_public=is_merge or is_hidden)

    # --- other settings ------------------------------------------------------

    def take_settings(self, settings: Settings) -> None:
        """For those who read them each time."""
        self.settings = settings

    def reconfigure_network(self, settings: Settings) -> None:
        """Limits and times of sockets, connections and TLS."""
        self.context.reconfigure(settings.net)
        for listener in self.listeners:
            listener.reconfigure()
        self.limits.max_connections = connection_cap(self._descriptor_limit, settings.net)
        self.lag.warn_ms = settings.net.loop_stall_warn_ms
        if self.tls is not None:
            self.tls.reconfigure(settings.tls)

    def reconfigure_http(self, settings: Settings) -> None:
        """HTTP, if it is loaded; later it begins with the settings of that time."""
        if self.http.service is not None:
            self.http.service.reconfigure(settings.http)
        if self._live is not None:
            self._live.reconfigure(settings.http)
        if self.hls is not None:
            self.hls.reconfigure(settings.hls, settings.http)
        if self.steering is not None:
            self.steering.reconfigure(settings.naming)

    def reconfigure_grpc(self, settings: Settings) -> None:
        """Control by gRPC, of connections that come from now on."""
        self.grpc.reconfigure(settings.grpc)

    def read_files_again(self) -> None:
        """Certificates, keys and users; what cannot be used stays as it is."""
        self.access.read_again()
        self.hooks.read_again()
        if self.tls is not None:
            result = self.tls.reload()
            logger.info("certificates read again taken=%d refused=%d", len(result.taken), len(result.refused))

    def count_refused_reload(self) -> None:
        """The flags stay as they are."""
        self.context.counters["error_reload_failed_count"] += 1

    # --- ticks ---------------------------------------------------------------

    def _on_tick(self) -> None:
        self._timer = self.loop.call_later(_TICK_MS / 1000, self._on_tick)
        now = now_ms()
        before, self._skipped_ms = self._skipped_ms, RUN_CLOCK.skipped_ms
        if self._skipped_ms > before:
            # No limit of time has gone on; and what peers sent meanwhile is read before they are judged.
            logger.warning("the process stood still for_ms=%d", self._skipped_ms - before)
            return
        self._ticks += 1
        self.overload.tick(now)
        self.context.fanout.tick(now)
        is_full_second = self._ticks % 4 == 0
        for unit in self.units:
            unit.tick(now, is_full_second=is_full_second)
        self.stat_log.tick(now)
        if is_full_second:
            self._clock.look(now_ms(), wall_ms())
            self.viewers.tick(now, self.units)
            self.hooks.tick(now)
        if is_full_second and self.tls is not None:
            self.tls.check_files(now, wall_ms())
        if is_full_second and self.settings.net.server_idle_timeout > 0:
            self._close_idle(now)

    def _close_idle(self, now: int) -> None:
        limit_ms = self.settings.net.server_idle_timeout * 1000
        for connection in list(self.context.connections):
            active_ms = connection.last_active_ms()
            if active_ms is not None and now - active_ms > limit_ms:
                if self.settings.net.log_idle_connection_close:
                    self.context.counters.log_limited(logging.INFO, "idle", "%s closed reason=idle", connection)
                connection.close_gracefully("idle")

    # --- the end -------------------------------------------------------------

    @property
    def served_count(self) -> int:
        """Plays and publishes of all services."""
        return sum(unit.served_count for unit in self.units)

    def close_to_newcomers(self) -> None:
        """Close all ports but the internal one, which tells how it goes; those who are here are served on."""
        for unit in self.units:
            unit.close_to_newcomers()
        if self.http.service is not None:
            self.http.service.is_draining = True
        for listener in self.listeners:
            if not listener.is_internal:
                listener.stop()

    def look_elsewhere(self) -> None:
        """It will be stopped: find out to which other nodes clients can go."""
        if self._elsewhere is not None:
            self._elsewhere.look(self.tasks)

    async def ask_to_reconnect(self, *, is_elsewhere: bool = True) -> None:
        """Ask those who can to connect anew, some at a time; to a node that is ready, or where another process is."""
        bases = await self._elsewhere.ready() if is_elsewhere and self._elsewhere is not None else []
        for number, connection in enumerate(list(self.context.connections), 1):
            connection.ask_to_reconnect(bases[number % len(bases)] if bases else "")
            if number % _ASKED_AT_ONCE == 0:
                await asyncio.sleep(_ASK_PAUSE_S)

    async def close(self, *, wait_ms: int = 1500, is_handed_over: bool = False) -> None:
        """Stop listening, send what has come, tell everyone, flush, and close; takes ``wait_ms``, or a little more.

        ``is_handed_over``: another process goes on with the streams, so their ends are told to nobody but
        the clients that are left; upstreams wait for that process as after a loss.
        """
        until_ms = now_ms() + wait_ms
        self.is_draining = True
        for unit in self.units:
            unit.service.is_draining = True
        for listener in self.listeners:
            listener.close()
        if self.tls is not None:
            self.tls.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            RUN_CLOCK.watch(False)
        self.lag.close()
        if is_handed_over:
            for unit in self.units:
                unit.abandon_upstream()
            if self.hls_disk is not None:
                await self.hls_disk.leave()
        else:
            await self._send_last_frames()
        self.context.rest_until_ms = until_ms
        # Players first: the end of their streams would tell them of a publisher that has left.
        self._shut_down(are_feeding=False)
        pushing = [unit for unit in self.units if unit.upstream is not None and unit.upstream.pushes]
        if pushing:  # the end of what is published here goes up behind its last frame
            self._shut_down(are_feeding=True)
            await asyncio.gather(*(unit.finish(until_ms - now_ms()) for unit in pushing))
        for unit in self.units:
            await unit.close()
        if self.hls_disk is not None:
            await self.hls_disk.close()
        self._shut_down(are_feeding=True)
        for _ in range(max(until_ms - now_ms(), 0) // _CLOSE_POLL_MS):
            if len(self.context.connections) <= self.http.connection_count + self.grpc.connection_count:
                break  # those of HTTP and gRPC end last: they tell how it goes
            await asyncio.sleep(_CLOSE_POLL_MS / 1000)
        await self.http.close()
        await self.grpc.close()
        for connection in list(self.context.connections):
            connection.close_now("shutdown")
        await self.access.close()
        await self.hooks.close()
        await self.tasks.close()
        self.context.close()
        if self.otlp is not None:
            await self.otlp.close()

    async def _send_last_frames(self) -> None:
        """Read what publishers and upstreams have sent so far, and give those who take it time to get it."""
        for connection in list(self.context.connections):
            connection.take_last()
        for _ in range(_LAST_FLUSH_MS // _CLOSE_POLL_MS):
            if not any(each.has_more_to_send for each in self.context.connections):
                break
            await asyncio.sleep(_CLOSE_POLL_MS / 1000)

    def _shut_down(self, *, are_feeding: bool) -> None:
        for connection in list(self.context.connections):
            if connection.is_feeding is are_feeding:
                connection.shut_down(STOPPING)
