"""Deadlines, polling and the search for programs and media."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IS_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
_BUSY_FACTOR = 5.0
# A wait that is met costs nothing, so none is shorter: others may be using the machine.
_LEAST_WAIT_S = 10.0
# Of the time that a poll takes: so long it is not repeated.
_REST = 3.0
_MISSING = "missing: "


def deadline(seconds: float) -> float:
    """Five times the stated time: what a quiet machine takes, a busy one takes several times over."""
    return seconds * _BUSY_FACTOR


class FairClock:
    """Monotonic seconds, less what a server and this process have waited for a core that others had.

    What is judged by it is late by the server's own doing. It counts the main
    thread of both, and the thread that asks (the second field of schedstat,
    nanoseconds on the run queue); where the kernel does not tell, nothing is taken off.
    """

    def __init__(self, pid: int) -> None:
        self._places = [
            Path(f"/proc/{pid}/schedstat"),
            Path("/proc/self/schedstat"),
            Path("/proc/thread-self/schedstat"),
        ]
        self._waited_s = [0.0] * len(self._places)

    def __call__(self) -> float:
        for number, place in enumerate(self._places):
            with contextlib.suppress(OSError, ValueError, IndexError):  # a process that has ended waits no more
                self._waited_s[number] = int(place.read_text().split()[1]) / 1e9
        return time.monotonic() - sum(self._waited_s)


def require_program(name: str) -> str:
    """Return the path of a program; without it the test fails under ``CI=true`` and is skipped elsewhere."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        missing(f"{name} is not installed")
    return str(path)


def missing(what: str) -> None:
    """Fail under ``CI=true``, where a skip would hide breakage; skip elsewhere."""
    if IS_CI:
        pytest.fail(what)
    pytest.skip(f"{_MISSING}{what}")


def left_out(reasons: Iterable[str]) -> str:
    """One line on the skipped tests for which something is :func:`missing`, by their reasons; "" for none."""
    counts = Counter(reason.partition(_MISSING)[2] for reason in reasons if _MISSING in reason)
    if not counts:
        return ""
    named = ", ".join(f"{what} ({count})" for what, count in counts.most_common())
    return f"{counts.total()} tests skipped (make deps installs programs): {named}"


def wait_until_sync(condition: Callable[[], object], within_s: float, what: str) -> float:
    """Poll every 20 ms until ``condition()`` is true; return the seconds it took, fail after ``within_s``.

    An asserted bound is judged by the seconds returned; the wait itself is never shorter than 10 s.
    A condition that takes long, as one that asks a server, is asked less often, so that it keeps no core busy.
    """
    began, within_s = time.monotonic(), max(within_s, _LEAST_WAIT_S)
    asked = began
    while not condition():
        now = time.monotonic()
        if now - began > within_s:
            raise AssertionError(f"not within {within_s:.1f} s: {what}")
        time.sleep(max(0.02, _REST * (now - asked)))
        asked = time.monotonic()
    return time.monotonic() - began


async def wait_until(condition: Callable[[], object], within_s: float, what: str) -> float:
    """As :func:`wait_until_sync`, without stopping the loop; polls every 5 ms.

    A condition that blocks leaves most of the time to the loop, where a proxy may be what it waits for.
    """
    began, within_s = time.monotonic(), max(within_s, _LEAST_WAIT_S)
    asked = began
    while not condition():
        now = time.monotonic()
        if now - began > within_s:
            raise AssertionError(f"not within {within_s:.1f} s: {what}")
        await asyncio.sleep(max(0.005, _REST * (now - asked)))
        asked = time.monotonic()
    return time.monotonic() - began
