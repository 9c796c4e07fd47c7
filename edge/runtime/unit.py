"""One service of a node with what feeds it: its hub, its upstream, the reading of its publishers.

A node has one; with a merge tier it has two, the front and the merge service
(media-server's CDN mode): plays at the front are pulled from the merge tier,
publishes go straight to ``-proxy_to``.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from edge.errors import ConfigError
from edge.flags.check import merge_port
from edge.hub.publisher import Publisher
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.net.aio import wall_ms
from edge.net.context import NetContext
from edge.net.ingest import IngestTicker
from edge.net.rtmp_server import RtmpServerConnection
from edge.net.service import RtmpService
from edge.runtime.settings import Settings
from edge.runtime.targets import is_local, is_own_server
from naming.base import NamingError
from naming.node import ServerNode
from naming.url import parse_address

if TYPE_CHECKING:
    from edge.upstream.manager import UpstreamManager
    from edge.upstream.target import Target

logger = logging.getLogger(__name__)

#: After a longer gap between two ticks this process stood still itself, with the media of its publishers unread.
_STOOD_STILL_MS = 2000


def make_units(settings: Settings, context: NetContext) -> list[ServiceUnit]:
    """The services that the flags ask for: the front or only one first.

    Raises:
        ConfigError: a target or balancer cannot be used.
    """
    config = settings.upstream

    def target(address: str, balancer: str, accepts: Callable[[ServerNode], bool] | None = None) -> Target | None:
        if not address:
            return None
        from edge.upstream.target import Target  # an origin does without

        words = _balancer_in_force(address, balancer)
        return Target(address, words, config, naming=settings.naming, accepts=accepts)

    is_other = partial(_is_other, settings)
    source = target(config.proxy_to, config.proxy_lb, is_other)
    if not config.cdn_merge_to:
        return [ServiceUnit("", settings, context, pull_target=source, push_target=source)]
    merge = target(config.cdn_merge_to, config.cdn_merge_lb)
    front_push = target(config.proxy_to, config.proxy_lb, is_other) or merge
    return [
        ServiceUnit("front", settings, context, pull_target=merge, push_target=front_push),
        ServiceUnit("merge", settings, context, pull_target=source, push_target=source),
    ]


def _is_other(settings: Settings, server: ServerNode) -> bool:
    """Whether ``server`` is not this process, which must not be its own source; a front may be in its merge tier."""
    net, upstream = settings.net, settings.upstream
    merged = merge_port(upstream.cdn_merge_to, upstream.cdn_merge_port) or 0
    ports = (net.port, net.internal_port, *net.listen, merged)
    return not is_own_server((server.host, server.port), ports, net.bind, is_local)


def _balancer_in_force(address: str, words: str) -> str:
    """The balancer of a target; of one that is missing or not used the check of the flags has told, so nobody else."""
    try:
        is_one_server = parse_address(address).is_plain
    except NamingError as error:
        raise ConfigError(str(error)) from error
    return "" if is_one_server else words or "rr"


class ServiceUnit:
    """A hub and all that works on it.

    Attributes:
        name: ``front`` or ``merge``; "" when there is one service only.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        context: NetContext,
        *,
        pull_target: Target | None,
        push_target: Target | None,
    ) -> None:
        self.name = name
        self._settings = settings
        self._context = context
        self.registry = Registry(
            settings.hub,
            new_id=lambda: secrets.token_hex(8),
            wall_ms=wall_ms,
            metadata_name=settings.rtmp.user_defined_data_message,
        )
        self.service = RtmpService(
            context,
            self.registry,
            hub=settings.hub,
            rtmp=settings.rtmp,
            service_id=secrets.token_hex(8),
            hostname=settings.hostname,
            is_edge=pull_target is not None,
            name=name,
        )
        self.upstream: UpstreamManager | None = None
        if pull_target is not None and push_target is not None:
            from edge.upstream.manager import UpstreamManager

            self.upstream = UpstreamManager(
                self.service, settings.upstream, pull_target=pull_target, push_target=push_target
            )
        self.ingest = IngestTicker(context, self.service.publishers)
        self._ticked_ms = 0
        self._woken_ms = 0

    def tick(self, now: int, *, is_full_second: bool) -> None:
        """Four times a second."""
        self._notice_gap(self._context.now_ms())
        self.ingest.tick()
        self._check_publishers(now)
        if is_full_second:
            self.registry.tick(now)
            if self.upstream is not None:
                self.upstream.tick(now)

    def _notice_gap(self, now: int) -> None:
        """After a stand-still of ours, such as a suspended machine, publishers are given their time again."""
        if self._ticked_ms and now - self._ticked_ms > _STOOD_STILL_MS:
            self._woken_ms = now
        self._ticked_ms = now

    def _check_publishers(self, now: int) -> None:
        cap = self._settings.net.max_publish_kbps
        for connection in list(self.service.publishers):
            for publisher, _ in list((connection.feeds or {}).values()):
                last = max(publisher.last_media_ms or publisher.since_ms, self._woken_ms)
                if self._is_gone(connection, publisher, now, now - last):
                    text = "%s reason=publish_timeout no media for %d ms"
                    self._context.log_limited(logging.INFO, "publish_timeout", text, connection, now - last)
                    connection.end_publish(publisher, "NetStream.Publish.Idle", "Idle: no media", "publish_timeout")
            if cap and connection.is_over_rate(now, cap):
                self._stop_fast(connection, cap)

    def _is_gone(self, connection: RtmpServerConnection, publisher: Publisher, now: int, silent_ms: int) -> bool:
        """Whether a publish is over for want of media: it has never sent any, is not there any more, or nobody waits.

        A node of ours that forwards a silent publisher asks it itself, and says by its own bytes that it is there.
        """
        hub = self._settings.hub
        limit = hub.publish_normal_timeout_ms if publisher.last_media_ms else hub.publish_firstpkt_timeout_ms
        if not limit or silent_ms <= limit or connection.is_publish_kept_alive(now, limit):
            return False
        if not publisher.last_media_ms or connection.is_hop:
            return True
        if publisher.is_active and 0 < hub.publish_silent_timeout_ms < silent_ms:
            return True
        return connection.is_silent_publisher_gone(now, limit, hub.publish_ping_timeout_ms)

    def _stop_fast(self, connection: RtmpServerConnection, cap_kbps: int) -> None:
        for publisher, _ in list((connection.feeds or {}).values()):
            connection.end_publish(
                publisher, "NetStream.Publish.BadName", f"rate_limit: more than {cap_kbps} kbit/s", "rate_limit"
            )

    def state_of(self, stream: Stream) -> str:
        """``live``, ``waiting`` (no publisher yet), ``grace`` (it may come back), or a pull's state."""
        if stream.publisher is None and stream.feed.grace_until_ms:
            return "grace"
        if self.upstream is not None and stream.pull is not None:
            return self.upstream.state_of(stream)
        return "live" if stream.publisher is not None else "waiting"

    async def close(self) -> None:
        """End pulls, pushes and streams; players are told."""
        if self.upstream is not None:
            await self.upstream.close()
        for stream in list(self.registry.streams.values()):
            self.registry.end_stream(stream, "Shutdown: server is stopping")
        self.ingest.close()
