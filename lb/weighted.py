"""``wrr``: turns in proportion to weights.

Think of a circle on which each server has an arc as long as its weight. Every
pick goes one stride further and takes the server it lands on. A stride that is
coprime with the whole circle visits every point of it once per W picks, so
each server gets exactly its weight; a stride about as long as a mean arc keeps
the picks of a heavy server apart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from lb.base import SelectRequest
from lb.registry import Entropy, register
from lb.weights import WeightedServers, default_weight
from naming.node import ServerNode

# brpc's table: primes that grow by about a half each, so that one is near any mean weight.
# fmt: off
_PRIMES = (
    2, 3, 5, 11, 17, 29, 47, 71, 107, 137, 163, 251, 307, 379, 569, 683, 857, 1289, 1543, 1949, 2617, 2927, 3407,
    4391, 6599, 9901, 14867, 22303, 33457, 50207, 75323, 112997, 169501, 254257, 381389, 572087, 849083, 1273637,
    1910471, 2865727, 4298629, 6447943, 9671923, 14507903, 21761863, 32642861, 48964297, 73446469, 110169743,
    165254623, 247881989, 371822987, 557734537, 836601847, 1254902827, 1882354259, 2823531397, 4235297173,
    6352945771, 9529418671,
)
# fmt: on


def stride_of(weight_sum: int, count: int) -> int:
    """The step for ``count`` servers: the least prime of the table from the mean weight up, coprime with the sum."""
    if weight_sum == 1:
        return 1
    mean = weight_sum // count
    prime = next(prime for prime in _PRIMES if prime >= mean and gcd(weight_sum, prime) == 1)
    return prime % weight_sum if prime > weight_sum else prime


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the walk stands: server ``position``, of whose arc ``remain`` is left (0: at its beginning)."""

    position: int = 0
    remain: int = 0


class _Circle:
    """The servers of one list with their weights."""

    __slots__ = ("servers", "stride", "weight_sum", "weights")

    def __init__(self, weights: Mapping[ServerNode, int]) -> None:
        self.weights = weights
        self.servers = tuple(weights)
        self.weight_sum = sum(weights.values())
        self.stride = stride_of(self.weight_sum, len(self.servers))

    def advance(self, place: _Place, stride: int, skipped: Collection[ServerNode]) -> tuple[ServerNode, _Place]:
        """One stride on from ``place``; the arcs of ``skipped`` have no length.

        Returns the server reached and the place there. Some server is not skipped.
        """
        position, remain = place.position, place.remain
        if remain > 0:
            server = self.servers[position]
            if server not in skipped:
                if remain > stride:
                    return server, _Place(position, remain - stride)
                stride -= remain
            position = (position + 1) % len(self.servers)
            if stride == 0:
                return server, _Place(position)
        while True:
            server = self.servers[position]
            if server not in skipped:
                weight = self.weights[server]
                if weight > stride:
                    return server, _Place(position, weight - stride)
                stride -= weight
            position = (position + 1) % len(self.servers)
            if stride == 0 and server not in skipped:
                return server, _Place(position)


@register("wrr", needs_weights=True)
class WeightedRoundRobin:
    """Turns in proportion to the number in a server's tag; see the module.

    The order of one list is always the same but for its random start. A server
    that is down or was tried is taken off the circle for that pick. Servers
    without a weight are not chosen, unless ``default_weight`` gives them one.
    As for ``rr`` a tried server that is up is taken when no other is.
    """

    __slots__ = ("_circle", "_entropy", "_place", "_weighted")

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        self._weighted = WeightedServers(default_weight(params, "wrr"))
        self._entropy = entropy
        self._circle: _Circle | None = None
        self._place = _Place()

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return the next server that is up, or None when none is."""
        weights = self._weighted.of(servers)
        if not weights:
            return None
        circle = self._follow(weights)
        skipped: set[ServerNode] = set()
        weight_sum, stride = circle.weight_sum, circle.stride
        last_chance: tuple[ServerNode, _Place] | None = None
        while True:
            server, place = circle.advance(self._place, stride, skipped)
            if server not in request.unavailable:
                last_chance = server, place
                if server not in request.excluded:
                    break
            skipped.add(server)
            weight_sum -= weights[server]
            if len(skipped) == len(weights):
                break
            stride = stride_of(weight_sum, len(weights) - len(skipped))
        if last_chance is None:
            return None
        server, self._place = last_chance
        return server

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool, now_ms: int = 0) -> None:
        """Learn nothing: weights are given."""

    def _follow(self, weights: Mapping[ServerNode, int]) -> _Circle:
        """The circle of these weights; keeps the place when the list changes."""
        old = self._circle
        if old is not None and old.weights is weights:
            return old
        circle = self._circle = _Circle(weights)
        if old is None:
            self._place = _Place(self._entropy(len(circle.servers)))
        else:
            position = self._place.position % len(circle.servers)
            # What was left of an arc counts only while the same server stands there.
            is_same = self._place.position < len(old.servers) and (
                old.servers[self._place.position] == circle.servers[position]
            )
            self._place = _Place(position, self._place.remain if is_same else 0)
        return circle
