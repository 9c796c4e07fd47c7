"""The loop that is run on, and how late it is found to be."""

from __future__ import annotations

import asyncio
import importlib
import time

import pytest

from edge.runtime import loop as loop_module
from edge.runtime.loop import ClockWatch, LagProbe, new_event_loop
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
    before_ms = probe.max_ms  # of a machine that others use
    time.sleep(0.25 + before_ms / 1000)  # noqa: ASYNC251 - blocks the loop on purpose
    await eventually(lambda: probe.max_ms >= before_ms + 120, "the lag", 1)
    await eventually(lambda: probe.lag_ms < 100, "the end of the lag", 1)
    assert probe.max_ms >= before_ms + 120
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


async def test_R9_a_turn_that_takes_too_long_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    probe = LagProbe(asyncio.get_running_loop(), warn_ms=250.5)
    clock = [1000]
    monkeypatch.setattr(loop_module, "now_ms", lambda: clock[0])
    probe.start()
    clock[0] = 1000 + 100 + 250
    await eventually(lambda: probe.max_ms == 250, "a late turn")
    assert caplog.messages == []
    clock[0] += 100 + 251
    await eventually(lambda: caplog.messages, "the stall")
    assert caplog.messages[0].startswith("loop stalled for_ms=251 own_cpu_ms=")
    assert caplog.records[0].levelname == "WARNING"
    probe.close()


async def late_by_a_minute(monkeypatch: pytest.MonkeyPatch) -> LagProbe:
    """One that has seen such a turn, and looks no more."""
    probe = LagProbe(asyncio.get_running_loop())
    clock = [1000]
    monkeypatch.setattr(loop_module, "now_ms", lambda: clock[0])
    probe.start()
    clock[0] = 60_000
    await eventually(lambda: probe.max_ms > 50_000, "a late turn")
    probe.close()
    return probe


async def test_0_tells_of_no_turn(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    await late_by_a_minute(monkeypatch)
    assert caplog.messages == []


@pytest.mark.parametrize(("step_ms", "text"), [(5000, "+5000"), (-3600_000, "-3600000"), (900, ""), (-1000, "")])
def test_a_wall_clock_that_was_set_is_told_once(step_ms: int, text: str, caplog: pytest.LogCaptureFixture) -> None:
    watch = ClockWatch(1000, 500_000)
    watch.look(2000, 501_000)
    watch.look(62_000, 561_000)  # the process stood still: both clocks went on
    watch.look(63_000, 562_000 + step_ms)
    watch.look(64_000, 563_000 + step_ms)
    assert caplog.messages == ([f"wall clock was set by_ms={text}"] if text else [])


async def test_nothing_is_measured_after_the_end() -> None:
    probe = LagProbe(asyncio.get_running_loop())
    probe.close()
    probe.start()
    probe.close()
    await asyncio.sleep(0.12)
    assert probe.max_ms == 0


async def test_the_peak_is_of_the_time_since_it_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = await late_by_a_minute(monkeypatch)
    assert probe.take_peak_ms() == probe.max_ms
    assert probe.take_peak_ms() == 0
    assert probe.max_ms > 50_000, "that of all times stays"
