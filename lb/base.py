"""The contract of a load balancer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        unavailable: servers that nobody may ask now.
        now_ms: the caller's clock, for balancers that learn; it never goes back.
        loads: streams that each server carries for the caller now, servers that
            carry none may be left out; None when the caller does not count.
        down: servers that are not up, be they more than those that nobody may ask.
    """

    code: int = 0
    excluded: frozenset[ServerNode] = frozenset()
    unavailable: frozenset[ServerNode] = frozenset()
    now_ms: int = 0
    loads: Mapping[ServerNode, int] | None = None
    down: frozenset[ServerNode] = frozenset()


@dataclass(frozen=True, slots=True)
class Traits:
    """What whoever uses a balancer must know of its kind.

    Attributes:
        has_owners: each key belongs to one server, by a ring whose points per server are ``replicas``.
        is_learning: it goes by latencies, to which a failure is a long one.
        may_recover: with parameters it refuses requests for a while after all servers were down.
        needs_weights: it leaves out servers whose tag is no weight.
    """

    has_owners: bool = False
    is_learning: bool = False
    may_recover: bool = False
    needs_weights: bool = False


class LoadBalancer(Protocol):
    """Chooses servers; one instance per target, used from one thread."""

    def select(self, servers: Sequence[ServerNode], request: SelectRequest) -> ServerNode | None:
        """Return a server of ``servers`` or None when none is available."""
        ...

    def feedback(self, server: ServerNode, latency_ms: float, is_ok: bool, now_ms: int = 0) -> None:
        """Learn from one attempt that finished at ``now_ms``; most balancers ignore it."""
        ...
