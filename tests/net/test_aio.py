"""Owned tasks."""

from __future__ import annotations

import asyncio
import time

from edge.net.aio import TaskOwner, now_ms, spawn, wall_ms


async def test_owner_ends_what_still_runs() -> None:
    owner, ended = TaskOwner("test"), []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    task = spawn(forever(), name="forever", owner=owner)
    await asyncio.sleep(0)
    assert (len(owner), task.get_name()) == (1, "forever")
    await owner.close()
    await owner.close()
    assert ended == [True]
    assert len(owner) == 0


async def test_Y7_failure_of_a_task_is_counted_and_logged(caplog) -> None:
    owner, before = TaskOwner("test"), TaskOwner.failed_count

    async def fail() -> None:
        raise ValueError("boom")

    spawn(fail(), name="failing", owner=owner)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert TaskOwner.failed_count == before + 1
    assert "task failed name=failing owner=test" in caplog.text
    TaskOwner.failed_count = before


def test_clocks() -> None:
    assert abs(now_ms() - time.monotonic() * 1000) < 1000
    assert wall_ms() > 1_600_000_000_000
