from __future__ import annotations

import asyncio
import re
import tracemalloc

import pytest

from edge.profiling.runs import KINDS, NothingTracedError, Profiler, ProfilerBusyError
from edge.profiling.stacks import CONTENTION, CPU, GROWTH, HEAP, Kind

LONG_S = 600


def new_profiler(max_kept: int = 2) -> Profiler:
    return Profiler(asyncio.get_running_loop(), max_kept=max_kept, clock=lambda: 1_767_000_000_000)


@pytest.mark.parametrize("kind", [CPU, GROWTH, CONTENTION], ids=lambda kind: kind.name)
async def test_each_kind_is_made_and_kept(kind: Kind) -> None:
    profiler = new_profiler()
    profile = await profiler.run(kind, 0.02)
    assert profile.kind is kind
    assert re.fullmatch(rf"\d{{8}}\.\d{{6}}\.{kind.name}", profile.name)
    assert profiler.kept == {profile.name: profile}
    assert profiler.running == ""
    await profiler.close()


async def test_heap_is_told_of_where_it_is_traced_only() -> None:
    profiler = new_profiler()
    with pytest.raises(NothingTracedError):
        await profiler.run(HEAP, 0)
    tracemalloc.start()
    try:
        assert (await profiler.run(HEAP, 0)).total > 0
    finally:
        tracemalloc.stop()
    await profiler.close()


async def test_the_last_are_kept() -> None:
    profiler = new_profiler(max_kept=2)
    names = [(await profiler.run(CPU, 0.001)).name for _ in range(3)]
    assert len(set(names)) == 3, "within a second too"
    assert list(profiler.kept) == names[1:]
    await profiler.close()


async def test_X9_two_at_once_share_a_run_or_the_second_is_refused() -> None:
    profiler = new_profiler()
    first = asyncio.ensure_future(profiler.run(CPU, 0.3))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(profiler.run(CPU, LONG_S))
    await asyncio.sleep(0)
    assert profiler.running == "cpu"
    with pytest.raises(ProfilerBusyError):
        await profiler.run(CONTENTION, 1)
    second_leaves = asyncio.ensure_future(profiler.run(CPU, LONG_S))
    await asyncio.sleep(0)
    second_leaves.cancel()  # the run goes on without it
    assert await first is await second
    assert len(profiler.kept) == 1
    await profiler.close()


async def test_end_of_the_server_ends_a_run_and_tells_who_waits() -> None:
    profiler = new_profiler()
    waiting = asyncio.ensure_future(profiler.run(CONTENTION, LONG_S))
    await asyncio.sleep(0.01)
    await profiler.close()
    with pytest.raises(ProfilerBusyError, match="stopping"):
        await waiting
    with pytest.raises(ProfilerBusyError, match="stopping"):
        await profiler.run(CPU, 1)
    await profiler.close()


def test_kinds() -> None:
    assert sorted(KINDS) == ["contention", "cpu", "growth", "heap"]
