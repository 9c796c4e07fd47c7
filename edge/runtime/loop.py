"""The event loop: uvloop where it is installed, asyncio's own otherwise; and how late it is."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from collections import deque

logger = logging.getLogger(__name__)

_PERIOD_MS = 100
_RECENT = 10
#: A wall clock that differs by more from one tick to the next has been set.
_CLOCK_STEP_MS = 1000
# Of a mean that is to be made of the last 5 s.
_WEIGHT = _PERIOD_MS / 5000


def now_ms() -> int:
    """Monotonic milliseconds with all gaps: how late the loop is must not be hidden from who measures it."""
    return time.monotonic_ns() // 1_000_000


def thread_cpu_ms() -> int:
    """CPU time of the calling thread so far."""
    return time.thread_time_ns() // 1_000_000


def process_cpu_ms() -> int:
    """CPU time of the process so far, all threads."""
    return time.process_time_ns() // 1_000_000


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Make the loop that the daemon runs on."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class LagProbe:
    """Measures how late a timer fires: how long one turn of the loop keeps the others waiting.

    Attributes:
        lag_ms: of the last period.
        max_ms: the worst since the start.
        peak_ms: the worst since ``take_peak_ms``.
        turn_cpu_max_ms: the longest that a turn kept others waiting by its own work: CPU time of the
            loop's thread, so that a machine busy with something else does not count.
        busy_share: what the loop's thread has lately worked of the time, 0 to 1; a mean that forgets in some 5 s.
        mean_lag_ms: of ``lag_ms``, likewise.
        warn_ms: a turn of the loop that takes longer is logged; 0: none is.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, warn_ms: float = 0.0) -> None:
        self._loop = loop
        self.warn_ms = warn_ms
        self._due_ms = 0
        self._timer: asyncio.TimerHandle | None = None
        self.lag_ms = 0
        self.max_ms = self.peak_ms = 0
        self.turn_cpu_max_ms = 0
        self.busy_share = self.mean_lag_ms = 0.0
        self._recent_ms: deque[int] = deque(maxlen=_RECENT)
        self._cpu_ms = 0

    @property
    def p90_ms(self) -> int:
        """Of the last ten periods, a second where all are on time, nine were no later: one pause alone is nothing."""
        recent = sorted(self._recent_ms)
        return recent[-2] if len(recent) == _RECENT else 0

    def start(self) -> None:
        """Begin to measure."""
        self._due_ms = now_ms() + _PERIOD_MS
        self._cpu_ms = thread_cpu_ms()
        self._timer = self._loop.call_later(_PERIOD_MS / 1000, self._fired)

    def _fired(self) -> None:
        self.lag_ms = max(now_ms() - self._due_ms, 0)
        self._recent_ms.append(self.lag_ms)
        self.max_ms = max(self.max_ms, self.lag_ms)
        self.peak_ms = max(self.peak_ms, self.lag_ms)
        share = (thread_cpu_ms() - self._cpu_ms) / (_PERIOD_MS + self.lag_ms)
        self.busy_share += (min(share, 1.0) - self.busy_share) * _WEIGHT
        self.mean_lag_ms += (self.lag_ms - self.mean_lag_ms) * _WEIGHT
        # The turn that made this one late was no longer than that, nor did it work longer than the thread has since.
        turn_cpu_ms = min(self.lag_ms, thread_cpu_ms() - self._cpu_ms)
        self.turn_cpu_max_ms = max(self.turn_cpu_max_ms, turn_cpu_ms)
        if 0 < self.warn_ms < self.lag_ms:
            logger.warning("loop stalled for_ms=%d own_cpu_ms=%d", self.lag_ms, turn_cpu_ms)
        self.start()

    def take_peak_ms(self) -> int:
        """The worst since the last call, of the one who keeps a history."""
        peak_ms, self.peak_ms = self.peak_ms, 0
        return peak_ms

    def close(self) -> None:
        """Stop measuring."""
        if self._timer is not None:
            self._timer.cancel()


class ClockWatch:
    """Says when the wall clock has been set: stamps of logs, certificates' dates and marks of other nodes go by it."""

    def __init__(self, now_ms: int, wall_ms: int) -> None:
        self._ahead_ms = wall_ms - now_ms

    def look(self, now_ms: int, wall_ms: int) -> None:
        """Once a second; ``now_ms`` is monotonic."""
        before, self._ahead_ms = self._ahead_ms, wall_ms - now_ms
        step_ms = self._ahead_ms - before
        if abs(step_ms) > _CLOCK_STEP_MS:
            logger.warning("wall clock was set by_ms=%+d", step_ms)
