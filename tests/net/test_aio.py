"""Owned tasks, and modules that are loaded beside the loop."""

from __future__ import annotations

import asyncio
import atexit
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edge.net import aio
from edge.net.aio import (
    RUN_CLOCK,
    RunClock,
    TaskOwner,
    call_in_thread,
    clock_us,
    load_in_thread,
    now_ms,
    spawn,
    spawn_lasting,
    wall_ms,
)
from tests.harness.clock import ROOT, deadline
from tests.httpd.serving import until


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
    # Whatever this process stood still before, for want of a loop, is taken off.
    assert abs(now_ms() + RUN_CLOCK.skipped_ms - time.monotonic() * 1000) < 1000
    assert wall_ms() > 1_600_000_000_000


async def test_modules_are_loaded_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loaded_late.py").write_text("import threading\nNAME = threading.current_thread().name\n")
    monkeypatch.syspath_prepend(tmp_path)
    await load_in_thread("loaded_late")
    assert sys.modules.pop("loaded_late").NAME == "load-loaded_late"


@pytest.mark.parametrize("fault", ["raise ValueError('boom')", "raise SystemExit('boom')"])
async def test_what_an_import_raises_is_raised_to_who_waits(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loaded_badly.py").write_text(f"{fault}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Exception, match="boom"):
        await load_in_thread("loaded_badly")


def test_a_process_that_ends_waits_for_an_import_in_its_middle(tmp_path: Path) -> None:
    (tmp_path / "loads_long.py").write_text("import time\ntime.sleep(0.3)\nprint('loaded', flush=True)\n")
    script = (
        "import asyncio\nfrom edge.net.aio import load_in_thread\n"
        "async def leave():\n"
        "    task = asyncio.ensure_future(load_in_thread('loads_long'))\n"
        "    await asyncio.sleep(0.1)\n"
        "    raise SystemExit(0)\n"
        "asyncio.run(leave())\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "loaded\n", "")


async def test_call_beside_the_loop_gives_its_result_or_its_failure() -> None:
    assert await call_in_thread(lambda: threading.current_thread().name, name="beside") == "beside"

    def fail() -> int:
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        await call_in_thread(fail, name="beside")


async def test_call_whose_caller_has_left_ends_unheard() -> None:
    is_over, has_begun = threading.Event(), threading.Event()

    def wait() -> None:
        has_begun.set()
        is_over.wait(30)

    call = asyncio.ensure_future(call_in_thread(wait, name="left"))
    await until(has_begun.is_set)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    is_over.set()
    await until(lambda: all(thread.name != "left" for thread in threading.enumerate()))
    await asyncio.sleep(0)


def test_clock_for_other_nodes_begins_with_the_wall_clock_and_does_not_step_with_it(monkeypatch) -> None:
    assert abs(clock_us() // 1000 - wall_ms()) < 60_000
    before = clock_us()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert 0 <= clock_us() - before < 60_000_000


async def test_R10_a_task_that_is_to_last_is_begun_anew_after_a_failure(caplog, monkeypatch) -> None:
    monkeypatch.setattr(aio, "_ANEW_AFTER_S", 0.001)
    owner, failed, begun = TaskOwner("test"), TaskOwner.failed_count, []
    lasts = asyncio.Event()

    async def run() -> None:
        begun.append(1)
        if len(begun) < 3:
            raise ValueError("injected")
        lasts.set()
        await asyncio.Event().wait()

    spawn_lasting(run, name="lasting", owner=owner)
    async with asyncio.timeout(deadline(2)):
        await lasts.wait()
    assert (len(owner), TaskOwner.failed_count - failed) == (1, 2)
    assert caplog.text.count("begun anew name=lasting") == 2
    await owner.close()
    TaskOwner.failed_count = failed


async def test_R12_without_a_thread_it_is_said_at_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    at_exit: list[object] = []
    monkeypatch.setattr(atexit, "register", lambda call, *_: at_exit.append(call))
    monkeypatch.setattr(atexit, "unregister", at_exit.remove)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError):
            await load_in_thread("json")
        with pytest.raises(RuntimeError):
            await call_in_thread(lambda: 1, name="one")
    assert not at_exit, "the end of the process would wait for it"
    await load_in_thread("json")
    assert await call_in_thread(lambda: 1, name="one") == 1


# --- the clock ---------------------------------------------------------------


def test_R9_a_gap_in_which_nobody_ran_is_left_out() -> None:
    at_ms = [1000]
    clock = RunClock(lambda: at_ms[0] * 1_000_000)

    def after(ms: int) -> int:
        at_ms[0] += ms
        return clock.now_ms()

    assert (clock.now_ms(), after(9000)) == (1000, 10_000), "nobody looks for gaps"
    clock.watch(True)
    assert after(2000) == 12_000
    assert after(10_000) == 12_000 and clock.skipped_ms == 10_000
    assert after(100) == 12_100
    assert after(2001) == 12_100
    clock.watch(True)
    clock.watch(False)
    assert after(3000) == 12_100, "another node still looks"
    clock.watch(False)
    assert after(60_000) == 72_100


def test_now_is_monotonic_time_as_long_as_the_process_runs() -> None:
    before = time.monotonic_ns() // 1_000_000
    # Both summands are rounded down.
    assert before - 1 <= now_ms() + RUN_CLOCK.skipped_ms <= time.monotonic_ns() // 1_000_000
