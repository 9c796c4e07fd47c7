"""What is due when: slots and connections that write for themselves, by ticks of 5 ms.

A turn of the loop takes hardly longer than its budget, however much there is
to send; what is left goes on in the next.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from edge.net.fan.interval import FlushInterval
from edge.net.fan.player import Slot

TICK_MS = 5
_WHEEL_TICKS = 256
#: A turn of the loop takes hardly longer, however much there is to send.
TURN_BUDGET_NS = 10_000_000


class Pumpable(Protocol):
    """A connection with several streams, which writes for itself."""

    is_pump_scheduled: bool

    def pump(self) -> int:
        """Send what is due; returns the number of calls."""
        ...

    def failed_internally(self) -> None:
        """An exception of ours came out of ``pump`` and is being handled."""
        ...


class Wheel:
    """Calls ``flush_slot`` and ``run_pump`` when a slot's, a connection's turn has come.

    Attributes:
        tick: the last one that has been worked off, or in which there was nothing to do.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        flush: FlushInterval,
        *,
        now_ms: Callable[[], int],
        flush_slot: Callable[[Slot], None],
        run_pump: Callable[[Pumpable], None],
    ) -> None:
        self.tick = 0
        self._loop = loop
        self._flush = flush
        self._now_ms = now_ms
        self._flush_slot = flush_slot
        self._run_pump = run_pump
        self._wheel: list[list[Slot | Pumpable]] = [[] for _ in range(_WHEEL_TICKS)]
        self._ticker: asyncio.TimerHandle | None = None
        self._armed_tick = 0  # for which the ticker is set
        self._leftover: deque[Slot | Pumpable] = deque()
        self._pumps: list[Pumpable] = []
        self._is_flush_due = False
        self._is_working = False  # ticks are being worked off

    def schedule(self, slot: Slot) -> None:
        """Have ``slot`` flushed when its turn comes."""
        slot.is_scheduled = True
        self._put(slot, max(slot.due_tick, self._now_ms() // TICK_MS + 1))

    def flush_now(self, slots: list[Slot]) -> None:
        """Flush one slot after the other; what a turn of the loop has no time for comes in the next."""
        until = time.monotonic_ns() + TURN_BUDGET_NS
        for slot in list(slots):
            if slot.is_scheduled:
                continue
            if time.monotonic_ns() < until:
                self._flush_slot(slot)
                continue
            slot.is_scheduled = True
            self._leftover.append(slot)
            if not self._is_flush_due:
                self._is_flush_due = True
                self._loop.call_soon(self._flush_due)

    def schedule_pump(self, pump: Pumpable) -> None:
        """Let ``pump`` write with the next flush; with an automatic interval it waits no longer than it takes to merge.

        It writes to other nodes mostly, whose own players wait again.
        """
        if pump.is_pump_scheduled:
            return
        pump.is_pump_scheduled = True
        delay_ms = self._flush.pump_delay_ms
        if delay_ms == 0:
            if not self._pumps:
                self._loop.call_soon(self._pump_all)
            self._pumps.append(pump)
        else:
            self._put(pump, (self._now_ms() + delay_ms) // TICK_MS)

    def close(self) -> None:
        """Stop the ticker."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    def _pump_all(self) -> None:
        pumps, self._pumps = self._pumps, []
        for pump in pumps:
            self._run_pump(pump)

    def _put(self, item: Slot | Pumpable, due_tick: int) -> None:
        now_tick = self._now_ms() // TICK_MS
        if not self._is_working and (self._ticker is None or self._armed_tick > now_tick):
            self.tick = max(now_tick, self.tick)  # nothing was due until now
        due_tick = min(max(due_tick, max(now_tick, self.tick) + 1), self.tick + _WHEEL_TICKS - 1)
        self._wheel[due_tick % _WHEEL_TICKS].append(item)
        if self._ticker is None or due_tick < self._armed_tick:
            self._arm(due_tick)

    def _arm(self, tick: int) -> None:
        """Wake at ``tick``, the next one for which there is something."""
        if self._ticker is not None:
            self._ticker.cancel()
        self._armed_tick = tick
        delay_ms = tick * TICK_MS - self._now_ms()
        self._ticker = self._loop.call_later(max(delay_ms, 1) / 1000, self._on_tick)

    def _on_tick(self) -> None:
        """Flush what has come due; a late timer makes up for the ticks it missed."""
        self._ticker = None
        wheel, now_tick = self._wheel, self._now_ms() // TICK_MS
        for tick in range(self.tick + 1, min(now_tick, self.tick + _WHEEL_TICKS) + 1):
            due = wheel[tick % _WHEEL_TICKS]
            if due:
                wheel[tick % _WHEEL_TICKS] = []
                self._leftover.extend(due)
        self.tick = max(now_tick, self.tick)
        self._is_working = True
        try:
            if not self._is_flush_due:
                self._flush_due()
        finally:
            self._is_working = False
            ahead = (tick for tick in range(self.tick + 1, self.tick + _WHEEL_TICKS) if wheel[tick % _WHEEL_TICKS])
            next_tick = next(ahead, None)
            if next_tick is not None and (self._ticker is None or next_tick < self._armed_tick):
                self._arm(next_tick)

    def _flush_due(self) -> None:
        """Work off what is due; never twice in a turn of the loop, or turns would grow under load."""
        until = time.monotonic_ns() + TURN_BUDGET_NS
        leftover = self._leftover
        try:
            while leftover:
                item = leftover.popleft()
                if isinstance(item, Slot):
                    item.is_scheduled = False
                    interval_ticks = max(item.fan.flush_interval.interval_ms // TICK_MS, 1)
                    item.due_tick = max(item.due_tick, self.tick - interval_ticks) + interval_ticks
                    if item.fan.end_reason is None:
                        self._flush_slot(item)
                else:
                    self._run_pump(item)
                if time.monotonic_ns() > until:
                    break
        finally:
            self._is_flush_due = bool(leftover)
            if leftover:
                self._loop.call_soon(self._flush_due)
