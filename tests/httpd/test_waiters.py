"""Those who wait are woken some at a time, and none stays behind."""

from __future__ import annotations

import asyncio

from edge.httpd.waiters import Waiters


async def settle(turns: int = 3) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_a_thousand_are_woken_in_slices() -> None:
    """No turn of the loop wakes more than 32."""
    loop = asyncio.get_running_loop()
    waiters, woken, is_there = Waiters(loop), 0, False

    async def wait() -> bool:
        nonlocal woken
        found = await waiters.wait(lambda: is_there, 60)
        woken += 1
        return found

    tasks = [asyncio.ensure_future(wait()) for _ in range(1000)]
    await settle()
    assert len(waiters) == 1000
    waiters.tell()
    await settle()
    assert woken == 0 and len(waiters) == 1000
    is_there = True
    waiters.tell()
    waiters.tell()
    steps, before = [], 0
    while woken < 1000:
        await asyncio.sleep(0)
        steps.append(woken - before)
        before = woken
    assert max(steps) <= 32 and len(steps) >= 31
    assert all(await asyncio.gather(*tasks)) and len(waiters) == 0


async def test_what_is_there_already_is_not_waited_for() -> None:
    assert await Waiters(asyncio.get_running_loop()).wait(lambda: True, 0)


async def test_it_does_not_come_in_time() -> None:
    waiters = Waiters(asyncio.get_running_loop())
    assert not await waiters.wait(lambda: False, 0.001)
    assert len(waiters) == 0
    waiters.tell()


async def test_one_that_is_cancelled_is_forgotten_and_the_others_are_woken() -> None:
    waiters, there = Waiters(asyncio.get_running_loop()), [False]
    tasks = [asyncio.ensure_future(waiters.wait(lambda: there[0], 60)) for _ in range(50)]
    await settle()
    tasks[7].cancel()
    await settle()
    assert len(waiters) == 49
    there[0] = True
    waiters.tell()
    tasks[40].cancel()  # on its way already
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(each is True for each in found) == 48 and len(waiters) == 0


async def test_those_who_wait_for_something_else_stay() -> None:
    waiters, count = Waiters(asyncio.get_running_loop()), 0
    first = asyncio.ensure_future(waiters.wait(lambda: count >= 1, 60))
    second = asyncio.ensure_future(waiters.wait(lambda: count >= 2, 60))
    await settle()
    count = 1
    waiters.tell()
    assert await first and not second.done()
    count = 2
    waiters.tell()
    assert await second


async def test_released_nobody_waits_any_more() -> None:
    waiters, things = Waiters(asyncio.get_running_loop()), set[str]()
    tasks = [asyncio.ensure_future(waiters.wait(lambda name=name: name in things, 60)) for name in ("a", "b")]
    await settle()
    things.add("a")
    waiters.release()
    assert await asyncio.gather(*tasks) == [True, False]
    assert not await waiters.wait(lambda: False, 60) and await waiters.wait(lambda: True, 60)
    assert not len(waiters)
