"""The event loop: uvloop where it is installed, asyncio's own otherwise; and how late it is."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable

from edge.net.aio import now_ms

_PERIOD_MS = 100


def thread_cpu_ms() -> int:
    """CPU time of the calling thread so far."""
    return time.thread_time_ns() // 1_000_000


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
        turn_cpu_max_ms: the longest that a turn kept others waiting by its own work: CPU time of the
            loop's thread, so that a machine busy with something else does not count.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_stall: Callable[[int], None] | None = None) -> None:
        self._loop = loop
        self._on_stall = on_stall
        self._due_ms = 0
        self._timer: asyncio.TimerHandle | None = None
        self.lag_ms = 0
        self.max_ms = 0
        self.turn_cpu_max_ms = 0
        self._cpu_ms = 0

    def start(self) -> None:
        """Begin to measure."""
        self._due_ms = now_ms() + _PERIOD_MS
        self._cpu_ms = thread_cpu_ms()
        self._timer = self._loop.call_later(_PERIOD_MS / 1000, self._fired)

    def _fired(self) -> None:
        self.lag_ms = max(now_ms() - self._due_ms, 0)
        self.max_ms = max(self.max_ms, self.lag_ms)
        # The turn that made this one late was no longer than that, nor did it work longer than the thread has since.
        self.turn_cpu_max_ms = max(self.turn_cpu_max_ms, min(self.lag_ms, thread_cpu_ms() - self._cpu_ms))
        if self.lag_ms > 2000 and self._on_stall is not None:
            self._on_stall(self.lag_ms)
        self.start()

    def close(self) -> None:
        """Stop measuring."""
        if self._timer is not None:
            self._timer.cancel()
