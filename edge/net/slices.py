"""Long work on the loop, in slices between which others have their turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

# So many records are made before others have their turn: some 3 ms.
_SLICE = 200
_SLICE_NS = 3_000_000


async def in_slices(items: Sequence[Item], size: int = _SLICE) -> AsyncIterator[Item]:
    """The items one by one; others have their turn after each ``size`` of them."""
    for number, item in enumerate(items, 1):
        yield item
        if number % size == 0:
            await asyncio.sleep(0)


async def joined(pieces: Iterable[str]) -> str:
    """The pieces put together; others have their turn whenever that has taken some 3 ms."""
    found, begun_ns = [], time.monotonic_ns()
    for piece in pieces:
        found.append(piece)
        if time.monotonic_ns() - begun_ns >= _SLICE_NS:
            await asyncio.sleep(0)
            begun_ns = time.monotonic_ns()
    return "".join(found)
