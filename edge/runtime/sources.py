"""Another ``-proxy_to`` for a node that serves: what runs goes over to it as after a change of a list of servers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from edge.errors import ConfigError
from edge.net.context import NetContext
from edge.runtime.reload import Prepared
from edge.runtime.settings import Settings
from edge.runtime.unit import ServiceUnit, new_source

if TYPE_CHECKING:
    from edge.upstream.target import Target

logger = logging.getLogger(__name__)


class Fed(Protocol):
    """A node, as far as its upstreams are concerned."""

    settings: Settings
    context: NetContext
    units: list[ServiceUnit]


class Sources:
    """The part of a node that follows ``-proxy_to`` and ``-proxy_lb``."""

    def __init__(self, node: Fed) -> None:
        self._node = node
        self._in_use = _words(node.settings)

    def prepare(self, new: Settings) -> Prepared:
        """Read the new target; raises ConfigError where it cannot be used, or makes another kind of node."""
        if _words(new) == self._in_use:
            return Prepared(lambda: None)
        target = new_source(new, self._node.context)
        if target is None or not self._in_use[0]:
            if _words(new)[0] == self._in_use[0]:
                return Prepared(lambda: None)  # a balancer for nothing
            raise ConfigError("-proxy_to: an origin becomes an edge, and an edge an origin, at a start only")
        if target.why_unusable:
            raise ConfigError(f"-proxy_to: {target.why_unusable}")
        if target.is_tls:
            from edge.upstream.tls import UpstreamTls

            UpstreamTls(new.tls).load()
        return Prepared(lambda: self._aim(target, new))

    def _aim(self, target: Target, new: Settings) -> None:
        self._in_use = _words(new)
        for unit in self._node.units:
            if unit.upstream is not None:
                unit.upstream.aim(target, new.naming)
        logger.info("upstream changed proxy_to=%s", target.address.shown, extra={"cause": target.address.shown})


def _words(settings: Settings) -> tuple[str, str]:
    return settings.upstream.proxy_to, settings.upstream.proxy_lb
