"""Turns: what is due is flushed, and what a turn has no time for comes in the next."""

from __future__ import annotations

import time
from itertools import count

import pytest

from edge.net.fan.interval import MERGE_MS
from edge.net.fan.log_fan import MAX_SLOT_MEMBERS
from edge.net.fan.wheel import TICK_MS, TURN_BUDGET_NS
from tests.net.fakes import Rig


class Pump:
    """A connection that writes for itself."""

    is_pump_scheduled = False

    def __init__(self) -> None:
        self.count = self.failed_count = 0
        self.error: Exception | None = None

    def pump(self) -> int:
        if self.error is not None:
            raise self.error
        self.count += 1
        return 1

    def failed_internally(self) -> None:
        self.failed_count += 1


def test_pumps_run_once_per_flush() -> None:
    rig, pump = Rig(interval_ms=0), Pump()
    for _ in range(3):
        rig.fanout.schedule_pump(pump)
    rig.loop.run_soon()
    assert pump.count == 1
    later, slow = Rig(interval_ms=100), Pump()
    later.fanout.schedule_pump(slow)
    later.loop.run_for(50)
    assert slow.count == 0
    later.loop.run_for(80)
    assert slow.count == 1


@pytest.mark.parametrize("interval_ms", [0, 50])
def test_R10_exception_in_one_pump_leaves_the_others_running(interval_ms: int) -> None:
    rig = Rig(interval_ms=interval_ms)
    broken, well = Pump(), Pump()
    broken.error = RuntimeError("injected")
    for _ in range(3):
        rig.fanout.schedule_pump(broken)
        rig.fanout.schedule_pump(well)
        rig.loop.run_for(100)
    assert broken.failed_count == 3
    assert well.count == 3


def test_W2_message_to_very_many_players_is_sent_over_several_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.source.run(3)
    peers = [rig.play() for _ in range(3 * MAX_SLOT_MEMBERS)]
    clock = count(0, TURN_BUDGET_NS // 2)
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
    rig.source.run(1, from_ms=120)
    assert 0 < sum(rig.seqs_of(peer)[-1] == 7 for peer in peers) < len(peers)
    rig.loop.run_soon()
    assert all(rig.seqs_of(peer) == rig.wanted(0) for peer in peers)


def test_close_stops_the_ticker() -> None:
    rig = Rig(interval_ms=50)
    rig.source.run(3)
    rig.play()
    rig.source.run(1, from_ms=120)
    rig.fanout.close()
    rig.fanout.close()
    rig.loop.run_for(200)


@pytest.mark.parametrize("interval_ms", [50, 350, 600, 1000])
def test_what_comes_while_the_wheel_sleeps_is_not_early(interval_ms: int) -> None:
    rig, first, second = Rig(interval_ms=interval_ms), Pump(), Pump()
    rig.fanout.schedule_pump(first)
    rig.loop.run_for(interval_ms - 20)
    rig.fanout.schedule_pump(second)
    came = rig.loop.now
    while not second.count:
        rig.loop.run_for(1)
    assert interval_ms - TICK_MS <= rig.loop.now - came <= interval_ms + 2 * TICK_MS
    assert first.count == 1


def test_nothing_is_passed_over_by_what_is_put_while_others_are_worked_off() -> None:
    rig = Rig(interval_ms=50)

    class Slow(Pump):
        """Works longer than a tick, and asks for another turn."""

        def pump(self) -> int:
            rig.loop.now += 8
            rig.fanout.schedule_pump(self)
            return super().pump()

    slow, next_one = Slow(), Pump()
    rig.fanout.schedule_pump(slow)
    rig.loop.run_for(TICK_MS)
    rig.fanout.schedule_pump(next_one)
    came = rig.loop.now
    while not next_one.count:
        rig.loop.run_for(1)
    assert rig.loop.now - came <= 50 + 4 * TICK_MS


@pytest.mark.parametrize(("interval_ms", "longest_ms"), [(MERGE_MS, 0), (40, MERGE_MS), (350, MERGE_MS)])
def test_writers_to_nodes_wait_no_longer_than_it_takes_to_merge(interval_ms: int, longest_ms: int) -> None:
    rig, pump = Rig(interval_ms=-1), Pump()
    rig.fanout._flush.interval_ms = interval_ms
    rig.fanout.schedule_pump(pump)
    rig.loop.run_soon()
    came = rig.loop.now
    while not pump.count:
        rig.loop.run_for(1)
    assert rig.loop.now - came <= longest_ms
