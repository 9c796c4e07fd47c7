from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from edge.net.slices import in_slices, joined


async def test_others_have_their_turn_between_slices() -> None:
    seen: list[int] = []
    asyncio.get_running_loop().call_soon(seen.append, -1)
    async for item in in_slices(range(5), 2):
        seen.append(item)
    assert seen == [0, 1, -1, 2, 3, 4]


async def test_others_have_their_turn_between_slow_pieces() -> None:
    turns: list[int] = []

    def pieces() -> Iterator[str]:
        for number in range(3):
            time.sleep(0.004)
            turns.append(number)
            yield str(number)

    asyncio.get_running_loop().call_soon(turns.append, -1)
    assert await joined(pieces()) == "012"
    assert turns == [0, -1, 1, 2]
