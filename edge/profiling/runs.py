"""The profiles of one process: one run at a time, whoever asks for the same meanwhile shares it, the last are kept."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Protocol

from edge.errors import EdgeError
from edge.net.aio import TaskOwner, call_in_thread, spawn, wall_ms
from edge.profiling import contention, cpu, heap
from edge.profiling.stacks import CONTENTION, CPU, GROWTH, HEAP, Kind, Profile

KINDS = {kind.name: kind for kind in (CPU, HEAP, GROWTH, CONTENTION)}


class ProfilerBusyError(EdgeError):
    """A profile of another kind is being made, or the server stops; answer 503."""


class NothingTracedError(EdgeError):
    """Allocations are not traced, so what is held is not known; answer 403."""


class Clock(Protocol):
    """The wall clock in milliseconds."""

    def __call__(self) -> int: ...


class Profiler:
    """Makes profiles of the loop that it is made in.

    Attributes:
        kept: the last finished profiles, oldest first, by their names.
        max_kept: of them.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, max_kept: int, clock: Clock = wall_ms) -> None:
        """``max_kept``: of finished profiles, to be shown again. Made in the loop's thread."""
        self._loop = loop
        self._thread_id = threading.get_ident()
        self.max_kept = max_kept
        self._clock = clock
        self._owner = TaskOwner("profiler")
        self._running: tuple[Kind, asyncio.Task[Profile]] | None = None
        self._is_stopped = threading.Event()
        self.kept: dict[str, Profile] = {}

    @property
    def running(self) -> str:
        """The kind of profile that is being made; "" for none."""
        return self._running[0].name if self._running is not None else ""

    async def run(self, kind: Kind, seconds: float) -> Profile:
        """Make a profile, or wait for that of the same kind that is being made, however long that is.

        ``seconds`` is of no meaning for what is held now (``HEAP``). Raises ``ProfilerBusyError`` and
        ``NothingTracedError``.
        """
        if self._is_stopped.is_set():
            raise ProfilerBusyError("the server is stopping")
        if self._running is None:
            if kind is HEAP and not heap.is_tracing():
                raise NothingTracedError("allocations are not traced")
            task = spawn(self._make(kind, seconds), name=f"profile-{kind.name}", owner=self._owner)
            self._running = (kind, task)
        running_kind, task = self._running
        if running_kind is not kind:
            raise ProfilerBusyError(f"a profile of {running_kind.name} is being made")
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise ProfilerBusyError("the server is stopping") from None
            raise

    async def close(self) -> None:
        """End the run in progress; those who wait for it are told. Safe to call again."""
        self._is_stopped.set()
        await self._owner.close()

    async def _make(self, kind: Kind, seconds: float) -> Profile:
        started_ms = self._clock()
        name = self._new_name(kind, started_ms)
        try:
            profile = await _MAKERS[kind](self, seconds, name, started_ms)
        finally:
            self._running = None
        self.kept[name] = profile
        while len(self.kept) > self.max_kept:
            del self.kept[next(iter(self.kept))]
        return profile

    def _new_name(self, kind: Kind, started_ms: int) -> str:
        stem = time.strftime("%Y%m%d.%H%M%S", time.localtime(started_ms / 1000))
        name, number = f"{stem}.{kind.name}", 1
        while name in self.kept:
            number += 1
            name = f"{stem}-{number}.{kind.name}"
        return name

    async def _cpu(self, seconds: float, name: str, started_ms: int) -> Profile:
        runner = await cpu.runner_of(self._loop)
        return await call_in_thread(
            lambda: cpu.sample_cpu(
                self._thread_id,
                seconds,
                name=name,
                started_ms=started_ms,
                is_stopped=self._is_stopped,
                runner=runner,
            ),
            name="profile",
        )

    async def _contention(self, seconds: float, name: str, started_ms: int) -> Profile:
        heart = contention.Heart(self._loop)
        heart.start()
        try:
            return await call_in_thread(
                lambda: contention.watch_loop(
                    heart, self._thread_id, seconds, name=name, started_ms=started_ms, is_stopped=self._is_stopped
                ),
                name="profile",
            )
        finally:
            heart.stop()

    async def _heap(self, seconds: float, name: str, started_ms: int) -> Profile:
        return await call_in_thread(lambda: heap.heap_profile(name=name, started_ms=started_ms), name="profile")

    async def _growth(self, seconds: float, name: str, started_ms: int) -> Profile:
        return await call_in_thread(
            lambda: heap.growth_profile(seconds, name=name, started_ms=started_ms, is_stopped=self._is_stopped),
            name="profile",
        )


_MAKERS = {
    CPU: Profiler._cpu,
    CONTENTION: Profiler._contention,
    HEAP: Profiler._heap,
    GROWTH: Profiler._growth,
}
