"""``/tasks``: the tasks of the event loop, and where each waits; ``/bthreads`` is the same under brpc's name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from types import CoroutineType, FrameType, GeneratorType
from typing import Any

from edge.builtin.page import Page, PageContext, Visit, register
from edge.profiling.stacks import MAX_DEPTH, short_file

#: Rows of a page; the rest is counted.
MAX_SHOWN = 500
_ALL = ("", "all")


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task.

    Attributes:
        state: ``waiting``, ``running`` (the one that answers this) or ``done``.
        waits_for: kind of what the innermost coroutine waits for; "" where it does not.
        stack: ``file:line function`` from the task's own coroutine to the innermost that it awaits; the
            interpreter does not tell what an asynchronous generator waits for.
    """

    name: str
    state: str
    waits_for: str
    stack: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TasksData:
    """The tasks by name, of those asked for; ``task_count`` counts these, ``total_count`` all."""

    total_count: int
    task_count: int
    tasks: tuple[TaskRow, ...]
    error: str = ""


async def collect(context: PageContext, visit: Visit) -> TasksData:
    """Return all tasks, or those of the name that the path gives; one that nobody has is an error."""
    tasks = sorted(asyncio.all_tasks(context.debugging().loop), key=lambda task: task.get_name())
    named = [task for task in tasks if visit.path in (*_ALL, task.get_name())]
    rows = tuple(_row(task) for task in named[:MAX_SHOWN])
    error = "no task of that name" if not named and visit.path not in _ALL else ""
    return TasksData(len(tasks), len(named), rows, error)


def _row(task: asyncio.Task[Any]) -> TaskRow:
    coroutine = task.get_coro()
    awaited = [coroutine, *await_chain(coroutine)]
    stack = tuple(_place(frame) for frame in map(_frame_of, awaited) if frame is not None)
    if task.done():
        return TaskRow(task.get_name(), "done", "", stack)
    is_running = isinstance(coroutine, CoroutineType) and coroutine.cr_running
    last = awaited[-1]
    waits_for = "" if is_running or _frame_of(last) is not None else type(last).__name__
    return TaskRow(task.get_name(), "running" if is_running else "waiting", waits_for, stack)


def await_chain(coroutine: Any) -> Iterator[Any]:
    """Yield what a coroutine awaits, what that awaits, and so on; at most ``MAX_DEPTH``."""
    for _ in range(MAX_DEPTH):
        match coroutine:
            case CoroutineType():
                coroutine = coroutine.cr_await
            case GeneratorType():
                coroutine = coroutine.gi_yieldfrom
            case _:
                return
        if coroutine is None:
            return
        yield coroutine


def _frame_of(coroutine: Any) -> FrameType | None:
    match coroutine:
        case CoroutineType():
            return coroutine.cr_frame
        case GeneratorType():
            return coroutine.gi_frame
        case _:
            return None


def _place(frame: FrameType) -> str:
    return f"{short_file(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_qualname}"


def text(data: TasksData) -> str:
    """A paragraph per task."""
    if data.error:
        return f"{data.error}\n"
    parts = [f"task_count: {data.task_count} of {data.total_count}\n"]
    for row in data.tasks:
        waits_for = f" for {row.waits_for}" if row.waits_for else ""
        parts.append(f"\n{row.name} {row.state}{waits_for}\n")
        parts += [f"  {place}\n" for place in row.stack]
    rest = data.task_count - len(data.tasks)
    return "".join(parts) + (f"\n... and {rest} more\n" if rest else "")


def _page(path: str, title: str, about: str) -> Page[TasksData]:
    return register(
        Page(
            path,
            title,
            collect,
            text,
            template="tasks.html",
            status=lambda data: 404 if data.error else 200,
            is_listed=False,
            has_paths=True,
            about=about,
        )
    )


TASKS = _page("/tasks", "Tasks", "the tasks of the event loop, and where each waits")
BTHREADS = _page("/bthreads", "Tasks (brpc)", "/tasks, as brpc names it")
