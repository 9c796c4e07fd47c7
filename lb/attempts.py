"""The attempts at one server that have begun and not finished; times in microseconds."""

from __future__ import annotations

from collections import deque

# An attempt that is abandoned is never reported; it must not count for ever.
ATTEMPT_LIMIT_US = 30_000_000
# Callers count in milliseconds: an attempt of 0 ms took less than one.
_SHORTEST_US = 500
# A latency below this is no better than this: so far down it tells how busy both machines were at that
# moment, not how far apart they are, and no viewer sees it.
NEGLIGIBLE_US = 5_000
# What a failed attempt is worth at least: the default of -timeout_ms.
TIMEOUT_US = 1_000_000


def latency_us_of(latency_ms: float) -> int:
    """The latency that a caller told, never 0."""
    return max(round(latency_ms * 1000), _SHORTEST_US)


class Attempts:
    """The moments at which they began."""

    __slots__ = ("_begins",)

    def __init__(self) -> None:
        self._begins: deque[int] = deque()

    def begin(self, now_us: int) -> None:
        """An attempt begins."""
        self._begins.append(now_us)

    def finish(self, began_us: int) -> None:
        """The one that began then has finished, or else the oldest: callers may have waited before it."""
        if began_us in self._begins:
            self._begins.remove(began_us)
        elif self._begins:
            self._begins.popleft()

    def count(self, now_us: int) -> int:
        """How many are going on."""
        while self._begins and now_us - self._begins[0] > ATTEMPT_LIMIT_US:
            self._begins.popleft()
        return len(self._begins)

    def mean_age_us(self, now_us: int) -> int:
        """How long they have been going on, 0 without one."""
        count = self.count(now_us)
        return now_us - sum(self._begins) // count if count else 0
