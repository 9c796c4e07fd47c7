"""Ends what was let in for a time, when that is over."""

from __future__ import annotations

import heapq
import weakref
from itertools import count
from typing import TYPE_CHECKING

from edge.service.refusal import Reason, Refusal

if TYPE_CHECKING:
    from edge.service.grants import Play, Publish

    Ending = tuple[int, int, weakref.ref[Play | Publish]]

_LEAST_SWEPT = 1024
_OVER = Refusal(Reason.EXPIRED, "the time for which it was let in is over")


class Lifetimes:
    """The grants that end by themselves, by when: nothing for all the others.

    What has been given back before is dropped when its time comes, or when most of them are such: a time may be years.
    """

    def __init__(self) -> None:
        self._heap: list[Ending] = []
        self._numbers = count()
        self._sweep_at = _LEAST_SWEPT

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, grant: Play | Publish, ends_ms: int) -> None:
        """``grant`` ends at ``ends_ms`` of the monotonic clock."""
        if len(self._heap) >= self._sweep_at:
            self._heap = [entry for entry in self._heap if entry[2]() is not None]
            heapq.heapify(self._heap)
            self._sweep_at = max(2 * len(self._heap), _LEAST_SWEPT)
        entry: Ending = (ends_ms, next(self._numbers), weakref.ref(grant))
        heapq.heappush(self._heap, entry)

    def tick(self, now_ms: int) -> None:
        """Tell those whose time is over."""
        while self._heap and self._heap[0][0] <= now_ms:
            grant = heapq.heappop(self._heap)[2]()
            if grant is not None and grant.owner is not None and grant.stopped is None:
                grant.stop(_OVER)
