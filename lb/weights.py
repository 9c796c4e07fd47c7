"""Weights of servers, from their tags."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from lb.base import BalancerError
from naming.node import ServerNode

_log = logging.getLogger(__name__)
_MAX_WEIGHT = 2**32 - 1


def parse_weight(tag: str) -> int | None:
    """The weight that a tag says: an unsigned 32-bit decimal above 0, all of the tag digits; else None."""
    if not (tag.isascii() and tag.isdigit() and len(tag) <= 10):
        return None
    weight = int(tag)
    return weight if 0 < weight <= _MAX_WEIGHT else None


def default_weight(params: Mapping[str, str], balancer: str) -> int:
    """The parameter ``default_weight``, 0 without it; others are ignored, as brpc does.

    Raises BalancerError when it is no weight.
    """
    text = params.get("default_weight")
    if text is None:
        return 0
    weight = parse_weight(text)
    if weight is None:
        raise BalancerError(f'load balancer "{balancer}": default_weight="{text}" is not in 1-{_MAX_WEIGHT}')
    return weight


class WeightedServers:
    """The servers of the list in force that have a weight; worked out once per list."""

    __slots__ = ("_default", "_seen", "_weights")

    def __init__(self, default: int) -> None:
        """``default`` is the weight of a server whose tag is none; 0 leaves it out."""
        self._default = default
        self._seen: tuple[ServerNode, ...] = ()
        self._weights: dict[ServerNode, int] = {}

    def of(self, servers: Sequence[ServerNode]) -> dict[ServerNode, int]:
        """Weights in the order of ``servers``; the same object while the list stays the same."""
        if servers is not self._seen and tuple(servers) != self._seen:
            self._seen = tuple(servers)
            weights = {server: parse_weight(server.tag) or self._default for server in self._seen}
            self._weights = {server: weight for server, weight in weights.items() if weight}
            for server in weights.keys() - self._weights.keys():
                _log.warning('server %s is not used: its tag "%s" is no weight', server.endpoint, server.tag)
        return self._weights
