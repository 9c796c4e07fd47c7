"""Owned tasks, modules that are loaded beside the loop, and the clocks of those that know one."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

# The process waits for an import in its middle when it ends, which the interpreter might not survive; but a file
# system that hangs keeps nobody for ever.
_LOADED_WITHIN_S = 2.0
_ANEW_AFTER_S = 1.0


class RunClock:
    """Monotonic time that stands still while the process does: stopped by a signal, or its machine suspended.

    After that nobody may be called late who had no chance to be in time, so a gap in which nobody asked for the time
    is left out. Who switches that on (``watch``) sees to it that somebody asks more often than ``GAP_MS``.
    """

    GAP_MS = 2000

    def __init__(self, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._lock = threading.Lock()
        self._watch_count = 0
        self._last_ns = 0
        self._skipped_ns = 0

    @property
    def skipped_ms(self) -> int:
        """Of all gaps so far."""
        return self._skipped_ns // 1_000_000

    def watch(self, is_watched: bool) -> None:
        """Look for gaps from now on, or no more; each who has begun to must end it."""
        with self._lock:
            self._watch_count += 1 if is_watched else -1
            self._last_ns = self._monotonic_ns()

    def now_ms(self) -> int:
        """Milliseconds."""
        now_ns = self._monotonic_ns()
        if self._watch_count and now_ns - self._last_ns > self.GAP_MS * 1_000_000:
            self._skip(now_ns)
        if now_ns > self._last_ns:
            self._last_ns = now_ns
        return (now_ns - self._skipped_ns) // 1_000_000

    def _skip(self, now_ns: int) -> None:
        with self._lock:  # threads that ask at the same time leave it out once
            gap_ns = now_ns - self._last_ns
            if gap_ns > self.GAP_MS * 1_000_000:
                self._skipped_ns += gap_ns
                self._last_ns = now_ns


#: That of this process.
RUN_CLOCK = RunClock()


#: Monotonic milliseconds, see ``RunClock``: for every timer and rate (the wall clock may jump).
now_ms: Callable[[], int] = RUN_CLOCK.now_ms


def wall_ms() -> int:
    """Wall clock in milliseconds since 1970: for records that leave the process, never for timers."""
    return time.time_ns() // 1_000_000


def now_us() -> int:
    """Monotonic microseconds: for spans."""
    return time.monotonic_ns() // 1000


def wall_us() -> int:
    """Wall clock in microseconds since 1970, likewise."""
    return time.time_ns() // 1000


_WALL_LESS_MONOTONIC_NS = time.time_ns() - time.monotonic_ns()


def clock_us() -> int:
    """Wall clock in microseconds since 1970 that goes on evenly from what it was at the start: it never steps.

    Nodes tell each other its times, and each measures how far its neighbours' are from its own.
    """
    return (time.monotonic_ns() + _WALL_LESS_MONOTONIC_NS) // 1000


def wall_s() -> float:
    """The same in seconds, to the microsecond: for the log."""
    return time.time()


class TaskOwner:
    """Holds the tasks of one unit, so that none is lost and all end with it.

    Attributes:
        failed_count: tasks that ended with an exception of ours (``error_internal_count``).
    """

    failed_count = 0

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, task: asyncio.Task[Any]) -> None:
        """Keep ``task`` until it is done; log what it raises."""
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            TaskOwner.failed_count += 1
            logger.error("task failed name=%s owner=%s", task.get_name(), self.name, exc_info=error)

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)


def spawn(coro: Coroutine[Any, Any, Any], *, name: str, owner: TaskOwner) -> asyncio.Task[Any]:
    """Start ``coro`` as a named task that ``owner`` ends at the latest."""
    task = asyncio.get_running_loop().create_task(coro, name=name)
    owner.add(task)
    return task


def spawn_lasting(make: Callable[[], Coroutine[Any, Any, Any]], *, name: str, owner: TaskOwner) -> asyncio.Task[Any]:
    """As ``spawn``, for what is to go on until it is cancelled: after a failure it is made and begun anew."""

    async def run() -> None:
        while True:
            try:
                await make()
                return
            except Exception:
                TaskOwner.failed_count += 1
                logger.exception("task failed and is begun anew name=%s owner=%s", name, owner.name)
            await asyncio.sleep(_ANEW_AFTER_S)

    return spawn(run(), name=name, owner=owner)


async def load_in_thread(*modules: str) -> None:
    """Import ``modules`` in a thread that ends with it, so that the loop goes on; raises what the import raises."""
    loop = asyncio.get_running_loop()
    loaded: asyncio.Future[None] = loop.create_future()
    is_over = threading.Event()

    def settle(failure: Exception | None) -> None:
        atexit.unregister(is_over.wait)
        if loaded.done():  # who waited has given up
            return
        if failure is not None:
            loaded.set_exception(failure)
        else:
            loaded.set_result(None)

    def load() -> None:
        failure: Exception | None = None
        try:
            for name in modules:
                importlib.import_module(name)
        except BaseException as error:
            failure = error if isinstance(error, Exception) else RuntimeError(f"{name}: {error!r}")
        is_over.set()
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(settle, failure)

    atexit.register(is_over.wait, _LOADED_WITHIN_S)
    try:
        threading.Thread(target=load, name=f"load-{modules[0]}", daemon=True).start()
    except BaseException:  # no thread is to be had: nobody will say that it is over
        atexit.unregister(is_over.wait)
        raise
    await loaded


async def call_in_thread(call: Callable[[], Result], *, name: str) -> Result:
    """What ``call`` returns in a daemon thread that ends with it; raises what it raises.

    Cancelled, nobody waits any more, and the call goes on to its end: tell it itself that it is not wanted.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, failure: BaseException | None) -> None:
        if done.done():
            return
        if failure is not None:
            done.set_exception(failure)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = call()
        except BaseException as error:
            failure = error if isinstance(error, Exception) else RuntimeError(repr(error))
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
