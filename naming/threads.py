"""Blocking calls on threads of their own, so that one that hangs delays nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


async def call_on_thread(function: Callable[[], _T], *, name: str) -> _T:
    """Run ``function`` on a daemon thread and return its result or raise its OSError.

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
    return await done
