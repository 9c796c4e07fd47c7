"""Deadlines of many owners, which are looked at together."""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable
from typing import Protocol

logger = logging.getLogger(__name__)

#: Deadlines of one step are looked at together: thousands of connections wait for theirs.
_STEP_MS = 50


class Timed(Protocol):
    """Something with deadlines of its own."""

    def next_deadline_ms(self) -> int | None:
        """When ``on_deadline`` is to be called, or None."""
        ...

    def on_deadline(self, now_ms: int) -> None:
        """The deadline has passed."""
        ...

    def abort(self, why: str) -> None:
        """Close at once."""
        ...


class Deadlines:
    """Those of one event loop.

    Attributes:
        failed_count: exceptions that a handler let escape; its owner has been ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, now_ms: Callable[[], int]) -> None:
        self._loop = loop
        self._now_ms = now_ms
        self._steps: dict[int, list[weakref.ref[Timed]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._armed_step = 0  # for which the timer is set
        self.failed_count = 0

    def watch(self, timed: Timed, at_ms: int) -> None:
        """Call ``timed.on_deadline`` at ``at_ms``, or up to 50 ms later; it may have moved its deadline by then.

        What has ended must not be kept, with all it received, until its
        deadline: only a weak reference is held.
        """
        step = at_ms // _STEP_MS + 1
        self._steps.setdefault(step, []).append(weakref.ref(timed))
        if self._timer is None or step < self._armed_step:
            self._wake_at(step)

    def _wake_at(self, step: int) -> None:
        """Look at the next step when it has passed, not before: most are seconds away, and renewed until then."""
        if self._timer is not None:
            self._timer.cancel()
        self._armed_step = step
        delay_ms = max(step * _STEP_MS - self._now_ms(), 1)
        self._timer = self._loop.call_later(delay_ms / 1000, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._now_ms()
        for step in sorted(step for step in self._steps if step * _STEP_MS <= now):
            for reference in self._steps.pop(step):
                timed = reference()
                at_ms = timed.next_deadline_ms() if timed is not None else None
                if timed is None or at_ms is None:
                    continue
                if at_ms <= now:
                    if not self._pass(timed, now):
                        continue
                    at_ms = timed.next_deadline_ms()
                if at_ms is not None:
                    self.watch(timed, max(at_ms, now + 1))
        if self._steps:
            # Of those that were renewed meanwhile the first may have set the timer, and others may come before it.
            step = min(self._steps)
            if self._timer is None or step < self._armed_step:
                self._wake_at(step)

    def _pass(self, timed: Timed, now: int) -> bool:
        """False when it failed: it alone ends, the deadlines of others stand."""
        try:
            timed.on_deadline(now)
        except Exception:
            self.failed_count += 1
            logger.exception("deadline handler failed of %s", timed)
            timed.abort("internal")
            return False
        return True

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
