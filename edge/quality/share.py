"""Which part of its viewers a node sends elsewhere while it has too much to do."""

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
