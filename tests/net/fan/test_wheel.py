"""Turns: what is due is flushed, and what a turn has no time for comes in the next."""

from __future__ import annotations

import time
from itertools import count

import pytest

from edge.net.fan.log_fan import MAX_SLOT_MEMBERS
from edge.net.fan.wheel import TURN_BUDGET_NS
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
