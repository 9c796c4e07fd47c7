"""How numbers were: 60 seconds, 60 minutes, 24 hours, 30 days, in a fixed number of bytes each (bvar's series)."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

#: Of seconds, minutes, hours, days: how many there are.
LENGTHS = (60, 60, 24, 30)
#: Values of one variable, of 8 bytes each.
TOTAL = sum(LENGTHS)
#: Variables that have a history; those that come later have none.
MAX_VARIABLES = 1000


class Series:
    """The past of one number: its value each second, and the means of the minutes, hours and days that are over."""

    __slots__ = ("_next", "_rings")

    def __init__(self) -> None:
        self._rings = tuple(array("d", bytes(8 * length)) for length in LENGTHS)
        self._next = [0] * len(LENGTHS)

    def append(self, value: float) -> None:
        """Its value in one more second."""
        for level, ring in enumerate(self._rings):
            ring[self._next[level]] = value
            self._next[level] += 1
            if self._next[level] < len(ring):
                return
            self._next[level] = 0
            value = sum(ring) / len(ring)

    def values(self) -> list[float]:
        """30 days, 24 hours, 60 minutes and 60 seconds, the oldest of each first; 0 before there was any."""
        found: list[float] = []
        for ring, place in zip(reversed(self._rings), reversed(self._next), strict=True):
            found += [*ring[place:], *ring[:place]]
        return found


class History:
    """Series by name, and what changes how fast."""

    def __init__(self, max_variables: int = MAX_VARIABLES) -> None:
        self._series: dict[str, Series] = {}
        self._max = max_variables

    def __len__(self) -> int:
        return len(self._series)

    def sample(self, values: Mapping[str, object]) -> None:
        """One more second: the numbers of ``values`` go on; what is not there any more is forgotten."""
        for name in self._series.keys() - values.keys():
            del self._series[name]
        for name, value in values.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                series = self._series.get(name)
                if series is None:
                    if len(self._series) >= self._max:
                        continue
                    series = self._series[name] = Series()
                series.append(float(value))

    def find(self, name: str) -> Series | None:
        """The past of one variable; None where there is none."""
        return self._series.get(name)

    def clear(self) -> None:
        """Forget everything."""
        self._series.clear()
