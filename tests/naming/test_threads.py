"""Blocking calls on threads of their own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from naming.threads import call_on_thread


async def test_result_and_failure_come_back() -> None:
    assert await call_on_thread(lambda: threading.current_thread().name, name="t") == "t"

    def fail() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await call_on_thread(fail, name="t")


async def test_a_call_that_hangs_can_be_left() -> None:
    is_over = threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await call_on_thread(is_over.wait, name="t")
    is_over.set()
    await asyncio.sleep(0.01)
