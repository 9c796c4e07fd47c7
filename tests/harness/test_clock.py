"""Waits that a busy machine does not break, and tests that did not run."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time

import pytest

from tests.harness import clock
from tests.harness.clock import FairClock, deadline, left_out, missing, wait_until, wait_until_sync


def test_a_bound_is_five_times_the_stated_one_with_and_without_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_ci in (False, True):
        monkeypatch.setattr(clock, "IS_CI", is_ci)
        assert deadline(3.0) == 15.0


async def test_a_wait_goes_on_longer_than_a_quiet_machine_needs() -> None:
    turns = itertools.count()
    assert wait_until_sync(lambda: next(turns) > 3, 0.001, "the fourth look") > 0
    turns = itertools.count()
    assert await wait_until(lambda: next(turns) > 3, 0.001, "the fourth look") > 0


def test_what_is_missing_fails_under_ci_and_is_named_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "IS_CI", True)
    with pytest.raises(pytest.fail.Exception, match="etcd is not installed"):
        missing("etcd is not installed")
    monkeypatch.setattr(clock, "IS_CI", False)
    with pytest.raises(pytest.skip.Exception) as skipped:
        missing("etcd is not installed")
    reason = f"Skipped: {skipped.value}"
    assert left_out([reason, "Skipped: not on this kernel", reason]) == (
        "2 tests skipped (make deps installs programs): etcd is not installed (2)"
    )


def test_nothing_is_said_where_nothing_is_missing() -> None:
    assert left_out(["Skipped: not on this kernel"]) == ""


def test_a_fair_clock_counts_sleep_and_work_and_not_the_wait_for_a_core() -> None:
    clock = FairClock(os.getpid())
    began = clock()
    time.sleep(0.05)
    assert 0.0 < clock() - began < deadline(0.05)
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})  # all three on one core
        for hog in hogs:
            os.sched_setaffinity(hog.pid, {min(cores)})
        began, wall_began, cpu_began = clock(), time.monotonic(), time.thread_time()
        while time.thread_time() - cpu_began < 0.2:
            pass
        fair_s, wall_s = clock() - began, time.monotonic() - wall_began
    finally:
        os.sched_setaffinity(0, cores)
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert fair_s < wall_s


def test_a_process_that_has_ended_stops_no_clock() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    clock = FairClock(ended.pid)
    before = clock()
    time.sleep(0.01)
    assert clock() != before
