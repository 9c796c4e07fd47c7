"""When players get what: at once, in turns, and at the end."""

from __future__ import annotations

import time
from itertools import count, pairwise

import pytest

from edge.hub.config import HubConfig
from edge.net.fan.fanout import TICK_MS, TURN_BUDGET_NS
from edge.net.fan.log_fan import MAX_SLOT_MEMBERS
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


def check(rig: Rig, peers) -> None:
    for peer in peers:
        seqs = rig.seqs_of(peer)
        assert seqs == rig.wanted(seqs[0])
        assert peer.player.position >= 0


def test_at_once_each_message_is_sent_when_it_comes() -> None:
    rig = Rig(interval_ms=0)
    rig.source.run(3)
    peers = [rig.play() for _ in range(20)]
    sends = rig.fanout.send_count
    rig.source.run(5, from_ms=120)
    assert rig.fanout.send_count - sends == 20 * 10
    assert rig.fanout.player_count == 20
    check(rig, peers)


@pytest.mark.parametrize("interval_ms", [50, 350])
def test_with_an_interval_a_player_costs_one_call_per_interval(interval_ms: int) -> None:
    rig = Rig(interval_ms=interval_ms)
    rig.source.run(3)
    peers = [rig.play() for _ in range(20)]
    calls = peers[0].calls
    for n in range(100):
        rig.source.run(1, from_ms=120 + n * 40)
        rig.loop.run_for(40)
    rig.loop.run_for(interval_ms + 2 * TICK_MS)
    spent = peers[0].calls - calls
    assert spent <= 4000 / interval_ms + 3
    check(rig, peers)


def test_new_player_is_served_without_waiting_for_the_interval() -> None:
    rig = Rig(interval_ms=350)
    rig.source.run(12)
    peer = rig.play()
    seqs = rig.seqs_of(peer)
    assert seqs == rig.wanted(seqs[0])


def test_many_players_are_spread_over_slots_and_merged_again() -> None:
    rig = Rig(interval_ms=100)
    rig.source.run(3)
    peers = [rig.play() for _ in range(300)]
    for n in range(100):
        rig.source.run(1, from_ms=120 + n * 40)
        rig.loop.run_for(40)
        if n % 6 == 5:
            rig.fanout.tick(rig.loop.now)
    fan = peers[0].player.fan
    assert len(fan.slots) > 3
    assert sum(len(slot) for slot in fan.slots) == 300
    rig.fanout._flush.interval_ms = 0
    rig.source.run(1, from_ms=5000)
    rig.tick()
    assert len(fan.slots) == 1
    rig.source.run(2, from_ms=5040)
    rig.loop.run_for(200)
    check(rig, peers)


def test_blocked_players_survive_splitting_and_merging() -> None:
    rig = Rig(interval_ms=100)
    rig.source.run(3)
    peers = [rig.play(room=None if n % 3 else 150 + n) for n in range(200)]
    for n in range(40):
        rig.source.run(1, from_ms=120 + n * 40)
        rig.loop.run_for(40)
        rig.fanout.tick(rig.loop.now)
    rig.fanout._flush.interval_ms = 0
    rig.source.run(1, from_ms=5000)
    rig.tick()
    for peer in peers:
        peer.give_room(None)
    rig.source.run(1, from_ms=5040)
    check(rig, peers)


def test_Q5_player_without_progress_is_closed() -> None:
    rig = Rig(send_timeout_ms=3000)
    rig.source.run(5)
    stuck, slow = rig.play(room=0), rig.play(room=0)
    for n in range(16):
        slow.give_room(3)
        rig.source.video(200 + n * 250)
        rig.tick()
    assert stuck.slow is not None
    assert slow.slow is None


def test_Q4_player_behind_by_more_than_the_limit_jumps() -> None:
    rig = Rig(hub=HubConfig(queue_length_s=2))
    rig.source.run(5)
    peer = rig.play(room=40)
    for n in range(20):
        rig.source.run(6, from_ms=200 + n * 250)
        rig.tick()
    assert peer.player.jump_count
    assert rig.fanout.jump_count == peer.player.jump_count
    peer.give_room(None)
    rig.source.run(1, from_ms=6000)
    assert rig.seqs_of(peer)[-1] == len(rig.source.frames) - 1


def test_Q6_reader_that_pauses_for_3_s_loses_nothing() -> None:
    rig = Rig()
    rig.source.run(5)
    peer = rig.play(room=77)
    for n in range(12):
        rig.source.run(6, from_ms=200 + n * 250)
        rig.tick()
    peer.give_room(None)
    check(rig, [peer])


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


def test_end_of_many_players_takes_several_turns_and_reaches_all() -> None:
    rig = Rig()
    rig.source.run(3)
    peers = [rig.play() for _ in range(700)]
    rig.source.stream.end("over")
    rig.loop.run_soon()
    assert {peer.finished for peer in peers} == {"over"}
    assert rig.fanout.player_count == 0
    rig.loop.run_for(3000)


def test_two_streams_end_independently() -> None:
    rig = Rig()
    other = Rig()
    rig.source.run(3)
    other.source.run(3)
    first = rig.play()
    second = other.play()
    rig.source.stream.end("over")
    rig.loop.run_for(2500)
    assert first.finished == "over"
    assert second.finished is None


def test_close_stops_the_ticker() -> None:
    rig = Rig(interval_ms=50)
    rig.source.run(3)
    rig.play()
    rig.source.run(1, from_ms=120)
    rig.fanout.close()
    rig.fanout.close()
    rig.loop.run_for(200)


def test_figures_for_the_pages() -> None:
    rig = Rig(interval_ms=50)
    assert rig.fanout.interval_ms == 50
    assert rig.fanout.call_us > 0


def test_frames_that_wait_when_a_slot_is_split_reach_both_halves() -> None:
    rig = Rig(interval_ms=100, chunk_size=4096)
    rig.source.run(3)
    peers = [rig.play() for _ in range(200)]
    for index in range(30):
        rig.source.video(1000 + index * 40)
        rig.loop.run_for(40)
    rig.source.video(3000)
    rig.fanout.tick(rig.loop.now)
    rig.loop.run_for(1000)
    assert {rig.seqs_of(peer)[-1] for peer in peers} == {len(rig.source.frames) - 1}


def test_R10_exception_while_one_player_is_served_ends_that_player_only() -> None:
    rig = Rig()
    rig.source.run(3)
    broken, well = rig.play(), rig.play()

    def fail(is_wanted: bool) -> None:
        raise RuntimeError("injected")

    broken.want_write = fail  # type: ignore[method-assign]
    broken.room = 5
    rig.source.run(3, from_ms=120)
    assert broken.failed is not None
    assert rig.seqs_of(well) == rig.wanted(0)
    assert rig.fanout.player_count == 1


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


def test_Q8_many_players_that_vanish_at_once_are_closed_over_several_turns() -> None:
    rig = Rig()
    rig.source.run(3)
    peers = [rig.play() for _ in range(1000)]
    stays = rig.play()
    for peer in peers:
        peer.error = BrokenPipeError()
    rig.source.run(1, from_ms=120)
    closed_at_once = sum(peer.failed is not None for peer in peers)
    assert 0 < closed_at_once < 200
    rig.source.run(1, from_ms=160)
    rig.loop.run_soon()
    assert all(peer.failed is not None for peer in peers)
    assert rig.fanout.player_count == 1
    assert rig.seqs_of(stays) == rig.wanted(0)


def test_W2_stragglers_of_an_ended_stream_are_closed_over_several_turns() -> None:
    rig = Rig()
    rig.source.run(3)
    peers = [rig.play(room=7) for _ in range(1000)]
    rig.source.stream.end("over")
    rig.loop.run_for(1990)
    assert all(peer.finished is None for peer in peers)
    finished = [0]
    call_soon = rig.loop.call_soon

    def at_end_of_turn(callback, *args) -> None:
        finished.append(sum(peer.finished is not None for peer in peers))
        call_soon(callback, *args)

    rig.loop.call_soon = at_end_of_turn  # type: ignore[method-assign]
    rig.loop.run_for(100)
    assert all(peer.finished == "over" for peer in peers)
    assert len(finished) >= 4
    assert max(later - earlier for earlier, later in pairwise(finished)) <= 256


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


@pytest.mark.parametrize("has_others", [False, True])
@pytest.mark.parametrize("interval_ms", [0, 50])
def test_player_of_a_stream_that_has_ended_is_told(interval_ms: int, has_others: bool) -> None:
    rig = Rig(interval_ms=interval_ms)
    rig.source.run(3)
    if has_others:
        rig.play(room=0)
    rig.source.stream.end("over")
    rig.loop.run_soon()
    peer = rig.play()
    rig.loop.run_soon()
    assert peer.finished == "over"
    rig.loop.run_for(3000)
    assert rig.fanout.player_count == 0
    assert rig.source.stream.readers == []
