"""Blocking calls on threads of their own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from naming.base import NamingError
from naming.threads import PatientCalls, begin_on_thread


async def test_result_and_failure_come_back() -> None:
    assert await begin_on_thread(lambda: threading.current_thread().name, name="t") == "t"

    def fail() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await begin_on_thread(fail, name="t")


async def test_a_call_that_hangs_can_be_left() -> None:
    is_over = threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await begin_on_thread(is_over.wait, name="t")
    is_over.set()
    await asyncio.sleep(0.01)


async def test_one_call_runs_at_a_time_and_those_behind_one_that_hangs_give_up() -> None:
    is_over = threading.Event()
    began: list[int] = []
    calls = PatientCalls(name="t", timeout_ms=20)

    def hang() -> int:
        began.append(1)
        is_over.wait(20)
        return 1

    for _ in range(3):
        with pytest.raises(NamingError, match="no answer within 20 ms"):
            await calls.call(hang)
    assert began == [1]
    is_over.set()
    await asyncio.sleep(0.05)
    assert await calls.call(lambda: 2) == 2, "its own result, not the one of the call that hung"


async def test_failure_of_a_call_does_not_reach_the_next_one() -> None:
    calls = PatientCalls(name="t", timeout_ms=0)

    def fail() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await calls.call(fail)
    assert await calls.call(lambda: 3) == 3


async def test_no_thread_left_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    calls = PatientCalls(name="test", timeout_ms=2000)
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        with pytest.raises(NamingError, match="can't start new thread"):
            await calls.call(lambda: 1)
    assert await calls.call(lambda: 1) == 1
