from __future__ import annotations

import asyncio
import json
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import Any

import pytest

from edge.builtin import tasks
from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.tasks import BTHREADS, TASKS, await_chain
from tests.builtin import sample


async def inner(gate: asyncio.Event) -> None:
    await gate.wait()


async def outer(gate: asyncio.Event) -> None:
    await inner(gate)


async def generator(gate: asyncio.Event) -> AsyncIterator[int]:
    await inner(gate)
    yield 1


async def iterating(gate: asyncio.Event) -> None:
    async for _ in generator(gate):
        pass


@types.coroutine
def of_old(gate: asyncio.Event) -> Generator[Any, None, None]:
    yield from inner(gate).__await__()


async def awaiting_old(gate: asyncio.Event) -> None:
    await of_old(gate)


async def test_each_task_with_all_that_it_awaits() -> None:
    gate = asyncio.Event()
    task = asyncio.get_running_loop().create_task(outer(gate), name=sample.EVIL)
    await asyncio.sleep(0)
    data = await tasks.collect(sample.context(), Visit(path=sample.EVIL))
    (row,) = data.tasks
    assert row.state == "waiting" and row.waits_for
    functions = [place.rpartition(" ")[2] for place in row.stack]
    assert functions == ["outer", "inner", "Event.wait"]
    assert row.stack[0].startswith("tests/builtin/test_tasks.py:")
    html = render(TASKS, PageFormat.HTML, data)
    assert "<script" not in html and "&lt;script&gt;" in html and " outer\n" in html
    assert f"{sample.EVIL} waiting for " in TASKS.text(data)
    assert json.loads(render(TASKS, PageFormat.JSON, data))["task_count"] == 1
    gate.set()
    await task


@pytest.mark.parametrize(("waiting", "first"), [(iterating, ["iterating"]), (awaiting_old, ["awaiting_old", "of_old"])])
async def test_generators_in_the_chain(
    waiting: Callable[[asyncio.Event], Coroutine[Any, Any, None]], first: list[str]
) -> None:
    gate = asyncio.Event()
    task = asyncio.get_running_loop().create_task(waiting(gate), name="odd")
    await asyncio.sleep(0)
    (row,) = (await tasks.collect(sample.context(), Visit(path="odd"))).tasks
    assert [place.rpartition(" ")[2] for place in row.stack][: len(first)] == first
    assert row.waits_for
    gate.set()
    await task


async def test_all_and_the_one_that_answers() -> None:
    for path in ("", "all"):
        data = await tasks.collect(sample.context(), Visit(path=path))
        assert data.total_count == data.task_count == len(asyncio.all_tasks())
        assert "running" in {row.state for row in data.tasks}
        assert TASKS.text(data).startswith(f"task_count: {data.task_count} of {data.total_count}\n")


async def test_name_that_nobody_has() -> None:
    data = await tasks.collect(sample.context(), Visit(path="nobody"))
    assert TASKS.status(data) == BTHREADS.status(data) == 404
    assert TASKS.text(data) == "no task of that name\n"


async def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "MAX_SHOWN", 2)
    gate = asyncio.Event()
    many = [asyncio.get_running_loop().create_task(inner(gate), name="many") for _ in range(5)]
    await asyncio.sleep(0)
    data = await tasks.collect(sample.context(), Visit(path="many"))
    assert (len(data.tasks), data.task_count) == (2, 5)
    assert TASKS.text(data).endswith("... and 3 more\n")
    assert "... and 3 more" in render(TASKS, PageFormat.HTML, data)
    gate.set()
    await asyncio.gather(*many)


def test_chain_of_nothing() -> None:
    assert list(await_chain(None)) == []
    assert BTHREADS.path == "/bthreads" and BTHREADS.has_paths
