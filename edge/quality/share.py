"""Which part of its viewers a node sends elsewhere: while it has too much to do, and while its line is too slow."""

from __future__ import annotations

#: So much more, or less, at each step: what a step has changed is seen before the next.
STEP = 0.25


class LoadShare:
    """Grows by steps while the load is high, shrinks while it is low, and stays in between.

    Attributes:
        share: 0 for nobody, 1 for all.
    """

    def __init__(self, *, high: float, low: float, step_ms: int) -> None:
        """``high``, ``low``: loads, 1 for all that a node can do; ``high`` 0: no load is too high."""
        self.share = 0.0
        self._high = high
        self._low = min(low, high)
        self._step_ms = step_ms
        self._stepped_ms: int | None = None

    def note(self, load: float, now_ms: int) -> None:
        """The load at a moment; to be told at least as often as steps are made."""
        if not self._high:
            return
        wanted = STEP if load >= self._high else -STEP if load < self._low else 0.0
        is_due = self._stepped_ms is None or now_ms - self._stepped_ms >= self._step_ms
        share = min(max(self.share + wanted, 0.0), 1.0)
        if is_due and share != self.share:
            self.share, self._stepped_ms = share, now_ms


class LateShare:
    """All, as soon as media come too late: a quarter of them less would help nobody. They come back by steps.

    Attributes:
        share: 0 for nobody, 1 for all.
    """

    def __init__(self, *, most: float, hold_ms: int, step_ms: int) -> None:
        """``most``: the part of media that may be late, 0 for all; ``hold_ms``: how long all stay away at the least."""
        self.share = 0.0
        self._most = most
        self._hold_ms = hold_ms
        self._step_ms = step_ms
        self._next_ms = 0

    def note(self, late: float, now_ms: int) -> bool:
        """The part that is late at a moment; whether viewers are sent away for that from now on."""
        if self._most and late >= self._most:
            has_begun = self.share < 1
            self.share, self._next_ms = 1.0, now_ms + self._hold_ms
            return has_begun
        if self.share and now_ms >= self._next_ms:
            self.share, self._next_ms = max(self.share - STEP, 0.0), now_ms + self._step_ms
        return False
