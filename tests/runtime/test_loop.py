"""The loop that is run on, and how late it is found to be."""

from __future__ import annotations

import asyncio
import importlib
import time

import pytest

from edge.runtime import loop as loop_module
from edge.runtime.loop import LagProbe, new_event_loop
from tests.net.live import eventually


def test_stock_loop_serves_where_uvloop_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    loop = new_event_loop()
    try:
        assert type(loop).__module__.startswith("asyncio")
    finally:
        loop.close()


def test_any_loop_runs_what_it_is_given() -> None:
    loop = new_event_loop()
    try:
        assert loop.run_until_complete(asyncio.sleep(0, "done")) == "done"
    finally:
        loop.close()


async def test_a_turn_that_takes_long_is_measured() -> None:
    probe = LagProbe(asyncio.get_running_loop())
    probe.start()
    await asyncio.sleep(0.11)
    assert probe.max_ms < 100
    time.sleep(0.25)  # noqa: ASYNC251 - blocks the loop on purpose
    await eventually(lambda: probe.max_ms >= 120, "the lag", 1)
    await eventually(lambda: probe.lag_ms < 100, "the end of the lag", 1)
    assert probe.max_ms >= 120
    probe.close()


async def test_a_turn_that_only_waits_for_the_machine_costs_no_cpu() -> None:
    probe = LagProbe(asyncio.get_running_loop())
    probe.start()
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251 - as if others had the core
    await eventually(lambda: probe.max_ms >= 150, "the lag")
    assert probe.turn_cpu_max_ms < 100
    probe.close()


async def test_a_turn_that_computes_is_measured_by_its_cpu_time() -> None:
    probe = LagProbe(asyncio.get_running_loop())
    probe.start()
    await asyncio.sleep(0)
    ends_at = time.thread_time() + 0.3
    while time.thread_time() < ends_at:
        pass
    await eventually(lambda: probe.turn_cpu_max_ms >= 150, "the turn")
    probe.close()


async def test_R9_a_standstill_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    probe = LagProbe(asyncio.get_running_loop(), told.append)
    clock = [1000]
    monkeypatch.setattr(loop_module, "now_ms", lambda: clock[0])
    probe.start()
    clock[0] = 1000 + 100 + 2000
    await eventually(lambda: probe.max_ms == 2000, "a late turn")
    assert told == []
    clock[0] += 100 + 2001
    await eventually(lambda: told, "the standstill")
    assert told == [2001]
    probe.close()


async def test_nothing_is_measured_after_the_end() -> None:
    probe = LagProbe(asyncio.get_running_loop())
    probe.close()
    probe.start()
    probe.close()
    await asyncio.sleep(0.12)
    assert probe.max_ms == 0
