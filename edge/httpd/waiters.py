"""Requests that wait for something to come, woken some at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

#: A woken request is answered at once: of a thousand that were woken together the last one, and all else, would wait.
_AT_ONCE = 32


class Waiters:
    """Those who wait for a change of one thing.

    Attributes:
        is_released: nothing more comes of it here, and nobody waits.
    """

    __slots__ = ("_is_waking", "_loop", "_ready", "_waiting", "is_released")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[asyncio.Future[bool], Callable[[], bool]] = {}
        self._ready: deque[asyncio.Future[bool]] = deque()
        self._is_waking = self.is_released = False

    def __len__(self) -> int:
        return len(self._waiting) + len(self._ready)

    async def wait(self, is_there: Callable[[], bool], timeout_s: float) -> bool:
        """Return True once ``is_there`` says so after a change, False when that takes too long."""
        if is_there():
            return True
        if self.is_released:
            return False
        future: asyncio.Future[bool] = self._loop.create_future()
        self._waiting[future] = is_there
        timer = self._loop.call_later(timeout_s, self._give_up, future)
        try:
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(future, None)

    def tell(self) -> None:
        """Something has changed: those for whom it is there are woken, in slices between which the loop goes on."""
        if not self._waiting:
            return
        there = [future for future, is_there in self._waiting.items() if is_there()]
        for future in there:
            del self._waiting[future]
        self._ready.extend(there)
        if self._ready and not self._is_waking:
            self._is_waking = True
            self._wake()

    def release(self) -> None:
        """Nothing more comes: for whom it is not there now, it takes too long."""
        self.tell()
        self.is_released = True
        for future in list(self._waiting):
            self._give_up(future)

    def _wake(self) -> None:
        for _ in range(min(_AT_ONCE, len(self._ready))):
            future = self._ready.popleft()
            if not future.done():
                future.set_result(True)
        if self._ready:
            # Not in the very next turn: the sockets are looked at in between.
            self._loop.call_later(0, self._wake)
        else:
            self._is_waking = False

    def _give_up(self, future: asyncio.Future[bool]) -> None:
        if not future.done():
            future.set_result(False)
