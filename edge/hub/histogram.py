"""How often a measured value lay in which range: a few counts, whatever is measured."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

#: Upper bounds in milliseconds: from a hop within a rack to a player who has waited for half a minute.
BOUNDS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0, 30000.0)


class Histogram:
    """Values by range; a new value costs the same however many there have been.

    Attributes:
        bounds: upper bounds of the ranges, ascending, each within its range; above the last one there is one more.
        counts: values in each range, one more than there are bounds.
        count: all values.
        total: their sum.
    """

    __slots__ = ("bounds", "count", "counts", "total")

    def __init__(self, bounds: Sequence[float] = BOUNDS_MS) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.count = 0
        self.total = 0.0

    def observe(self, value: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.count += 1
        self.total += value

    def merge(self, other: Histogram) -> None:
        """Count the values of ``other`` here too.

        Raises:
            ValueError: it has other ranges.
        """
        if other.bounds != self.bounds:
            raise ValueError(f"ranges {other.bounds} are not {self.bounds}")
        self.counts = [ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True)]
        self.count += other.count
        self.total += other.total

    @property
    def mean(self) -> float:
        """Their mean, 0 without any."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """A value that ``share`` (0 to 1) of all do not exceed, as far as the ranges tell; 0 without any.

        Within a range the values are taken to lie evenly; of the one above the last bound that bound is given.
        """
        wanted, below, lower = share * self.count, 0, 0.0
        if not self.count:
            return 0.0
        for bound, number in zip(self.bounds, self.counts, strict=False):
            if number and below + number >= wanted:
                return lower + (bound - lower) * max(wanted - below, 0.0) / number
            below += number
            lower = bound
        return self.bounds[-1] if self.bounds else 0.0
