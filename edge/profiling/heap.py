"""Where memory that is held was allocated, by tracemalloc.

Only what is allocated while it traces is known; each allocation costs a multiple of its time then, and about
a hundred bytes, and a snapshot stops the interpreter for about 100 ms per 100,000 allocations.
"""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

from edge.profiling.stacks import GROWTH, HEAP, MAX_STACKS, Counted, Frame, Kind, Profile, Stack, short_file

#: Functions of a stack that are kept where growth begins to trace by itself.
GROWTH_FRAMES = 12


def is_tracing() -> bool:
    """Whether allocations are traced, as they are from the start with ``PYTHONTRACEMALLOC`` in the environment."""
    return tracemalloc.is_tracing()


def heap_profile(*, name: str, started_ms: int) -> Profile:
    """What is held now of what was allocated since tracing began; raises ``RuntimeError`` when nothing is traced."""
    found = _totals(tracemalloc.take_snapshot())
    return _profile(HEAP, name, started_ms, 0, found, len(found))


def growth_profile(seconds: float, *, name: str, started_ms: int, is_stopped: threading.Event) -> Profile:
    """What is held in the end of what is allocated within ``seconds``.

    Where nothing is traced, tracing is on for that time only; else what has grown is told. Called in a thread
    of its own; ``is_stopped`` ends it early.
    """
    begun = time.monotonic()
    was_tracing = tracemalloc.is_tracing()
    before: dict[Stack, tuple[int, int]] = {}
    if was_tracing:
        before = _totals(tracemalloc.take_snapshot())
    else:
        tracemalloc.start(GROWTH_FRAMES)
    try:
        is_stopped.wait(seconds)
        after = _totals(tracemalloc.take_snapshot())
    finally:
        if not was_tracing:
            tracemalloc.stop()
    found = {}
    for stack, (count, size) in after.items():
        count_before, size_before = before.get(stack, (0, 0))
        if size > size_before:
            found[stack] = (max(count - count_before, 0), size - size_before)
    duration_ms = round((time.monotonic() - begun) * 1000)
    return _profile(GROWTH, name, started_ms, duration_ms, found, len(after))


def _totals(snapshot: tracemalloc.Snapshot) -> dict[Stack, tuple[int, int]]:
    """Count and bytes by stack; what tracing and profiling hold themselves is left out.

    While allocations are traced, making any object costs a multiple of its time. So the traces are grouped as the
    interpreter gives them, equal stacks as one tuple, where ``Snapshot.statistics`` makes objects of each.
    """
    sizes: dict[tuple[tuple[str, int], ...], list[int]] = {}
    raw: Any = snapshot.traces
    for trace in raw._traces:  # domain, size, frames with the innermost first, ...
        try:
            sizes[trace[2]].append(trace[1])
        except KeyError:
            sizes[trace[2]] = [trace[1]]
    files: dict[str, str] = {}
    found: dict[Stack, tuple[int, int]] = {}
    for frames, each in sizes.items():
        stack = tuple(_frames(reversed(frames), files))
        if stack and stack[-1].file.endswith(("tracemalloc.py", "profiling/heap.py")):
            continue
        count, size = found.get(stack, (0, 0))
        found[stack] = (count + len(each), size + sum(each))
    return found


def _frames(places: Iterable[tuple[str, int]], files: dict[str, str]) -> Iterator[Frame]:
    for path, line in places:
        if path not in files:
            files[path] = short_file(path)
        yield Frame(f"line {line}", files[path], line)


def _profile(
    kind: Kind, name: str, started_ms: int, duration_ms: int, found: dict[Stack, tuple[int, int]], stack_count: int
) -> Profile:
    rows = sorted((Counted(stack, *totals) for stack, totals in found.items()), key=lambda row: (-row.value, row.stack))
    traced, peak = tracemalloc.get_traced_memory()
    facts: dict[str, int | float] = {"stack_count": stack_count}
    if traced:
        facts |= {"traced_bytes": traced, "traced_peak_bytes": peak}
    return Profile(kind, name, started_ms, duration_ms, 0, tuple(rows[:MAX_STACKS]), facts)
