"""How a server leaves: what is due when, told from the time and from how many are left; no I/O, no clock.

```text
 begun --> NOT_READY --(start)--> CLOSE --> those who are here leave --(final)--> END
             |                      |                                             ^
             +-- nobody is here ----+------------- the limit, less end_ms --------+
```

Load balancers are given time to see that it is not ready before newcomers find nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

#: What ending those who are left may take, where the limit leaves so much.
_END_MS = 2000
#: Of a limit, what the wait before it closes to newcomers, and what the end, may take: one part in so many.
_SHARE = 4
_MIN_CHECK_MS, _MAX_CHECK_MS = 50, 1000
#: From one line about how many are left to the next.
_MIN_TELL_MS, _MAX_TELL_MS = 1000, 60_000


class Step(Enum):
    """Something that is to be done now; in this order, each once but ``TELL``."""

    #: Probes are answered that no traffic may come; all else goes on.
    NOT_READY = "not ready"
    #: Nobody new: listeners are closed, and who can go elsewhere is asked to.
    CLOSE = "closed to newcomers"
    #: A line for the log: how many are left.
    TELL = "waiting"
    #: End whoever is left, within ``end_ms``.
    END = "ending"


@dataclass(frozen=True, slots=True)
class Waits:
    """How long each part may take, in milliseconds.

    Attributes:
        start_ms: not ready, and yet open to newcomers.
        final_ms: after the last has left.
        limit_ms: all together; None for no limit.
        end_ms: what is kept of it for ending those who are left.
        needs_somebody: there is nothing to wait for where nobody is served.
    """

    start_ms: int
    final_ms: int
    limit_ms: int | None
    end_ms: int = _END_MS
    needs_somebody: bool = False


def waits_of(start_ms: int, final_ms: int, max_s: int, within_s: int | None) -> Waits:
    """Those of ``-grace_start_wait_ms``, ``-grace_final_wait_ms`` and ``-grace_max_wait_s`` (0: no limit).

    ``within_s`` is what whoever asks allows, None for as long as it takes. Within it the first wait is a quarter at
    most, the last is left out, and a server that serves nobody waits for nothing.
    """
    most_ms = max_s * 1000 or None
    if within_s is None:
        end_ms = _END_MS if most_ms is None else min(_END_MS, most_ms // _SHARE)
        return Waits(start_ms, final_ms, most_ms, end_ms)
    limit_ms = within_s * 1000 if most_ms is None else min(within_s * 1000, most_ms)
    part_ms = limit_ms // _SHARE
    return Waits(min(start_ms, part_ms), 0, limit_ms, min(_END_MS, part_ms) or _END_MS, needs_somebody=True)


class Drain:
    """One leave, from the moment that it is decided.

    Attributes:
        begun_ms: when that was.
        is_over: ``END`` has been given.
    """

    def __init__(self, waits: Waits, now_ms: int) -> None:
        self.begun_ms = now_ms
        self.is_over = False
        self._waits = waits
        self._at_end_ms = self._deadline(now_ms)
        self._is_ready = True
        self._closed_ms: int | None = None
        self._empty_ms: int | None = None
        self._check_ms = _MIN_CHECK_MS
        self._tell_every_ms = _MIN_TELL_MS
        self._tell_at_ms = 0

    def _deadline(self, now_ms: int) -> int | None:
        limit_ms = self._waits.limit_ms
        return None if limit_ms is None else now_ms + max(limit_ms - self._waits.end_ms, 0)

    @property
    def end_ms(self) -> int:
        """What ending those who are left may take."""
        return self._waits.end_ms

    def hurry(self, waits: Waits, now_ms: int) -> None:
        """Somebody wants it to be over sooner than was meant; what has been waited for has been."""
        before = self._at_end_ms
        self._waits = waits
        at_ms = self._deadline(now_ms)
        self._at_end_ms = min((each for each in (before, at_ms) if each is not None), default=None)
        self._check_ms = _MIN_CHECK_MS

    def look(self, now_ms: int, left_count: int) -> list[Step]:
        """What is due, with ``left_count`` clients that are still being served."""
        if self.is_over:
            return []
        steps = []
        if self._is_ready:
            self._is_ready = False
            steps.append(Step.NOT_READY)
        if self._is_due_to_end(now_ms, left_count):
            self.is_over = True
            return [*steps, *([Step.CLOSE] if self._closed_ms is None else []), Step.END]
        if self._closed_ms is None:
            if now_ms - self.begun_ms < self._waits.start_ms:
                return steps
            self._closed_ms, self._check_ms = now_ms, _MIN_CHECK_MS
            self._tell_at_ms = now_ms
            steps.append(Step.CLOSE)
        if left_count and now_ms >= self._tell_at_ms:
            self._tell_at_ms = now_ms + self._tell_every_ms
            self._tell_every_ms = min(2 * self._tell_every_ms, _MAX_TELL_MS)
            steps.append(Step.TELL)
        if left_count:
            self._empty_ms = None
        elif self._empty_ms is None:
            self._empty_ms = now_ms
        return [*steps, *self.look(now_ms, 0)] if not left_count and not self._waits.final_ms else steps

    def _is_due_to_end(self, now_ms: int, left_count: int) -> bool:
        if self._at_end_ms is not None and now_ms >= self._at_end_ms:
            return True
        if not left_count and self._waits.needs_somebody:
            return True
        return not left_count and self._empty_ms is not None and now_ms - self._empty_ms >= self._waits.final_ms

    def next_check_ms(self, now_ms: int) -> int:
        """In how many milliseconds to look again; ever longer while nothing happens, never beyond what is due."""
        due = [self._at_end_ms] if self._at_end_ms is not None else []
        if self._closed_ms is None:
            due.append(self.begun_ms + self._waits.start_ms)
        elif self._empty_ms is not None:
            due.append(self._empty_ms + self._waits.final_ms)
        check_ms = min([self._check_ms, *(max(at_ms - now_ms, 1) for at_ms in due)])
        self._check_ms = min(2 * self._check_ms, _MAX_CHECK_MS)
        return check_ms
