"""Segments of many streams are made in slices, those of streams that go on before those of streams that begin."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import cast

from edge.hls.segmenter import Segmenter
from edge.httpd.hls_pump import Pump
from tests.harness.clock import deadline, wait_until


class Worker:
    """Stands for a segmenter."""

    def __init__(self, log: list[str], name: str, pieces: int, *, is_new: bool = False, piece_s: float = 0.0) -> None:
        self.has_caught_up = not is_new
        self._log, self._name, self._pieces, self._piece_s = log, name, pieces, piece_s

    def work(self) -> bool:
        self._log.append(self._name)
        self._pieces -= 1
        until_s = time.perf_counter() + self._piece_s
        while time.perf_counter() < until_s:
            pass
        return self._pieces > 0


def ask(pump: Pump, *workers: Worker) -> None:
    for worker in workers:
        pump.ask(cast(Segmenter, worker))


async def settled(pump: Pump) -> None:
    await wait_until(lambda: not len(pump), deadline(3), "the work to be done")


async def test_in_turn_and_those_that_begin_last() -> None:
    log: list[str] = []
    pump = Pump(asyncio.get_running_loop())
    ask(pump, Worker(log, "new", 2, is_new=True), Worker(log, "a", 2), Worker(log, "b", 1))
    assert not log, "not within the call that brought the frames"
    await settled(pump)
    assert log == ["a", "b", "a", "new", "new"]
    ask(pump, Worker(log, "later", 1))
    await settled(pump)
    assert log[-1] == "later"


async def test_the_loop_goes_on_between_slices() -> None:
    log: list[str] = []
    loop = asyncio.get_running_loop()
    pump = Pump(loop)
    ask(pump, *(Worker(log, str(number), 1, piece_s=0.0015) for number in range(12)))
    seen = [0]

    def look() -> None:
        seen.append(len(log))
        if len(pump):
            loop.call_soon(look)

    loop.call_soon(look)
    await settled(pump)
    assert len(set(seen)) >= 4 and all(after - before <= 4 for before, after in pairwise(seen))
    assert log == [str(number) for number in range(12)]
