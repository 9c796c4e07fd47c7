"""Room for calls."""

from __future__ import annotations

import asyncio

from edge.hooks.places import Places


async def test_who_finds_no_room_waits_in_turn() -> None:
    places = Places(2)
    assert await places.take("a")
    assert await places.take("a")
    third, fourth = asyncio.create_task(places.take("a")), asyncio.create_task(places.take("b"))
    await asyncio.sleep(0)
    assert not third.done()
    places.give_back()
    assert await third
    assert not fourth.done()
    places.give_back()
    assert await fourth
    assert places.taken_count == 2


async def test_nobody_waits_for_what_is_given_up() -> None:
    places = Places(1)
    await places.take("a")
    gone, stays = asyncio.create_task(places.take("a")), asyncio.create_task(places.take("b"))
    await asyncio.sleep(0)
    places.give_up("a")
    assert await gone is False
    places.give_back()
    assert await stays


async def test_who_leaves_while_waiting_takes_no_room() -> None:
    places = Places(1)
    await places.take("a")
    waits, last = asyncio.create_task(places.take("a")), asyncio.create_task(places.take("a"))
    await asyncio.sleep(0)
    waits.cancel()
    await asyncio.sleep(0)
    places.give_back()
    assert await last
    # Even in the very moment when it would have been its turn.
    late = asyncio.create_task(places.take("a"))
    await asyncio.sleep(0)
    places.give_back()
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    assert places.taken_count == 0
