"""One service of a node with what feeds it: its hub, its upstream, the reading of its publishers.

A node has one; with a merge tier it has two, the front and the merge service
(media-server's CDN mode): plays at the front are pulled from the merge tier,
publishes go straight to ``-proxy_to``.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from edge.errors import ConfigError
from edge.flags.check import merge_port
from edge.hub.key import PUBLISH_REALM, StreamKey
from edge.hub.registry import Registry
from edge.hub.rules import StreamRules
from edge.hub.stream import Stream
from edge.net.aio import wall_ms
from edge.net.context import NetContext
from edge.net.rtmp.publish_watch import PublishWatch
from edge.net.rtmp.service import RtmpService
from edge.runtime.settings import Settings
from edge.runtime.targets import is_local, is_own_server
from edge.service.rules import Rulebook
from edge.service.service import Service
from edge.upstream.config import UpstreamConfig
from naming.base import NamingError
from naming.node import ServerNode
from naming.url import parse_address

if TYPE_CHECKING:
    from edge.upstream.manager import UpstreamManager
    from edge.upstream.target import Target
    from edge.upstream.tls import UpstreamTls

logger = logging.getLogger(__name__)

#: What clients are told in the end.
STOPPING = "Shutdown: server is stopping"
_FINISH_POLL_MS = 10


def make_units(settings: Settings, context: NetContext, rulebook: Rulebook) -> list[ServiceUnit]:
    """The services that the flags ask for: the front or only one first; all have the same rulebook.

    Raises:
        ConfigError: a target or balancer cannot be used, or a file of TLS that a target needs.
    """
    config = settings.upstream

    source = new_source(settings, context)
    if not config.cdn_merge_to:
        tls = _upstream_tls(settings, source)
        return [ServiceUnit("", settings, context, rulebook, pull_target=source, push_target=source, tls=tls)]
    merge = _new_target("cdn_merge_to", config.cdn_merge_to, config.cdn_merge_lb, settings)
    front_push = new_source(settings, context) or merge
    tls = _upstream_tls(settings, source, merge)
    return [
        ServiceUnit("front", settings, context, rulebook, pull_target=merge, push_target=front_push, tls=tls),
        ServiceUnit("merge", settings, context, rulebook, pull_target=source, push_target=source, tls=tls),
    ]


def new_source(settings: Settings, context: NetContext, config: UpstreamConfig | None = None) -> Target | None:
    """What ``-proxy_to`` names, of a vhost's ``config`` or the process's, not started; None of an origin.

    Raises ConfigError as ``make_units`` does.
    """
    config = config or settings.upstream
    is_other = partial(_is_other, context, config)
    return _new_target("proxy_to", config.proxy_to, config.proxy_lb, settings, is_other)


def _new_target(
    flag: str, address: str, balancer: str, settings: Settings, accepts: Callable[[ServerNode], bool] | None = None
) -> Target | None:
    if not address:
        return None
    from edge.upstream.target import Target  # an origin does without

    words = _balancer_in_force(address, balancer)
    return Target(address, words, settings.upstream, naming=settings.naming, accepts=accepts, flag=flag)


def _upstream_tls(settings: Settings, *targets: Target | None) -> UpstreamTls | None:
    """What connections over TLS begin with, for whoever has a target; its files are read now where one needs them."""
    if not any(targets):
        return None
    tls = _new_tls(settings)
    if any(target is not None and target.is_tls for target in targets):
        tls.load()
    return tls


def _new_tls(settings: Settings) -> UpstreamTls:
    from edge.upstream.tls import UpstreamTls

    return UpstreamTls(settings.tls)


def _is_other(context: NetContext, upstream: UpstreamConfig, server: ServerNode) -> bool:
    """Whether ``server`` is not this process, which must not be its own source; a front may be in its merge tier."""
    net = context.config
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
        service: its front door.
        rtmp: how RTMP connections reach it.
        rulebook: the rules of its streams.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        context: NetContext,
        rulebook: Rulebook,
        *,
        pull_target: Target | None,
        push_target: Target | None,
        tls: UpstreamTls | None,
    ) -> None:
        self.name = name
        self.rulebook = rulebook
        self._context = context
        self.registry = Registry(
            self._rules_of,
            new_id=lambda: secrets.token_hex(8),
            wall_ms=wall_ms,
            metadata_name=settings.rtmp.user_defined_data_message,
            clock_us=context.clock_us,
        )
        self.service = Service(
            self.registry,
            hub=settings.hub,
            service_id=secrets.token_hex(8),
            hostname=settings.hostname,
            now_ms=context.now_ms,
            soon=context.loop.call_soon,
            name=name,
            rulebook=rulebook,
        )
        self.service.spans = context.spans
        self.rtmp = RtmpService(context, self.service, settings.rtmp)
        self._tls = tls
        self._settings = settings
        self.upstream: UpstreamManager | None = None
        if pull_target is not None or self._has_vhost_upstream:
            self._begin_upstream(pull_target, push_target)
        self._watch = PublishWatch(context, self.rtmp.ingest)

    @property
    def _has_vhost_upstream(self) -> bool:
        return any(rules.of(UpstreamConfig).proxy_to for rules in self.rulebook.all_rules())

    def _begin_upstream(self, pull_target: Target | None, push_target: Target | None) -> UpstreamManager:
        from edge.upstream.manager import UpstreamManager  # an origin does without

        self._tls = self._tls or _new_tls(self._settings)
        self.upstream = UpstreamManager(
            self.rtmp,
            self._settings.upstream,
            pull_target=pull_target,
            push_target=push_target,
            tls=self._tls,
            naming=self._settings.naming,
            new_target=self._new_target,
            is_front=self.name == "front",
        )
        return self.upstream

    def _new_target(self, config: UpstreamConfig) -> Target | None:
        """Of a vhost; its words were looked at when they were read, so a fault is one of files that changed since."""
        try:
            target = new_source(self._settings, self._context, config)
            if target is not None and target.is_tls and self._tls is not None:
                self._tls.load()
        except ConfigError as error:
            logger.error("no upstream of a vhost: %s", error.detail, extra={"cause": error.detail})
            return None
        return target

    def _rules_of(self, key: StreamKey) -> StreamRules:
        return self.service.rules_of(key)

    def reconfigure(self, settings: Settings) -> None:
        """Take other settings, for what runs too, as each flag's class says; the rulebook has them already."""
        self._settings = settings
        self.service.reconfigure(settings.hub)
        self.rtmp.config = settings.rtmp
        if self._tls is not None:
            self._tls.reconfigure(settings.tls)
        if self.upstream is not None:
            self.upstream.reconfigure(settings.rtmp, settings.upstream, settings.naming)
        elif self._has_vhost_upstream:
            self._begin_upstream(None, None)

    def tick(self, now: int, *, is_full_second: bool) -> None:
        """Four times a second."""
        self.rtmp.ingest.tick()
        self._watch.tick(now, self._context.now_ms())
        if is_full_second:
            self.service.tick(now)
            self.registry.tick(now)
            self.service.limits.tick()
            if self.upstream is not None:
                self.upstream.tick(now)

    def state_of(self, stream: Stream) -> str:
        """``live``, ``waiting`` (no publisher yet), ``grace`` (it may come back), or a pull's state."""
        if stream.publisher is None and stream.feed.grace_until_ms:
            return "grace"
        if self.upstream is not None and stream.pull is not None:
            return self.upstream.state_of(stream)
        return "live" if stream.publisher is not None else "waiting"

    def abandon_upstream(self) -> None:
        """Leave the nodes upstream without a word: another process goes on with pulls and pushes."""
        if self.upstream is not None:
            self.upstream.pool.abandon()

    @property
    def served_count(self) -> int:
        """Plays, of which the viewers of a stream by HLS are one, and publishes."""
        return len(self.service.publishes) + sum(stream.player_count for stream in self.registry.streams.values())

    def close_to_newcomers(self) -> None:
        """Nobody new is served; those who are here are."""
        self.service.is_closed = True

    async def finish(self, within_ms: int) -> None:
        """End what was published here; what is pushed goes up to its last frame, and the upstream hears of the end."""
        if self.upstream is None:
            return
        for stream in list(self.registry.streams.values()):
            if stream.key.realm == PUBLISH_REALM:
                self.registry.end_stream(stream, STOPPING)
        for _ in range(max(within_ms, 0) // _FINISH_POLL_MS):
            if not self.upstream.pushes:
                break
            await asyncio.sleep(_FINISH_POLL_MS / 1000)

    async def close(self) -> None:
        """End pulls, pushes and streams; players are told."""
        await self.rtmp.why_desk.close()
        if self.upstream is not None:
            await self.upstream.close()
        for stream in list(self.registry.streams.values()):
            self.registry.end_stream(stream, STOPPING)
        self.rtmp.ingest.close()
