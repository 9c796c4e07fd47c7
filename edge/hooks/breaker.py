"""Leaves a dead server alone: after a few failures in a row nobody waits for it any more."""

from __future__ import annotations

#: So many in a row open it.
FAILURES = 5
#: How often it is tried, then: at first, and at most.
FIRST_PROBE_MS, LAST_PROBE_MS = 1000, 10_000


class Breaker:
    """That of one URL.

    Attributes:
        is_open: calls count as unanswered at once.
    """

    __slots__ = ("_failure_count", "_probe_at_ms", "_wait_ms", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._failure_count = 0
        self._probe_at_ms = 0
        self._wait_ms = FIRST_PROBE_MS

    def is_probe_due(self, now_ms: int) -> bool:
        """Whether this question is to be put all the same, to see whether it is answered again; once per interval."""
        if not self.is_open or now_ms < self._probe_at_ms:
            return False
        self._wait_ms = min(2 * self._wait_ms, LAST_PROBE_MS)
        self._probe_at_ms = now_ms + self._wait_ms
        return True

    def succeeded(self) -> None:
        """It has answered, be it no."""
        self.is_open = False
        self._failure_count = 0
        self._wait_ms = FIRST_PROBE_MS

    def failed(self, now_ms: int) -> bool:
        """It has not; returns whether that has opened it."""
        self._failure_count += 1
        if self.is_open or self._failure_count < FAILURES:
            return False
        self.is_open = True
        self._wait_ms = FIRST_PROBE_MS
        self._probe_at_ms = now_ms + FIRST_PROBE_MS
        return True
