"""Looks of ``--check`` and the start at what may hang: a dead file system, a silent server."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def found_within(budget_s: float, find: Callable[[], Iterator[_T]], *, name: str) -> list[_T]:
    """What ``find`` yields within ``budget_s``; a look that hangs delays neither us nor the end of the process."""
    found: queue.SimpleQueue[_T] = queue.SimpleQueue()

    def look() -> None:
        for each in find():
            found.put(each)

    thread = threading.Thread(target=look, name=name, daemon=True)
    thread.start()
    thread.join(budget_s)
    return [found.get() for _ in range(found.qsize())]
