"""Deadlines, polling and the search for programs and media."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IS_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
_CI_FACTOR = 5.0


def deadline(seconds: float) -> float:
    """The stated time on a quiet machine, five times as much under ``CI=true``."""
    return seconds * _CI_FACTOR if IS_CI else seconds


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
    pytest.skip(what)


def wait_until_sync(condition: Callable[[], object], within_s: float, what: str) -> float:
    """Poll every 20 ms until ``condition()`` is true; return the seconds it took, fail after ``within_s``."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within_s:
            raise AssertionError(f"not within {within_s:.1f} s: {what}")
        time.sleep(0.02)
    return time.monotonic() - began


async def wait_until(condition: Callable[[], object], within_s: float, what: str) -> float:
    """As :func:`wait_until_sync`, without stopping the loop; polls every 5 ms."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within_s:
            raise AssertionError(f"not within {within_s:.1f} s: {what}")
        await asyncio.sleep(0.005)
    return time.monotonic() - began
