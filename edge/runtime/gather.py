"""What one process tells of itself: records, filled when somebody asks."""

from __future__ import annotations

import asyncio
import logging
import platform
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from edge.facts.metrics import Sample
from edge.facts.records import (
    AddressFacts,
    AudienceFacts,
    ConnectionFacts,
    DetailFacts,
    FindingFacts,
    HealthFacts,
    PlayerFacts,
    ProcessFacts,
    QualityFacts,
    ReadinessFacts,
    ReloadFacts,
    SampleFacts,
    ServerFacts,
    ServiceFacts,
    SourceFacts,
    StreamFacts,
    TotalFacts,
    TrafficTables,
    VhostFacts,
)
from edge.facts.variables import Value
from edge.flags.gflags import Parsed
from edge.hub.key import PUBLISH_REALM
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, VIDEO
from edge.media.metadata import number_field
from edge.net.aio import TaskOwner, now_ms, wall_ms
from edge.net.listed import Listed
from edge.net.slices import in_slices
from edge.runtime.gathered import Gathered
from edge.runtime.history import History
from edge.runtime.logs import dropped_count
from edge.runtime.loop import process_cpu_ms
from edge.runtime.measure import (
    build_sample,
    connection_samples,
    counter_samples,
    histogram_samples,
    process_samples,
    upstream_samples,
)
from edge.runtime.older_rules import older_rules
from edge.runtime.players import details_of, players_of
from edge.runtime.process_figures import age_s, process_figures
from edge.runtime.traffic_watch import TrafficWatch
from edge.runtime.unit import ServiceUnit
from edge.runtime.variables import Variables
from edge.runtime.vhost_facts import finding_facts, vhost_facts
from naming.url import without_secrets

if TYPE_CHECKING:
    from edge.upstream.target import Target

logger = logging.getLogger(__name__)

_LAG_LIMIT_MS = 1000
_SAMPLED_EVERY_S = 1.0
# A list:// of many servers must not push the other columns out of sight; its beginning tells which one it is.
_MAX_TARGET_CHARS = 48
# Of the streams that run over a server; a page of more names helps nobody.
_MAX_SERVER_STREAMS = 20


class Gatherer:
    """Facts of one process (see ``edge.facts.facts.Facts``)."""

    def __init__(
        self,
        node: Gathered,
        *,
        reloads: Callable[[], list[ReloadFacts]] = list,
        in_force: Callable[[], Parsed | None] = lambda: None,
    ) -> None:
        """``reloads`` returns what was changed lately, the newest first; ``in_force`` the flags of now."""
        self._node = node
        self._reloads = reloads
        self._in_force = in_force
        self._started_s = wall_ms() / 1000 - age_s()
        self._variables = Variables(node, self)
        self._traffic = TrafficWatch()
        self.looks = History(self, node.lag)

    # --- the process ---------------------------------------------------------

    async def process(self) -> ProcessFacts:
        """The process as a whole."""
        return ProcessFacts(
            version=self._node.settings.version,
            addresses=self.addresses(),
            health=self.health(),
            readiness=self.readiness(),
        )

    def health(self) -> HealthFacts:
        """Of the process alone."""
        node = self._node
        return HealthFacts(
            is_ok=node.lag.lag_ms < _LAG_LIMIT_MS,
            is_draining=node.is_draining,
            loop_lag_ms=node.lag.lag_ms,
            uptime_s=(now_ms() - node.started_ms) // 1000,
            python=platform.python_version(),
            overload=node.overload.state,
        )

    def readiness(self) -> ReadinessFacts:
        """Whether traffic may come, and else why not."""
        node = self._node
        reasons = []
        if not node.listeners:
            reasons.append("not listening yet")
        if node.is_draining:
            reasons.append("draining")
        if any(unit.upstream is not None and not unit.upstream.has_answer for unit in node.units):
            reasons.append("no first answer of the naming service yet")
        return ReadinessFacts(is_ready=not reasons, reasons=tuple(reasons))

    def addresses(self) -> AddressFacts:
        """Where to publish to and play from."""
        node = self._node
        public = next((listener for listener in node.listeners if listener.role == "public"), None)
        port = public.port if public is not None else node.settings.net.port
        return AddressFacts(
            host=node.settings.hostname,
            rtmp_port=port,
            http_port=port,
            has_flv=node.settings.http.http_flv,
            has_ts=node.settings.http.http_ts,
            has_hls=node.settings.hls.hls,
            has_low_latency=node.settings.hls.hls and node.settings.hls.hls_low_latency,
            has_tls=node.tls is not None,
            is_tls_forced=node.tls is not None and node.settings.tls.force_ssl,
            internal_port=next((listener.port for listener in node.listeners if listener.is_internal), port),
            role=_role(node.units[0]),
            proxy_to=without_secrets(node.settings.upstream.proxy_to),
            siblings=node.steering.siblings if node.steering is not None else (),
        )

    async def counters(self) -> dict[str, int | float]:
        """Every counter of the process."""
        node = self._node
        context, fanout = node.context, node.context.fanout
        rows: dict[str, int | float] = dict(sorted(context.counters.items()))
        rows.update(sorted(node.http.counters.items()))
        rows["error_internal_count"] = (
            context.internal_error_count
            + TaskOwner.failed_count
            + int(node.http.counters.get("error_internal_count", 0))
            + node.grpc.failed_count
        )
        rows.update(
            {
                "connection_count": node.limits.open_count,
                "max_connections": node.limits.max_connections,
                "accept_paused": int(any(listener.accept_paused for listener in node.listeners)),
                "stream_count": sum(len(unit.registry.streams) for unit in node.units),
                "publisher_count": sum(len(unit.rtmp.ingest.publishers) for unit in node.units),
                "player_count": sum(
                    stream.player_count for unit in node.units for stream in unit.registry.streams.values()
                ),
                "shared_log_player_count": fanout.player_count,
                "player_jump_count": fanout.jump_count,
                "player_dropped_count": fanout.dropped_count,
                "player_send_count": fanout.send_count,
                "flush_interval_ms": fanout.interval_ms,
                "flush_call_us": round(fanout.call_us, 2),
                "loop_lag_ms": node.lag.lag_ms,
                "loop_lag_max_ms": node.lag.max_ms,
                "loop_turn_cpu_max_ms": node.lag.turn_cpu_max_ms,
                "task_count": len(node.tasks),
                "log_dropped_count": dropped_count(),
                "load_ratio": round(node.load_ratio(), 3),
            }
        )
        for part in node.counting:
            rows.update(part.counters())
        if node.tls is not None:
            rows.update(node.tls.counters(wall_ms()))
        for unit in node.units:
            if unit.upstream is not None:
                for name, value in unit.upstream.counters().items():
                    rows[name] = rows.get(name, 0) + value
        return rows

    async def samples(self) -> list[Sample]:
        """Everything that is measured, with its labels."""
        context, settings = self._node.context, self._node.settings
        return [
            *counter_samples(await self.counters()),
            *await connection_samples(context.connections, context.traffic),
            *upstream_samples(await self.servers()),
            *self._node.hooks.samples(),
            *self._histogram_samples(),
            *self._refusals(),
            *process_samples(process_figures(), started_s=self._started_s),
            build_sample(settings.version, _role(self._node.units[0])),
        ]

    async def variables(self) -> dict[str, Value]:
        """As ``samples``, and what brpc shows besides, by name."""
        return await self._variables.collect()

    async def history(self, name: str) -> list[float] | None:
        """How a variable was; None of one that is not recorded."""
        series = self._variables.history.find(name)
        return series.values() if series is not None else None

    async def watch(self) -> None:
        """Sample variables once a second, and connections while somebody looks at them, until cancelled."""
        while True:
            try:
                await self._variables.sample()
                await self._traffic.sample(self._node.context.connections)
            except Exception:  # figures that fail once are no reason to have none from then on
                TaskOwner.failed_count += 1
                logger.exception("internal error: figures were not sampled")
            await asyncio.sleep(_SAMPLED_EVERY_S)

    def _refusals(self) -> list[Sample]:
        counts = sum((unit.service.admission.refused for unit in self._node.units), Counter[tuple[str, str]]())
        return [Sample("refused_by_rules", count, labels) for labels, count in counts.items()]

    def _histogram_samples(self) -> list[Sample]:
        units = self._node.units
        return histogram_samples(
            self._node.context.first_frame,
            [unit.upstream.connect_ms for unit in units if unit.upstream is not None],
            [unit.registry.delay for unit in units],
            self._node.viewers.start,
            self._node.hooks.took,
        )

    # --- what it serves ------------------------------------------------------

    async def streams(self) -> list[StreamFacts]:
        """One per stream, by key."""
        found = [(unit, stream) for unit in self._node.units for _, stream in sorted(unit.registry.streams.items())]
        quality = self._node.viewers.look()
        return [_stream_facts(unit, stream, quality(unit.name, stream.key)) async for unit, stream in in_slices(found)]

    async def services(self) -> list[ServiceFacts]:
        """One per service: its id, which refusals of loops name, and where its streams come from and go to."""
        return self.service_facts()

    def service_facts(self) -> list[ServiceFacts]:
        """As ``services``, at once."""
        return [
            ServiceFacts(
                service=self._service_of(unit.name),
                role=_role(unit),
                id=unit.service.service_id,
                pulls_from=_shown(unit.upstream.aims.pull) if unit.upstream is not None else "",
                pushes_to=_shown(unit.upstream.aims.push) if unit.upstream is not None else "",
                stream_count=len(unit.registry.streams),
                player_count=sum(stream.player_count for stream in unit.registry.streams.values()),
            )
            for unit in self._node.units
        ]

    def _service_of(self, name: str) -> str | None:
        """What tells the rows of two services apart; nothing where there is one."""
        return name if len(self._node.units) > 1 else None

    # --- upstreams -----------------------------------------------------------

    async def sources(self) -> list[SourceFacts]:
        """One per target of a service: how the source of its servers is doing."""
        return [
            SourceFacts(service=service, use=use, target=_shortened(target.address.shown), **target.naming())
            for service, use, target in self._targets()
        ]

    async def servers(self) -> list[ServerFacts]:
        """One per upstream server and what it is there for."""
        now, carried = now_ms(), self._carried_by_server()
        return [
            ServerFacts(
                service=service,
                use=use,
                target=target.address.shown,
                streams=tuple(carried[id(target), row["endpoint"]]),
                **row,
            )
            for service, use, target in self._targets()
            for row in target.snapshot(now)["servers"]
        ]

    def _carried_by_server(self) -> defaultdict[tuple[int, str], list[str]]:
        """The first streams that run over each server of each target."""
        found: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
        for unit in self._node.units:
            if unit.upstream is None:
                continue
            for link in (*unit.upstream.pulls.values(), *unit.upstream.pushes.values()):
                if link.server is not None:
                    keys = found[id(link.target), link.server.endpoint]
                    if len(keys) < _MAX_SERVER_STREAMS:
                        keys.append(str(link.key))
        return found

    def _targets(self) -> Iterator[tuple[str | None, str, Target]]:
        """The targets with the columns that say whose each is and what it is there for."""
        for unit in self._node.units:
            if unit.upstream is None:
                continue
            uses = {"pull": unit.upstream.aims.pull, "push": unit.upstream.aims.push}
            for target in unit.upstream.targets:
                yield (
                    self._service_of(unit.name),
                    "+".join(name for name, used in uses.items() if used is target) or "pull+push",  # a vhost's
                    target,
                )

    # --- connections ---------------------------------------------------------

    async def connections(self) -> list[ConnectionFacts]:
        """One per connection; ``key`` is there when it carries one stream."""
        now, upstream, rows = now_ms(), self._carried_upstream(), []
        found = sorted(self._node.context.connections, key=lambda item: item.number)
        async for connection in in_slices(found):
            seen = connection.describe()
            service, keys = upstream.get(connection) or (self._service_of(seen.service or ""), seen.keys)
            rows.append(
                ConnectionFacts(
                    id=seen.number,
                    service=service,
                    peer=seen.peer,
                    protocol=seen.protocol,
                    role=seen.role,
                    key=keys[0] if len(keys) == 1 else "",
                    stream_count=len(keys),
                    uptime_s=(now - seen.created_ms) // 1000,
                    received_bytes=seen.received_bytes,
                    sent_bytes=seen.sent_bytes,
                )
            )
        return rows

    async def traffic(self, *, shows_all: bool = False) -> TrafficTables:
        """What goes over each; rates are known once somebody has asked for a second or two."""
        limit = None if shows_all else self._node.settings.pages.max_shown_connections
        return await self._traffic.tables(self._node.context.connections, limit)

    async def totals(self) -> TotalFacts:
        """What has gone through so far."""
        node, over = self._node, self._node.context.traffic
        # Those that end while others have their turn keep their figures, and count once.
        received, sent = over.received.total(), over.sent.total()
        async for connection in in_slices(list(node.context.connections)):
            received += connection.received_bytes
            sent += connection.total_sent_bytes()
        return TotalFacts(
            received_bytes=received,
            sent_bytes=sent,
            cpu_ms=process_cpu_ms(),
            uptime_ms=now_ms() - node.started_ms,
        )

    async def reloads(self) -> list[ReloadFacts]:
        """Changes of flags, the newest first; the last few."""
        return self._reloads()

    async def vhosts(self) -> list[VhostFacts]:
        """One per vhost of ``-vhost_config``."""
        keys = (key for unit in self._node.units for key in unit.registry.streams if key.realm != PUBLISH_REALM)
        parsed = self._in_force()
        if parsed is None:
            return []
        return vhost_facts(parsed, (key.vhost for key in keys), older_rules(self._node.units))

    async def vhost_findings(self) -> list[FindingFacts]:
        """What is to be said of those files."""
        parsed = self._in_force()
        return finding_facts(parsed) if parsed is not None else []

    async def last_hour(self, since_s: int = 0) -> list[SampleFacts]:
        """The looks after ``since_s``."""
        return self.looks.since(since_s)

    # --- players -------------------------------------------------------------

    async def players(self, key: str, limit: int) -> list[PlayerFacts]:
        """Those of the streams of ``key``, as far as ``limit``."""
        found = (player for unit, stream in self._streams_of(key) for player in players_of(unit, stream, now_ms()))
        return list(islice(found, limit))

    async def details(self, key: str) -> list[DetailFacts]:
        """What is told of the streams of ``key`` alone."""
        quality = self._node.viewers.look()
        return [
            details_of(unit, stream, now_ms(), quality(unit.name, stream.key)) for unit, stream in self._streams_of(key)
        ]

    def _streams_of(self, key: str) -> list[tuple[ServiceUnit, Stream]]:
        """The streams that pages call so."""
        return [
            (unit, stream)
            for unit in self._node.units
            for stream in unit.registry.streams.values()
            if str(stream.key) == key
        ]

    async def audience(self) -> list[AudienceFacts]:
        """One per protocol that somebody plays by."""
        counts: Counter[str] = Counter()
        streams = [stream for unit in self._node.units for stream in unit.registry.streams.values()]
        async for play in in_slices([play for stream in streams for play in stream.roster.plays()]):
            counts[play.client.protocol] += 1
        return [AudienceFacts(protocol=name, player_count=count) for name, count in sorted(counts.items())]

    def _carried_upstream(self) -> dict[Listed, tuple[str | None, list[str]]]:
        """Of the connections to upstreams: whose each is, and the streams it carries."""
        found: dict[Listed, tuple[str | None, list[str]]] = {}
        for unit in self._node.units:
            if unit.upstream is not None:
                for link in (*unit.upstream.pulls.values(), *unit.upstream.pushes.values()):
                    if link.connection is not None:
                        found.setdefault(link.connection, (self._service_of(unit.name), []))[1].append(str(link.key))
        return found


def _shown(target: Target | None) -> str:
    return target.address.shown if target is not None else ""


def _role(unit: ServiceUnit) -> str:
    return "edge" if unit.service.is_edge else "origin"


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_TARGET_CHARS else f"{text[: _MAX_TARGET_CHARS - 3]}..."


def _stream_facts(unit: ServiceUnit, stream: Stream, quality: QualityFacts | None) -> StreamFacts:
    key, stats, now = stream.key, stream.stats, now_ms()
    fps, expected = stats.fps, number_field(dict(stream.metadata), "framerate")
    return StreamFacts(
        key=str(key),
        vhost=key.vhost,
        app=key.app,
        stream=key.stream_name,
        is_forwarded=key.realm == PUBLISH_REALM,
        service=unit.name,
        state=unit.state_of(stream),
        pull_error=_pull_error(unit, stream),
        **_push_of(unit, stream, now),
        publisher=stream.publisher.peer if stream.publisher is not None else "",
        muted_publishers=tuple(publisher.peer for publisher in stream.feed.muted),
        players=stream.player_count,
        viewers=stream.viewer_count,
        video_codec=stream.codec_of(VIDEO),
        audio_codec=stream.codec_of(AUDIO),
        video_bps=stats.video_bps * 8,
        audio_bps=stats.audio_bps * 8,
        fps=round(fps) if fps is not None else None,
        gop=stats.gop,
        fluency_pct=round(100 * fps / expected, 1) if expected and fps is not None else None,
        uptime_s=(now - stream.created_ms) // 1000,
        created_at_ms=wall_ms() - (now - stream.created_ms),
        epoch=stream.epoch.id if stream.epoch is not None else "",
        next_index=stream.epoch.next_index if stream.epoch is not None else 0,
        frames_held=len(stream.queue.frames),
        bytes_held=stream.queue.size_bytes,
        log_bytes=sum(log.end - log.start for log in stream.logs.values()),
        gap_count=stats.gap_count,
        duplicate_count=stats.duplicate_count,
        dropped_count=stats.dropped_count,
        player_jump_count=stats.player_jump_count,
        player_dropped_count=stats.player_dropped_count,
        upstream_gap_ms=stats.upstream_gap_ms,
        timestamp_jump_count=stream.timeline.jump_count,
        clock_drift_ms=stats.clock_drift_ms,
        **_delay_of(stream),
        quality=quality,
    )


def _delay_of(stream: Stream) -> dict[str, Any]:
    """How long the frame timed last took to here; nothing before the first."""
    figures = stream.delay.figures
    if figures is None:
        return {}
    return {
        "ingest_delay_ms": round(figures.ingest_ms, 1),
        "hop_delays_ms": tuple(round(hop_ms, 1) for hop_ms in figures.hops_ms),
        "delay_ms": round(figures.total_ms, 1),
        "flush_delay_ms": round(figures.flush_ms, 1) if figures.flush_ms is not None else None,
        "is_delay_whole": figures.is_whole,
    }


def _pull_error(unit: ServiceUnit, stream: Stream) -> str | None:
    """Why a stream that is pulled has no data now, as the last attempt tells; None for other streams."""
    pull = unit.upstream.pulls.get(stream.key) if unit.upstream is not None else None
    if pull is None:
        return None
    return pull.last_error if pull.state in ("connecting", "retrying") else ""


def _push_of(unit: ServiceUnit, stream: Stream, now_ms: int) -> dict[str, Any]:
    """How the push of a publish on its way upstream stands; nothing for other streams."""
    push = unit.upstream.pushes.get(stream.key) if unit.upstream is not None else None
    if push is None:
        return {}
    if push.stream is not stream:  # one of the same key is being ended first
        return {"push_state": "connecting", "push_to": "", "push_state_s": 0, "push_error": ""}
    return push.describe(now_ms)
