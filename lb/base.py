"""The contract of a load balancer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from naming.node import ServerNode


class BalancerError(Exception):
    """An unknown balancer or a bad parameter; the text lists the valid names."""


@dataclass(frozen=True, slots=True)
class SelectRequest:
    """What a selection depends on.

    Attributes:
        code: 32-bit hash of the stream key (MurmurHash3 x86-32, seed 0).
        excluded: servers already tried for this request; stepped over while
            another one is available.
        unavailable: servers that are down (isolated) now.
    """

    code: int = 0
    excluded: frozenset[ServerNode] = frozenset()
    unavailable: frozenset[ServerNode] = frozenset()


class LoadBalancer(Protocol):
    """Chooses servers; one instance per target, used from one thread."""

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return a server of ``servers`` or None when none is available."""
        ...

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool) -> None:
        """Learn from one finished attempt; most balancers ignore it."""
        ...
