"""When a node has too much to do, and who suffers for it first: newcomers, then caches, then the slowest players.

Two things run out: memory, which the kernel ends a process for, and the loop's time, which shows in how late its
timers fire. Each has a ladder of states. One is entered as soon as its mark is reached, and left when the figure
has been below the mark by a twentieth for five seconds, so that it does not flicker. Publishers are closed for
neither.

    memory, of the limit   85 %: refuse newcomers    92 %: cut caches too    97 %: close players too
    lag of the loop        overload_lag_ms: refuse   1000 ms: cut caches too
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from edge.service.admission import Answer
from edge.service.config import OverloadConfig
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest

#: Of the limit of memory: from here on newcomers are refused, caches cut, players closed.
MEMORY_MARKS_PCT = (85, 92, 97)
#: A loop that is so late works off what it has, no more.
CUTTING_LAG_MS = 1000
LEAVING_SHARE = 0.95
LEAVING_MS = 5000
#: When clients that were refused may ask again: no state is left earlier.
RETRY_AFTER_S = LEAVING_MS // 1000


class Level(IntEnum):
    """What is done; each level includes those before it."""

    CALM = 0
    REFUSING = 1
    CUTTING = 2
    CLOSING = 3


class Ladder:
    """Levels of one figure.

    Attributes:
        level: how many marks are in force.
    """

    __slots__ = ("_below_since_ms", "_marks", "level")

    def __init__(self, marks: Sequence[float]) -> None:
        """``marks`` rise."""
        self._marks = tuple(marks)
        self._below_since_ms: int | None = None
        self.level = 0

    def look(self, value: float, now_ms: int) -> None:
        """Take the figure of this moment."""
        reached = sum(value >= mark for mark in self._marks)
        if reached >= self.level:
            self.level, self._below_since_ms = reached, None
        if not self.level or value >= self._marks[self.level - 1] * LEAVING_SHARE:
            self._below_since_ms = None
        elif self._below_since_ms is None:
            self._below_since_ms = now_ms
        elif now_ms - self._below_since_ms >= LEAVING_MS:
            # Of the next level below, the five seconds begin now, unless it is in force.
            self.level, self._below_since_ms = self.level - 1, now_ms


class OverloadGuard:
    """The states of one process; a rule of each of its services while it refuses newcomers (``Rule``).

    Attributes:
        limit_bytes: of memory; 0 for none.
        resident_bytes: as it was told last.
        refused_count: newcomers that were refused.
    """

    def __init__(self, config: OverloadConfig, limit_bytes: int) -> None:
        """``limit_bytes``: what ``max_memory_mb`` means here."""
        self.limit_bytes = self.resident_bytes = 0
        self.refused_count = 0
        self._lag_ms = 0
        self.reconfigure(config, limit_bytes)

    def reconfigure(self, config: OverloadConfig, limit_bytes: int) -> None:
        """Other marks; what was reached of the old ones is looked at anew."""
        self.limit_bytes = limit_bytes
        self._is_on = config.circuit_breaker
        self._memory = Ladder(MEMORY_MARKS_PCT)
        least = config.overload_lag_ms
        self._lag = Ladder((least, max(least, CUTTING_LAG_MS)) if least > 0 else ())

    def look(self, now_ms: int, *, resident_bytes: int | None, lag_ms: int) -> None:
        """Take the figures of this moment; meant for some times a second.

        ``resident_bytes``: None where the system does not tell. ``lag_ms``: what nine of ten turns lately kept.
        """
        if not self._is_on:
            return
        self._lag_ms = lag_ms
        self._lag.look(lag_ms, now_ms)
        if resident_bytes is not None:
            self.resident_bytes = resident_bytes
            self._memory.look(self.memory_share * 100, now_ms)

    @property
    def memory_share(self) -> float:
        """How much of the limit is in use, 0.0 without one."""
        return self.resident_bytes / self.limit_bytes if self.limit_bytes else 0.0

    @property
    def level(self) -> Level:
        """What is done now."""
        return Level(max(self._memory.level, self._lag.level))

    @property
    def cause(self) -> str:
        """``memory``, ``lag``, or "" while calm: of two the one that does more."""
        if self.level is Level.CALM:
            return ""
        return "memory" if self._memory.level >= self._lag.level else "lag"

    @property
    def reason(self) -> str:
        """The state in words, with its figures and the flag that moves it; "" while calm."""
        if self.cause == "memory":
            used, limit = self.resident_bytes >> 20, self.limit_bytes >> 20
            return f"memory {used} MiB of {limit} MiB (-max_memory_mb)"
        return f"the loop is {self._lag_ms} ms late (-overload_lag_ms)" if self.cause else ""

    @property
    def refusal(self) -> Refusal | None:
        """What a newcomer is told, None while it may come."""
        if self.level is Level.CALM:
            return None
        return Refusal(Reason.OVERLOADED, f"the server is overloaded: {self.reason}")

    def refuse(self) -> Refusal | None:
        """The same for one who has come now: he is counted."""
        refusal = self.refusal
        self.refused_count += refusal is not None
        return refusal

    def check(self, request: PlayRequest | PublishRequest, later: Answer) -> Refusal | None:
        """See ``Rule``."""
        return self.refuse()
