"""Which sessions are to be asked about again, and when."""

from __future__ import annotations

import heapq
from itertools import count
from typing import Generic, TypeVar

Session = TypeVar("Session")


class Updates(Generic[Session]):
    """Sessions by when they are due: what costs nothing between two of their turns."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Session]] = []
        self._every_ms: dict[Session, int] = {}
        self._numbers = count()

    def __len__(self) -> int:
        return len(self._every_ms)

    def add(self, session: Session, every_ms: int, now_ms: int) -> None:
        """It is due for the first time ``every_ms`` from now."""
        self._every_ms[session] = every_ms
        heapq.heappush(self._heap, (now_ms + every_ms, next(self._numbers), session))

    def remove(self, session: Session) -> None:
        """It is over; nothing the second time."""
        self._every_ms.pop(session, None)

    def due(self, now_ms: int) -> list[Session]:
        """Those that are, each once; from now on they are due again after their time."""
        found = []
        while self._heap and self._heap[0][0] <= now_ms:
            session = heapq.heappop(self._heap)[2]
            every_ms = self._every_ms.get(session)
            if every_ms is not None:
                found.append(session)
                heapq.heappush(self._heap, (now_ms + every_ms, next(self._numbers), session))
        return found
