"""What keeps the event loop from its turn: the stacks it stood in while a timer was late.

An asyncio process has hardly any locks to wait for; what its clients wait for is the loop. A timer in it
fires every 5 ms and says so; a thread beside it looks at the loop's stack while that is overdue.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time

from edge.profiling.stacks import CONTENTION, FrameReader, Profile, StackTable

BEAT_S = 0.005
#: Later than this is contention; less is the work of an ordinary turn.
LATE_S = 0.02
#: Beats of which the lateness is remembered.
MAX_BEATS = 100_000


class Heart:
    """Beats in the loop until it is stopped, and remembers how late each beat was.

    Attributes:
        beaten_s: when it last did, monotonic.
        lags_ms: how late the first ``MAX_BEATS`` were.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.beaten_s = 0.0
        self.lags_ms: list[float] = []

    def start(self) -> None:
        """Begin; called in the loop."""
        self.beaten_s = time.monotonic()
        self._due_s = self.beaten_s + BEAT_S
        self._timer = self._loop.call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        late_s = max(time.monotonic() - self._due_s, 0.0)
        if len(self.lags_ms) < MAX_BEATS:
            self.lags_ms.append(late_s * 1000)
        self.start()

    def stop(self) -> None:
        """No further beat."""
        if self._timer is not None:
            self._timer.cancel()

    def late_s(self) -> float:
        """By how much the next beat is overdue now; any thread may ask."""
        return time.monotonic() - self.beaten_s - BEAT_S


def watch_loop(
    heart: Heart, thread_id: int, seconds: float, *, name: str, started_ms: int, is_stopped: threading.Event
) -> Profile:
    """Look at the loop's thread while a beat is late, for ``seconds``; called in a thread of its own."""
    table, reader = StackTable(), FrameReader()
    begun = looked_s = time.monotonic()
    seen_beat, stall_count = -1.0, 0
    while (left := begun + seconds - time.monotonic()) > 0 and not is_stopped.wait(min(BEAT_S, left)):
        now = time.monotonic()
        since, looked_s = now - looked_s, now
        if heart.late_s() < LATE_S:
            continue
        is_new = heart.beaten_s != seen_beat
        if is_new:
            seen_beat, stall_count = heart.beaten_s, stall_count + 1
            since = heart.late_s()
        stack = reader.stack_of(sys._current_frames().get(thread_id))
        table.add(stack, int(since * 1e9), count=int(is_new))
    facts = {"late_count": stall_count, **lag_facts(heart.lags_ms)}
    duration_ms = round((time.monotonic() - begun) * 1000)
    return Profile(CONTENTION, name, started_ms, duration_ms, int(BEAT_S * 1e9), table.rows(), facts)


def lag_facts(lags_ms: list[float]) -> dict[str, int | float]:
    """Count, median, 99th percentile and worst of the lateness of the beats."""
    ranked = sorted(lags_ms)
    if not ranked:
        return {"beat_count": 0}
    return {
        "beat_count": len(ranked),
        "lag_50_ms": round(ranked[len(ranked) // 2], 1),
        "lag_99_ms": round(ranked[min(len(ranked) * 99 // 100, len(ranked) - 1)], 1),
        "lag_max_ms": round(ranked[-1], 1),
    }
