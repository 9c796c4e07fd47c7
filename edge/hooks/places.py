"""Room for calls in progress: who finds none waits in turn, unless his server is given up meanwhile."""

from __future__ import annotations

import asyncio
from collections import OrderedDict


class Places:
    """So many at a time.

    Attributes:
        limit: how many; a change holds for those who come.
        taken_count: calls in progress.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken_count = 0
        self._waiting: OrderedDict[asyncio.Future[bool], str] = OrderedDict()

    async def take(self, url: str) -> bool:
        """Have a place, which ``give_back`` returns; False when ``give_up`` has been said of ``url`` meanwhile."""
        if self.taken_count < self.limit and not self._waiting:
            self.taken_count += 1
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = url
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.give_back()
            raise
        finally:
            self._waiting.pop(turn, None)

    def give_back(self) -> None:
        """The next one has it."""
        self.taken_count -= 1
        while self._waiting and self.taken_count < self.limit:
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():
                self.taken_count += 1
                turn.set_result(True)

    def give_up(self, url: str) -> None:
        """Nobody is to wait for it any more."""
        for turn in [each for each, wanted in self._waiting.items() if wanted == url]:
            del self._waiting[turn]
            if not turn.done():
                turn.set_result(False)
