"""Blocking calls on threads of their own, so that one that hangs delays nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from naming.base import NamingError

_T = TypeVar("_T")


def begin_on_thread(function: Callable[[], _T], *, name: str) -> asyncio.Future[_T]:
    """Run ``function`` on a daemon thread; the future gets its result or its exception.

    A dead file system may hold the thread for ever; it delays neither the event
    loop nor the end of the process. Who cancels leaves the thread to itself.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def finish(result: _T | None, error: Exception | None) -> None:
        if done.done():  # the caller has given up
            return
        if error is not None:
            done.set_exception(error)
            done.exception()  # marks it as seen: the caller may have given up
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: _T | None = None
        failure: Exception | None = None
        try:
            result = function()
        except Exception as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(finish, result, failure)

    threading.Thread(target=run, name=name, daemon=True).start()
    return done


class PatientCalls:
    """Blocking calls of one owner, of which at most one runs: one that hangs is waited for by those after it."""

    __slots__ = ("_name", "_running", "_timeout_ms")

    def __init__(self, *, name: str, timeout_ms: int) -> None:
        """``timeout_ms`` bounds each :meth:`call`; 0 is no bound. ``name`` is that of the threads."""
        self._name, self._timeout_ms = name, timeout_ms
        self._running: asyncio.Future[Any] | None = None

    async def call(self, function: Callable[[], _T]) -> _T:
        """The result of ``function``; raises NamingError when there is no result within the bound, or no thread."""
        try:
            async with asyncio.timeout(self._timeout_ms / 1000 if self._timeout_ms else None):
                if self._running is not None:
                    await asyncio.wait((self._running,))
                try:
                    running = self._running = begin_on_thread(function, name=self._name)
                except RuntimeError as error:  # a limit of the system
                    raise NamingError(str(error)) from error
                return await asyncio.shield(running)
        except TimeoutError:
            raise NamingError(f"no answer within {self._timeout_ms} ms") from None
