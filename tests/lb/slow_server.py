"""One of three servers becomes 50 ms slower for a while, in virtual time: what share it gets meanwhile and after."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass

from lb import registry
from lb.base import SelectRequest
from naming.node import ServerNode

SERVERS = tuple(ServerNode("10.0.0.1", port, "1") for port in (1, 2, 3))
SLOWER_MS = 50
_SLOW_FROM_MS, _RECOVERS_MS, _END_MS = 10_000, 50_000, 120_000
#: Pulls per second over all runs of a cell: so many that its shares are steady.
_SUM_PER_S = 240


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the third server: 30 to 40 s after it became slow, and 40 to 70 s after it recovered."""

    slow: float
    recovered: float


def shares(spec: str, base_ms: int, per_s: int) -> Shares:
    """The mean over several seeds; pulls come at random, answers take ``base_ms`` and up to 1 ms or 20 % more."""
    runs = [_run(spec, base_ms, per_s, seed) for seed in range(_SUM_PER_S // per_s)]
    picks = [pick for run in runs for pick in run]
    windows = ((_SLOW_FROM_MS + 30_000, _RECOVERS_MS), (_RECOVERS_MS + 40_000, _END_MS))
    chosen = [[server for at_ms, server in picks if begin <= at_ms < end] for begin, end in windows]
    return Shares(*(window.count(SERVERS[2]) / len(window) for window in chosen))


def _run(spec: str, base_ms: int, per_s: int, seed: int) -> list[tuple[int, ServerNode]]:
    chance, order = random.Random(seed), itertools.count()
    balancer = registry.create(spec, entropy=chance.randrange)
    answers: list[tuple[int, int, int, ServerNode]] = []
    picks: list[tuple[int, ServerNode]] = []
    now_ms = 0
    while now_ms < _END_MS:
        while answers and answers[0][0] <= now_ms:
            end_ms, _, latency_ms, server = heapq.heappop(answers)
            balancer.feedback(server, latency_ms, True, end_ms)
        chosen = balancer.select(SERVERS, SelectRequest(now_ms=now_ms))
        assert chosen is not None
        picks.append((now_ms, chosen))
        is_slow = chosen == SERVERS[2] and _SLOW_FROM_MS <= now_ms < _RECOVERS_MS
        latency_ms = base_ms + SLOWER_MS * is_slow + chance.randint(0, max(base_ms // 5, 1))
        heapq.heappush(answers, (now_ms + latency_ms, next(order), latency_ms, chosen))
        now_ms += max(round(chance.expovariate(per_s / 1000)), 1)
    return picks
