from __future__ import annotations

import asyncio
import sys
import threading
import time

import pytest

from edge.profiling import cpu
from edge.profiling.stacks import CPU, Frame, Profile
from tests.harness.clock import deadline


def spin_in_the_test(has_begun: threading.Event, until: threading.Event) -> None:
    has_begun.set()
    while not until.is_set():
        sum(range(100))


def sampled(thread: threading.Thread, seconds: float, is_stopped: threading.Event | None = None) -> Profile:
    assert thread.ident is not None
    return cpu.sample_cpu(
        thread.ident, seconds, name="n", started_ms=5, is_stopped=is_stopped or threading.Event(), period_s=0.002
    )


def test_function_that_burns_is_the_one_that_is_seen() -> None:
    has_begun, is_over = threading.Event(), threading.Event()
    thread = threading.Thread(target=spin_in_the_test, args=(has_begun, is_over))
    thread.start()
    has_begun.wait()
    try:
        limit = time.monotonic() + deadline(10)
        profile = sampled(thread, 0.2)
        while profile.facts["sample_count"] < 3 and time.monotonic() < limit:  # a busy machine
            profile = sampled(thread, 1)
    finally:
        is_over.set()
        thread.join()
    assert profile.kind is CPU and (profile.name, profile.started_ms) == ("n", 5)
    # That it calls the standard library now and then makes other stacks, with it in them.
    seen = sum(row.value for row in profile.rows if any(frame.function == "spin_in_the_test" for frame in row.stack))
    assert seen == profile.total == (profile.facts["sample_count"] - profile.facts["idle_count"]) * profile.period > 0


def test_thread_that_has_ended_and_a_stop_before_the_time() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    is_stopped = threading.Event()
    is_stopped.set()
    begun = time.monotonic()
    profile = sampled(thread, 1e9, is_stopped)
    assert time.monotonic() - begun < deadline(60)
    assert profile.rows == ()
    switch_s = sys.getswitchinterval()
    assert sampled(thread, 0.02).rows == ()
    assert sys.getswitchinterval() == switch_s


async def test_loop_that_waits_is_idle() -> None:
    loop = asyncio.get_running_loop()
    runner = await cpu.runner_of(loop)
    ident = threading.get_ident()
    profile = await asyncio.to_thread(
        lambda: cpu.sample_cpu(
            ident, 0.1, name="n", started_ms=0, is_stopped=threading.Event(), runner=runner, period_s=0.005
        )
    )
    assert profile.facts["idle_count"] > 0


def test_loop_of_uvloop_that_waits_is_idle() -> None:
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_loop_that_waits_is_idle())


def test_waiting() -> None:
    runner = Frame("Runner.run", "asyncio/runners.py", 1)
    assert cpu.is_waiting(runner, runner)
    assert cpu.is_waiting(Frame("EpollSelector.select", "selectors.py", 1), None)
    assert not cpu.is_waiting(Frame("call_soon", "asyncio/base_events.py", 1), runner)
    assert cpu.cpu_clock(threading.get_ident()) is None or cpu.cpu_clock(threading.get_ident()) > 0  # type: ignore[operator]
