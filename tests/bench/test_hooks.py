"""Joins while a hook is dead: what each is told, and how that is counted."""

from __future__ import annotations

from bench.hooks import Joins, join, waits
from tests.runtime.nodes import running


async def test_join_hears_whether_it_may() -> None:
    async with running("-hooks_on_play=http://127.0.0.1:1/") as one:
        told, waited_ms = await join(one.port(), "unknown")
        assert told == "HookUnavailable" and waited_ms > 0
    async with running() as one:
        await one.publisher("s0")
        assert (await join(one.port(), "known"))[0] == ""


def test_who_came_before_the_hook_was_left_alone_is_counted_apart() -> None:
    joins = Joins()
    joins.add(False, "HookUnavailable", 3000.0, is_open=False)
    for number in range(100):
        joins.add(number % 2 == 0, "" if number % 2 == 0 else "HookUnavailable", float(number), is_open=True)
    assert joins.told == {(False, "HookUnavailable"): 51, (True, ""): 50}
    assert waits(joins.before_ms) == "1, p50 3000.0 ms, p99 3000.0 ms"
    assert waits(joins.known_ms) == "50, p50 49.0 ms, p99 98.0 ms" and waits([]) == "nobody"
