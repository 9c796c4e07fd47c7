"""Events that wait to be told: those of one stream in order, one at a time; those of different ones side by side."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item")

#: Of all streams together.
MAX_EVENTS = 10_000


class Lanes(Generic[Item]):
    """A bounded queue with a lane for each stream, or connection.

    Attributes:
        dropped_count: the oldest, for which there was no room.
    """

    def __init__(self, max_events: int = MAX_EVENTS) -> None:
        self._max_events = max_events
        self._lanes: OrderedDict[Hashable, deque[int]] = OrderedDict()
        self._items: OrderedDict[int, tuple[Hashable, Item]] = OrderedDict()
        self._ready: OrderedDict[Hashable, None] = OrderedDict()
        self._told: set[Hashable] = set()
        self._last = 0
        self.dropped_count = 0

    def __len__(self) -> int:
        return len(self._items)

    def is_idle(self, lane: Hashable) -> bool:
        """Nothing waits in it, and nothing is being told."""
        return lane not in self._lanes and lane not in self._told

    @property
    def are_idle(self) -> bool:
        """All of them."""
        return not self._items and not self._told

    def put(self, lane: Hashable, item: Item) -> None:
        """One more, behind those of its lane; the oldest of all makes room where there is none."""
        if len(self._items) >= self._max_events:
            self._drop()
        self._last += 1
        self._items[self._last] = (lane, item)
        self._lanes.setdefault(lane, deque()).append(self._last)
        if lane not in self._told:
            self._ready[lane] = None

    def _drop(self) -> None:
        number, (lane, _) = self._items.popitem(last=False)
        waiting = self._lanes[lane]
        waiting.remove(number)  # it is the first: all others are younger
        self.dropped_count += 1
        if not waiting:
            del self._lanes[lane]
            self._ready.pop(lane, None)

    def take(self) -> tuple[Hashable, Item] | None:
        """The next that may be told, of the lane that has waited longest; ``told`` follows."""
        if not self._ready:
            return None
        lane, _ = self._ready.popitem(last=False)
        waiting = self._lanes[lane]
        _, item = self._items.pop(waiting.popleft())
        if not waiting:
            del self._lanes[lane]
        self._told.add(lane)
        return lane, item

    def told(self, lane: Hashable) -> None:
        """What was taken of it has been told, or given up."""
        self._told.discard(lane)
        if lane in self._lanes:
            self._ready[lane] = None

    def clear(self) -> int:
        """Nothing more can be told; returns how much that was."""
        count = len(self._items)
        for each in (self._items, self._lanes, self._ready):
            each.clear()
        self.dropped_count += count
        return count
