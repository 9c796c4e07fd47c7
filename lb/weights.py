"""Weights of servers, from their tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lb.base import BalancerError
from lb.registry import is_known, parse_params, refuse_unknown, traits_of
from naming.node import ServerNode

_MAX_WEIGHT = 2**32 - 1
# Servers named in a message, and characters of their tags.
_MAX_NAMED = 3
_MAX_TAG_CHARS = 20


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


def why_nobody(spec: str, tags: Sequence[str]) -> str:
    """Why the balancer of ``spec``, which is valid, can choose no server of a list with these tags; "" if it can."""
    if not tags or not _needs_weights(spec) or any(map(parse_weight, tags)):
        return ""
    return (
        f'load balancer "{_name_of(spec)}" will choose nobody: none of {len(tags)} servers has a weight; '
        "write one behind each address, or use default_weight=1"
    )


def choosable(spec: str, servers: tuple[ServerNode, ...]) -> tuple[ServerNode, ...]:
    """The servers that the balancer of ``spec``, which is valid, may choose at all."""
    return tuple(server for server in servers if parse_weight(server.tag)) if _needs_weights(spec) else servers


def who_is_left_out(spec: str, servers: Sequence[ServerNode]) -> str:
    """What to tell of servers that the balancer of ``spec``, which is valid, never chooses; "" without any."""
    if not _needs_weights(spec):
        return ""
    left_out = [server for server in servers if not parse_weight(server.tag)]
    if not left_out:
        return ""
    if len(left_out) == len(servers):
        return why_nobody(spec, [server.tag for server in servers])
    named = [f"{server.endpoint} {_quoted(server.tag)}" for server in left_out[:_MAX_NAMED]]
    rest = ["..."] if len(left_out) > _MAX_NAMED else []
    return (
        f'load balancer "{_name_of(spec)}" never chooses {len(left_out)} of {len(servers)} servers, '
        f"whose tags are no weights: {', '.join([*named, *rest])}"
    )


def _quoted(tag: str) -> str:
    cut = tag if len(tag) <= _MAX_TAG_CHARS else f"{tag[:_MAX_TAG_CHARS]}..."
    return f'"{cut}"'


def _name_of(spec: str) -> str:
    return spec.partition(":")[0].lower()


def _needs_weights(spec: str) -> bool:
    """Whether the balancer leaves out servers whose tag is no weight."""
    name, params = _name_of(spec), spec.partition(":")[2]
    return is_known(name) and traits_of(name).needs_weights and not default_weight(parse_params(params), name)


class WeightedServers:
    """The servers of the list in force that have a weight; worked out once per list."""

    __slots__ = ("_default", "_seen", "_weights")

    def __init__(self, default: int) -> None:
        """``default`` is the weight of a server whose tag is none, 0 leaves it out."""
        self._default = default
        self._seen: tuple[ServerNode, ...] = ()
        self._weights: dict[ServerNode, int] = {}

    def of(self, servers: Sequence[ServerNode]) -> dict[ServerNode, int]:
        """Weights in the order of ``servers``; the same object while the list stays the same."""
        if servers is not self._seen and tuple(servers) != self._seen:
            self._seen = tuple(servers)
            weights = {server: parse_weight(server.tag) or self._default for server in self._seen}
            self._weights = {server: weight for server, weight in weights.items() if weight}
        return self._weights
