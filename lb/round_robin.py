"""The round-robin balancer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

from lb.base import SelectRequest
from lb.recovery import recover_policy
from lb.registry import Entropy, register
from naming.node import ServerNode

# Strides are primes of this range: above any list length, so coprime with it, and
# far enough apart that two processes seldom walk in step.
_SMALLEST_STRIDE = 36809
_LARGEST_STRIDE = 41579


@cache
def strides() -> tuple[int, ...]:
    """The primes from which a stride is drawn, in rising order."""
    return tuple(
        number
        for number in range(_SMALLEST_STRIDE, _LARGEST_STRIDE + 1)
        if all(number % divisor for divisor in range(2, math.isqrt(number) + 1))
    )


def walk(
    servers: Sequence[ServerNode], request: SelectRequest, offset: int, stride: int
) -> tuple[ServerNode | None, int]:
    """Step over a list that is not empty until a server may be chosen.

    Returns it, None when none is up, and the offset of the last step. The last
    server of a walk that is up is taken even when it was tried before
    (``excluded``). brpc does so only when it stands at the very last step and
    otherwise reports that all are down; to try again is what a player needs.
    """
    last_chance = None
    for _ in range(len(servers)):
        offset = (offset + stride) % len(servers)
        server = servers[offset]
        if server in request.unavailable:
            continue
        if server not in request.excluded:
            return server, offset
        last_chance = server
    return last_chance, offset


@register("rr", may_recover=True)
class RoundRobin:
    """Walk the list with a fixed random stride from a random start.

    Each server is visited once per ``len(servers)`` picks, though not in list
    order, so that many processes with one list do not all begin with its head.
    """

    __slots__ = ("_entropy", "_offset", "_recovery", "_stride")

    def __init__(self, params: Mapping[str, str], entropy: Entropy) -> None:
        self._entropy = entropy
        self._recovery = recover_policy(params, entropy, "rr")
        self._stride = 0
        self._offset = 0

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return the next server that is up, or None when none is or recovery refuses."""
        narrowed = self._recovery.narrow(servers, request) if self._recovery is not None else request
        if not servers or narrowed is None:
            return None
        if self._stride == 0:
            self._stride = strides()[self._entropy(len(strides()))]
            self._offset = self._entropy(len(servers))
        server, self._offset = walk(servers, narrowed, self._offset, self._stride)
        if server is None and self._recovery is not None:
            self._recovery.begin(request.now_ms)
        return server

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool, now_ms: int = 0) -> None:
        """Learn nothing: turns do not depend on results."""
