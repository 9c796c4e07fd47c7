"""Weights of servers, from their tags."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from lb.base import BalancerError
from lb.registry import parse_params, refuse_unknown
from naming.node import ServerNode

_log = logging.getLogger(__name__)
_MAX_WEIGHT = 2**32 - 1
# Balancers that leave out servers without one.
_NEED_WEIGHTS = frozenset(("wrr", "wr"))


def parse_weight(tag: str) -> int | None:
    """The weight that a tag says: an unsigned 32-bit decimal above 0, all of the tag digits; else None."""
    if not (tag.isascii() and tag.isdigit() and len(tag) <= 10):
        return None
    weight = int(tag)
    return weight if 0 < weight <= _MAX_WEIGHT else None


def default_weight(params: Mapping[str, str], balancer: str) -> int:
    """The parameter ``default_weight``, 0 without it.

    Raises BalancerError when it is no weight, and for another parameter.
    """
    refuse_unknown(balancer, params, ("default_weight",))
    text = params.get("default_weight")
    if text is None:
        return 0
    weight = parse_weight(text)
    if weight is None:
        raise BalancerError(f'load balancer "{balancer}": default_weight="{text}" is not in 1-{_MAX_WEIGHT}')
    return weight


def nobody_has_a_weight(balancer: str, count: int) -> str:
    """What to tell of a list from which no server can ever be chosen."""
    return (
        f'load balancer "{balancer}" will choose nobody: none of {count} servers has a weight; '
        "write one behind each address, or use default_weight=1"
    )


def why_nobody(spec: str, tags: Sequence[str]) -> str:
    """Why the balancer of ``spec``, which is valid, can choose no server of a list with these tags; "" if it can."""
    if not tags or not _needs_weights(spec) or any(map(parse_weight, tags)):
        return ""
    return nobody_has_a_weight(spec.partition(":")[0].lower(), len(tags))


def choosable(spec: str, servers: tuple[ServerNode, ...]) -> tuple[ServerNode, ...]:
    """The servers that the balancer of ``spec``, which is valid, may choose at all."""
    return tuple(server for server in servers if parse_weight(server.tag)) if _needs_weights(spec) else servers


def _needs_weights(spec: str) -> bool:
    """Whether the balancer leaves out servers whose tag is no weight."""
    name, _, params = spec.partition(":")
    name = name.lower()
    return name in _NEED_WEIGHTS and not default_weight(parse_params(params), name)


class WeightedServers:
    """The servers of the list in force that have a weight; worked out once per list."""

    __slots__ = ("_balancer", "_default", "_seen", "_weights")

    def __init__(self, default: int, balancer: str) -> None:
        """``default`` is the weight of a server whose tag is none, 0 leaves it out; ``balancer`` is for the log."""
        self._balancer = balancer
        self._default = default
        self._seen: tuple[ServerNode, ...] = ()
        self._weights: dict[ServerNode, int] = {}

    def of(self, servers: Sequence[ServerNode]) -> dict[ServerNode, int]:
        """Weights in the order of ``servers``; the same object while the list stays the same."""
        if servers is not self._seen and tuple(servers) != self._seen:
            self._seen = tuple(servers)
            weights = {server: parse_weight(server.tag) or self._default for server in self._seen}
            self._weights = {server: weight for server, weight in weights.items() if weight}
            if weights and not self._weights:
                _log.warning("%s", nobody_has_a_weight(self._balancer, len(weights)))
                return self._weights
            for server in weights.keys() - self._weights.keys():
                _log.warning('server %s is not used: its tag "%s" is no weight', server.endpoint, server.tag)
        return self._weights
