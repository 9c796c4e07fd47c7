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

# Draws by weight that together cover the whole range.
PARTS = 256


@register("random", may_recover=True)
class Randomized:
    """Begin anywhere, and go on with a random stride from servers that are down or were tried."""

    __slots__ = ("_entropy", "_recovery")

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        self._entropy = entropy
        self._recovery = recover_policy(params, entropy, "random")

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return a server that is up, or None when none is or recovery refuses."""
        narrowed = self._recovery.narrow(servers, request) if self._recovery is not None else request
        if not servers or narrowed is None:
            return None
        stride = strides()[self._entropy(len(strides()))]
        # The walk steps before it looks.
        before_first = self._entropy(len(servers)) - stride
        server, _ = walk(servers, narrowed, before_first, stride)
        if server is None and self._recovery is not None:
            self._recovery.begin(request.now_ms)
        return server

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool, now_ms: int = 0) -> None:
        """Learn nothing: chance does not depend on results."""


class EvenDraws:
    """Random integers that are spread evenly: of ``PARTS`` draws one falls into each ``PARTS``-th of the range.

    Each draw alone is uniform; the parts come in an order that is drawn anew each time.
    """

    __slots__ = ("_entropy", "_left")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._left: list[int] = []

    def draw(self, limit: int) -> int:
        """An integer in ``[0, limit)``; the limit may differ each time."""
        left = self._left = self._left or list(range(PARTS))
        place = self._entropy(len(left))
        left[place], left[-1] = left[-1], left[place]
        return (left.pop() * limit + self._entropy(limit)) // PARTS


@register("wr", needs_weights=True)
class WeightedRandom:
    """Draw a server with a probability proportional to its weight, the number in its tag.

    brpc's draws are independent, so of 10,000 picks a tenth is easily missed by 3 %
    of it, as chance has it. With ``EvenDraws`` a share of a twentieth or more is
    within 3 % of its weight over so many picks, in any order as before.

    brpc draws up to n times from all and then walks over those not drawn; to
    draw once from those that may be chosen gives the same shares, and always
    finds one when there is one. Servers without a weight are not chosen, unless
    the parameter ``default_weight`` gives them one.
    """

    __slots__ = ("_draws", "_weighted")

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        self._draws = EvenDraws(entropy)
        self._weighted = WeightedServers(default_weight(params, "wr"))

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return a server that is up, one that was tried only when no other is; None when none is up."""
        weights = self._weighted.of(servers)
        up = {server: weight for server, weight in weights.items() if server not in request.unavailable}
        fresh = {server: weight for server, weight in up.items() if server not in request.excluded}
        candidates = fresh or up
        if not candidates:
            return None
        draw = self._draws.draw(sum(candidates.values()))
        sums = accumulate(candidates.values())
        return next(server for server, upto in zip(candidates, sums, strict=True) if draw < upto)

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool, now_ms: int = 0) -> None:
        """Learn nothing: weights are given."""
