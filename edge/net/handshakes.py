"""Whose TLS handshake goes on next, and for how much of the loop's time; the clocks are given.

A handshake costs 0.6 to 1.2 ms of signing, what a hundred players cost. So a flood of them gets a share of
the loop's time, in pieces of a few milliseconds, between which the players have their
turns. Only so many are in progress; the others wait in order of arrival with their
bytes still in the kernel, and those for whom it would be too late anyway are given up early:
else, under overload, everybody would be begun and nobody finished.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

# In one turn of the loop, for all of them together; less than the shortest flush interval.
_TURN_US = 4000
# Of the loop's time: as much as nothing else uses, and even if all of it is in use as much as ...
_LEAST_PCT, _MOST_PCT = 40, 85
_WINDOW_US = 200_000
# How long a silent peer keeps a place that others wait for, where nothing else limits its time.
_PLACE_MS = 1000


class Budget:
    """Time that handshakes may take of the loop.

    ``now_us`` is the monotonic clock, ``cpu_us`` the CPU time of the loop's thread, whatever it was
    used for. What is taken counts by the clock, for so long do the players wait; on a busy machine
    that is more than the CPU time, and what others have used of that is scaled alike.
    """

    __slots__ = ("_left_us", "_now_us", "_own_cpu_us", "_own_us", "_since_cpu_us", "_since_us", "share_pct")

    def __init__(self, now_us: int, cpu_us: int) -> None:
        self._now_us = self._since_us = now_us
        self._since_cpu_us = cpu_us
        self._own_us = self._own_cpu_us = 0
        self._left_us = _TURN_US
        self.share_pct = _MOST_PCT

    @property
    def has_some(self) -> bool:
        """Whether another step may be taken in this turn."""
        return self._left_us > 0

    def begin_turn(self, now_us: int, cpu_us: int) -> None:
        """Time has come back since the last turn, though never more than one turn may take."""
        elapsed_us, self._now_us = now_us - self._now_us, now_us
        self._left_us = min(_TURN_US, self._left_us + elapsed_us * self.share_pct // 100)
        window_us = now_us - self._since_us
        if window_us >= _WINDOW_US:
            others_us = max(cpu_us - self._since_cpu_us - self._own_cpu_us, 0)
            if self._own_us > self._own_cpu_us > 0:
                others_us = others_us * self._own_us // self._own_cpu_us
            self.share_pct = min(max(_LEAST_PCT, _MOST_PCT - others_us * 100 // window_us), _MOST_PCT)
            self._since_us, self._since_cpu_us = now_us, cpu_us
            self._own_us = self._own_cpu_us = 0

    def spend(self, took_us: int, took_cpu_us: int) -> None:
        """A step took so much."""
        self._left_us -= took_us
        self._own_us += took_us
        self._own_cpu_us += took_cpu_us

    def delay_ms(self, now_us: int) -> int:
        """How long until a turn will have some; 0 for the next."""
        if self._left_us > 0:
            return 0
        return max(0, -((self._left_us - 1) * 100 // self.share_pct) - (now_us - self._now_us) + 999) // 1000


Item = TypeVar("Item", bound=Hashable)


class _Entry:
    __slots__ = ("accepted_ms", "began_ms", "is_idle")

    def __init__(self, accepted_ms: int) -> None:
        self.accepted_ms = accepted_ms
        self.began_ms = 0
        self.is_idle = False


class HandshakeQueue(Generic[Item]):
    """Handshakes that have been accepted and are not over.

    ``add`` each once; in each turn ``take`` says whom to step, ``stepped`` what came of it;
    ``wake`` that its peer has sent or taken something. ``timeout_ms`` counts from when it was
    accepted; 0 is no limit as long as there are places.
    """

    def __init__(self, *, max_pending: int, timeout_ms: int, now_us: int, cpu_us: int) -> None:
        self.max_pending = max_pending
        self.timeout_ms = timeout_ms
        self._budget = Budget(now_us, cpu_us)
        self._waiting: dict[Item, _Entry] = {}
        self._pending: dict[Item, _Entry] = {}
        self._ready: deque[Item] = deque()
        self._is_turn_of_new = False
        self._taken_us, self._taken_cpu_us = now_us, cpu_us

    def __len__(self) -> int:
        return len(self._waiting) + len(self._pending)

    @property
    def waiting_count(self) -> int:
        """How many have not begun."""
        return len(self._waiting)

    def add(self, item: Item, accepted_ms: int) -> None:
        """One more, behind all the others."""
        self._waiting[item] = _Entry(accepted_ms)

    def wake(self, item: Item) -> None:
        """It can go on; harmless when that is known, or it is over."""
        entry = self._pending.get(item)
        if entry is not None and entry.is_idle:
            entry.is_idle = False
            self._ready.append(item)

    def begin_turn(self, now_us: int, cpu_us: int) -> None:
        """A turn of the loop: see ``Budget``."""
        self._budget.begin_turn(now_us, cpu_us)

    def take(self, now_us: int, cpu_us: int) -> Item | None:
        """The one whose turn it is, which is to be ``stepped`` next; None while there is none, or no time for it."""
        if not self._budget.has_some:
            return None
        self._taken_us, self._taken_cpu_us = now_us, cpu_us
        while self._ready and self._ready[0] not in self._pending:
            self._ready.popleft()
        # Begun only when their turn comes, so that those in progress are few and soon done; but who
        # makes many small steps keeps nobody out.
        if self._has_place and (self._is_turn_of_new or not self._ready):
            self._is_turn_of_new = False
            item = next(iter(self._waiting))
            entry = self._pending[item] = self._waiting.pop(item)
            entry.began_ms = now_us // 1000
            return item
        self._is_turn_of_new = True
        return self._ready.popleft() if self._ready else None

    @property
    def _has_place(self) -> bool:
        return bool(self._waiting) and len(self._pending) < self.max_pending

    def stepped(self, item: Item, now_us: int, cpu_us: int, *, is_over: bool) -> None:
        """What ``take`` gave has had its step; if its handshake is not over it waits for its peer."""
        self._budget.spend(now_us - self._taken_us, cpu_us - self._taken_cpu_us)
        if is_over:
            self.remove(item)
        elif (entry := self._pending.get(item)) is not None:
            entry.is_idle = True

    def remove(self, item: Item) -> None:
        """It is over; harmless when it was before."""
        self._waiting.pop(item, None)
        self._pending.pop(item, None)

    def delay_ms(self, now_us: int) -> int | None:
        """How long until the next turn; None while nobody could be given a step."""
        if not self._ready and not self._has_place:
            return None
        return self._budget.delay_ms(now_us)

    def overdue(self, now_ms: int) -> list[tuple[Item, str]]:
        """Those to be given up, removed already, and why.

        In progress: after ``timeout_ms``; while others wait for its place, and it for its peer,
        a fifth of that, or a second without ``timeout_ms``, after it began. Waiting: after half of it.
        """
        timeout_ms = self.timeout_ms
        place_ms = timeout_ms // 5 if timeout_ms else _PLACE_MS
        found = []
        for item, entry in self._waiting.items():
            if not timeout_ms or now_ms - entry.accepted_ms < timeout_ms // 2:
                break  # they are in order of arrival
            found.append((item, f"{len(self._pending)} others in progress for {timeout_ms // 2} ms"))
        is_crowded = len(self._waiting) > len(found) and len(self._pending) >= self.max_pending
        for item, entry in self._pending.items():
            if timeout_ms and now_ms - entry.accepted_ms >= timeout_ms:
                found.append((item, f"not done within {timeout_ms} ms"))
            elif is_crowded and entry.is_idle and now_ms - entry.began_ms >= place_ms:
                found.append((item, f"not done within {place_ms} ms while others wait"))
        for item, _ in found:
            self.remove(item)
        return found
