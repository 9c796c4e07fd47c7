"""What the daemon tells its pages: plain data, gathered when asked."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edge.builtin.page import PageContext
from edge.hub.key import PUBLISH_REALM
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, VIDEO
from edge.media.metadata import number_field
from edge.net.aio import TaskOwner, now_ms, wall_ms
from edge.net.listed import Listed
from naming.url import without_secrets

if TYPE_CHECKING:
    from edge.runtime.node import Node
    from edge.runtime.unit import ServiceUnit
    from edge.upstream.target import Target

_LAG_LIMIT_MS = 1000
# A list:// of many servers must not push the other columns out of sight; its beginning tells which one it is.
_MAX_TARGET_CHARS = 48


class PageData:
    """Reads a node for its pages."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def context(self) -> PageContext:
        """The callables that pages call."""
        settings = self._node.settings
        return PageContext(
            streams=self.streams,
            counters=self.counters,
            health=self.health,
            readiness=self.readiness,
            version=settings.version,
            server_urls=self.server_urls,
            services=self.services,
            naming=self.naming,
            upstreams=self.upstreams,
            connections=self.connections,
        )

    def streams(self) -> list[dict[str, Any]]:
        """One row per stream, by key."""
        return [
            self._stream(unit, stream)
            for unit in self._node.units
            for _, stream in sorted(unit.registry.streams.items())
        ]

    def _stream(self, unit: ServiceUnit, stream: Stream) -> dict[str, Any]:
        key, stats, now = stream.key, stream.stats, now_ms()
        fps, expected = stats.fps, number_field(dict(stream.metadata), "framerate")
        return {
            "key": str(key),
            "vhost": key.vhost,
            "app": key.app,
            "stream": key.stream_name,
            "is_forwarded": key.realm == PUBLISH_REALM,
            "service": unit.name,
            "state": unit.state_of(stream),
            **_pull_of(unit, stream),
            **_push_of(unit, stream, now),
            "publisher": stream.publisher.peer if stream.publisher is not None else "",
            "muted_publishers": [publisher.peer for publisher in stream.feed.muted],
            "players": stream.player_count,
            "viewers": stream.viewer_count,
            "video_codec": stream.codec_of(VIDEO),
            "audio_codec": stream.codec_of(AUDIO),
            "video_bps": stats.video_bps * 8,
            "audio_bps": stats.audio_bps * 8,
            "fps": round(fps) if fps is not None else None,
            "gop": stats.gop,
            "fluency_pct": round(100 * fps / expected, 1) if expected and fps is not None else None,
            "uptime_s": (now - stream.created_ms) // 1000,
            "epoch": stream.epoch.id if stream.epoch is not None else "",
            "next_index": stream.epoch.next_index if stream.epoch is not None else 0,
            "frames_held": len(stream.queue.frames),
            "bytes_held": stream.queue.size_bytes,
            "gap_count": stats.gap_count,
            "duplicate_count": stats.duplicate_count,
            "dropped_count": stats.dropped_count,
            "player_jump_count": stats.player_jump_count,
            "player_dropped_count": stats.player_dropped_count,
            "upstream_gap_ms": stats.upstream_gap_ms,
            "timestamp_jump_count": stream.timeline.jump_count,
            "clock_drift_ms": stats.clock_drift_ms,
        }

    def counters(self) -> dict[str, int | float]:
        """Every counter of the node."""
        node = self._node
        context, fanout = node.context, node.context.fanout
        rows: dict[str, int | float] = dict(sorted(context.counters.items()))
        rows.update(sorted(node.http.counters.items()))
        rows["error_internal_count"] = (
            context.internal_error_count
            + TaskOwner.failed_count
            + int(node.http.counters.get("error_internal_count", 0))
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
            }
        )
        if node.tls is not None:
            rows.update(node.tls.counters(wall_ms()))
        for unit in node.units:
            if unit.upstream is not None:
                for name, value in unit.upstream.counters().items():
                    rows[name] = rows.get(name, 0) + value
        return rows

    def health(self) -> dict[str, Any]:
        """Of the process alone."""
        node = self._node
        return {
            "is_ok": node.lag.lag_ms < _LAG_LIMIT_MS,
            "is_draining": node.is_draining,
            "loop_lag_ms": node.lag.lag_ms,
            "uptime_s": (now_ms() - node.started_ms) // 1000,
            "python": platform.python_version(),
        }

    def readiness(self) -> tuple[bool, list[str]]:
        """Whether traffic may come, and else why not."""
        node = self._node
        reasons = []
        if not node.listeners:
            reasons.append("not listening yet")
        if node.is_draining:
            reasons.append("draining")
        if any(unit.upstream is not None and not unit.upstream.has_answer for unit in node.units):
            reasons.append("no first answer of the naming service yet")
        return not reasons, reasons

    def server_urls(self) -> dict[str, Any]:
        """Where to publish to and play from."""
        node = self._node
        public = next((listener for listener in node.listeners if listener.role == "public"), None)
        port = public.port if public is not None else node.settings.net.port
        internal = next((listener.port for listener in node.listeners if listener.is_internal), port)
        return {
            "host": node.settings.hostname,
            "rtmp_port": port,
            "http_port": port,
            "has_flv": node.settings.http.http_flv,
            "has_ts": node.settings.http.http_ts,
            "has_tls": node.tls is not None,
            "is_tls_forced": node.tls is not None and node.settings.tls.force_ssl,
            "internal_port": internal,
            "role": "edge" if node.units[0].service.is_edge else "origin",
            "proxy_to": without_secrets(node.settings.upstream.proxy_to),
        }

    def services(self) -> list[dict[str, Any]]:
        """One row per service: its id, which refusals of loops name, and where its streams come from and go to."""
        return [
            {
                **self._service_of(unit.name),
                "role": "edge" if unit.service.is_edge else "origin",
                "id": unit.service.service_id,
                "pulls_from": unit.upstream.pull_target.address.shown if unit.upstream is not None else "",
                "pushes_to": unit.upstream.push_target.address.shown if unit.upstream is not None else "",
                "stream_count": len(unit.registry.streams),
                "player_count": sum(stream.player_count for stream in unit.registry.streams.values()),
            }
            for unit in self._node.units
        ]

    def _service_of(self, name: str) -> dict[str, str]:
        """The column that tells the rows of two services apart; none where there is one."""
        return {"service": name} if len(self._node.units) > 1 else {}

    def naming(self) -> list[dict[str, Any]]:
        """One row per target of a service: how the source of its servers is doing."""
        return [
            {**service, "use": use, "target": _shortened(target.address.shown), **target.naming()}
            for service, use, target in self._targets()
        ]

    def upstreams(self) -> list[dict[str, Any]]:
        """One row per upstream server and what it is there for: ``use`` is ``pull``, ``push`` or ``pull+push``."""
        now, rows = now_ms(), []
        for service, use, target in self._targets():
            head = {**service, "use": use, "target": target.address.shown}
            rows += [{**head, **row} for row in target.snapshot(now)["servers"]]
        return rows

    def _targets(self) -> Iterator[tuple[dict[str, str], str, Target]]:
        """The targets with the columns that say whose each is and what it is there for."""
        for unit in self._node.units:
            if unit.upstream is None:
                continue
            uses = {"pull": unit.upstream.pull_target, "push": unit.upstream.push_target}
            for target in unit.upstream.targets:
                yield (
                    self._service_of(unit.name),
                    "+".join(name for name, used in uses.items() if used is target),
                    target,
                )

    def connections(self) -> list[dict[str, Any]]:
        """One row per connection; ``key`` is there when it carries one stream."""
        now, upstream, rows = now_ms(), self._carried_upstream(), []
        for connection in sorted(self._node.context.connections, key=lambda item: item.number):
            facts = connection.describe()
            service, keys = upstream.get(connection) or (self._service_of(facts.service or ""), facts.keys)
            rows.append(
                {
                    "id": facts.number,
                    **service,
                    "peer": facts.peer,
                    "protocol": facts.protocol,
                    "role": facts.role,
                    "key": keys[0] if len(keys) == 1 else "",
                    "stream_count": len(keys),
                    "uptime_s": (now - facts.created_ms) // 1000,
                    "received_bytes": facts.received_bytes,
                    "sent_bytes": facts.sent_bytes,
                }
            )
        return rows

    def _carried_upstream(self) -> dict[Listed, tuple[dict[str, str], list[str]]]:
        """Of the connections to upstreams: whose each is, and the streams it carries."""
        found: dict[Listed, tuple[dict[str, str], list[str]]] = {}
        for unit in self._node.units:
            if unit.upstream is not None:
                for link in (*unit.upstream.pulls.values(), *unit.upstream.pushes.values()):
                    if link.connection is not None:
                        found.setdefault(link.connection, (self._service_of(unit.name), []))[1].append(str(link.key))
        return found


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_TARGET_CHARS else f"{text[: _MAX_TARGET_CHARS - 3]}..."


def _pull_of(unit: ServiceUnit, stream: Stream) -> dict[str, Any]:
    """Why a stream that is pulled has no data now, as the last attempt tells; nothing for other streams."""
    pull = unit.upstream.pulls.get(stream.key) if unit.upstream is not None else None
    if pull is None:
        return {}
    return {"pull_error": pull.last_error if pull.state in ("connecting", "retrying") else ""}


def _push_of(unit: ServiceUnit, stream: Stream, now_ms: int) -> dict[str, Any]:
    """How the push of a publish on its way upstream stands; nothing for other streams."""
    push = unit.upstream.pushes.get(stream.key) if unit.upstream is not None else None
    if push is None:
        return {}
    if push.stream is not stream:  # one of the same key is being ended first
        return {"push_state": "connecting", "push_to": "", "push_state_s": 0, "push_error": ""}
    return push.describe(now_ms)
