"""The balancers that draw: ``random`` and, by weight, ``wr``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from lb.base import SelectRequest
from lb.recovery import recover_policy
from lb.registry import Entropy, register
from lb.round_robin import strides, walk
from lb.weights import WeightedServers, default_weight
from naming.node import ServerNode


@register("random")
class Randomized:
    """Begin anywhere, and go on with a random stride from servers that are down or were tried."""

    __slots__ = ("_entropy", "_recovery")

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        self._entropy = entropy
        self._recovery = recover_policy(params, entropy, "random")

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return a server that is up, or None when none is or recovery refuses."""
        if not servers or (self._recovery is not None and not self._recovery.may_select(servers, request)):
            return None
        stride = strides()[self._entropy(len(strides()))]
        # The walk steps before it looks.
        before_first = self._entropy(len(servers)) - stride
        server, _ = walk(servers, request, before_first, stride)
        if server is None and self._recovery is not None:
            self._recovery.begin(request.now_ms)
        return server

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool, now_ms: int = 0) -> None:
        """Learn nothing: chance does not depend on results."""


@register("wr")
class WeightedRandom:
    """Draw a server with a probability proportional to its weight, the number in its tag.

    brpc draws up to n times from all and then walks over those not drawn; to
    draw once from those that may be chosen gives the same shares, and always
    finds one when there is one. Servers without a weight are not chosen, unless
    the parameter ``default_weight`` gives them one.
    """

    __slots__ = ("_entropy", "_weighted")

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        self._entropy = entropy
        self._weighted = WeightedServers(default_weight(params, "wr"))

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return a server that is up, one that was tried only when no other is; None when none is up."""
        weights = self._weighted.of(servers)
        up = {server: weight for server, weight in weights.items() if server not in request.unavailable}
        fresh = {server: weight for server, weight in up.items() if server not in request.excluded}
        candidates = fresh or up
        if not candidates:
            return None
        draw = self._entropy(sum(candidates.values()))
        sums = accumulate(candidates.values())
        return next(server for server, upto in zip(candidates, sums, strict=True) if draw < upto)

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool, now_ms: int = 0) -> None:
        """Learn nothing: weights are given."""
