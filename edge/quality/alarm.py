"""When so many viewers stall that somebody should look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable

from edge.quality.session import Session

#: A stall that we heard of longer ago is over and done with.
WINDOW_MS = 60_000
#: Of fewer viewers, a few with slow lines of their own would be many.
LEAST_VIEWERS = 10


class StallAlarm:
    """Of all who report, how many have run dry in the last minute.

    Attributes:
        viewers, stalled: those who report, and those of them whose player has run dry.
        worst: the stream that has most of these; None for none.
        is_on: they are too many.
    """

    def __init__(self, pct: int) -> None:
        """``pct``: from which part of the viewers on; 0 for never."""
        self._pct = pct
        self.viewers = self.stalled = 0
        self.worst: Hashable = None
        self.is_on = False

    @property
    def share(self) -> float:
        """The part of the viewers that has run dry."""
        return self.stalled / self.viewers if self.viewers else 0.0

    def look(self, sessions: Iterable[Session], now_ms: int) -> bool:
        """Count; whether the alarm has gone on or off by that."""
        by_stream: Counter[Hashable] = Counter()
        self.viewers = 0
        for session in sessions:
            if not session.has_left:
                self.viewers += 1
                stalled_ms = session.stalled_at_ms
                if stalled_ms is not None and now_ms - stalled_ms <= WINDOW_MS:
                    by_stream[session.stream] += 1
        self.stalled = by_stream.total()
        self.worst = by_stream.most_common(1)[0][0] if by_stream else None
        before = self.is_on
        is_high = 100 * self.stalled >= self._pct * self.viewers
        self.is_on = bool(self._pct) and self.viewers >= LEAST_VIEWERS and is_high
        return self.is_on != before
