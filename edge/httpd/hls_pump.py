"""Makes segments in slices: many streams have their keyframes at once, and the loop has others to serve."""

from __future__ import annotations

import asyncio
from collections import deque

from edge.hls.segmenter import Segmenter

#: Nothing else is done for so long at most, and a piece of work.
_SLICE_S = 0.004


class Pump:
    """Lets segmenters work in turn; those that begin, which have seconds of a stream to take, come after the others."""

    __slots__ = ("_beginning", "_is_running", "_live", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._live: deque[Segmenter] = deque()
        self._beginning: deque[Segmenter] = deque()
        self._is_running = False

    def __len__(self) -> int:
        return len(self._live) + len(self._beginning)

    def ask(self, segmenter: Segmenter) -> None:
        """It has work to do, and is not among those that wait."""
        (self._live if segmenter.has_caught_up else self._beginning).append(segmenter)
        if not self._is_running:
            self._is_running = True
            self._loop.call_soon(self._run)

    def _run(self) -> None:
        loop_time = self._loop.time
        until_s = loop_time() + _SLICE_S
        while waiting := self._live or self._beginning:
            segmenter = waiting.popleft()
            if segmenter.work():
                (self._live if segmenter.has_caught_up else self._beginning).append(segmenter)
            if loop_time() >= until_s:
                break
        if self._live or self._beginning:
            # Not in the very next turn: the sockets are looked at in between.
            self._loop.call_later(0, self._run)
        else:
            self._is_running = False
