"""``/threads``: what each thread of the process is doing, where ``-enable_threads_service`` allows it."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass

from edge.builtin.page import Page, PageContext, Visit, register
from edge.profiling.stacks import frames_from, short_file

DISABLED = "/threads is off: see -enable_threads_service"


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """One thread.

    Attributes:
        id: as the interpreter numbers it; ``native_id`` as the kernel does, 0 where that is not known.
        name: "" of a thread that was not started by Python.
        stack: ``file:line function``, the innermost first.
    """

    id: int
    native_id: int
    name: str
    is_daemon: bool
    stack: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ThreadsData:
    """All threads by their ids, and how long it took to look; or the ``error``."""

    error: str = ""
    elapsed_ms: float = 0
    threads: tuple[ThreadRow, ...] = ()


async def collect(context: PageContext, _visit: Visit) -> ThreadsData:
    """Look at all stacks at one moment."""
    if not context.debugging().config.enable_threads_service:
        return ThreadsData(error=DISABLED)
    begun = time.perf_counter()
    known = {thread.ident: thread for thread in threading.enumerate()}
    rows = []
    for ident, innermost in sorted(sys._current_frames().items()):
        thread = known.get(ident)
        stack = tuple(
            f"{short_file(frame.f_code.co_filename)}:{frame.f_lineno} {frame.f_code.co_qualname}"
            for frame in frames_from(innermost)
        )
        native_id = (thread.native_id or 0) if thread is not None else 0
        name, is_daemon = (thread.name, thread.daemon) if thread is not None else ("", False)
        rows.append(ThreadRow(ident, native_id, name, is_daemon, stack))
    return ThreadsData(elapsed_ms=round((time.perf_counter() - begun) * 1000, 2), threads=tuple(rows))


def text(data: ThreadsData) -> str:
    """As pstack prints them."""
    if data.error:
        return f"{data.error}\n"
    parts = []
    for number, row in enumerate(data.threads, 1):
        kind = " daemon" if row.is_daemon else ""
        parts.append(f"Thread {number} ({row.name or '?'}{kind}, id {row.id}, LWP {row.native_id}):\n")
        parts += [f"#{depth:<3} {place}\n" for depth, place in enumerate(row.stack)]
        parts.append("\n")
    return "".join(parts) + f"elapsed_ms: {data.elapsed_ms}\n"


THREADS = register(
    Page(
        "/threads",
        "Threads",
        collect,
        text,
        template="threads.html",
        status=lambda data: 403 if data.error else 200,
        is_listed=False,
        about="the stacks of all threads; only with -enable_threads_service",
    )
)
