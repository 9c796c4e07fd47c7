"""When players get what: at once, or in turns; and who is too slow."""

from __future__ import annotations

import pytest

from edge.hub.config import HubConfig
from edge.net.fan.interval import MERGE_MS
from edge.net.fan.wheel import TICK_MS
from tests.net.fakes import Rig, check


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


def test_figures_for_the_pages() -> None:
    rig = Rig(interval_ms=50)
    assert rig.fanout.interval_ms == 50
    assert rig.fanout.call_us > 0


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


def test_where_reading_waits_to_merge_messages_sending_does_not_wait_again() -> None:
    rig = Rig(interval_ms=-1)
    rig.source.headers()
    rig.source.run(3)
    peers = [rig.play() for _ in range(70)]
    rig.fanout._flush.interval_ms = MERGE_MS
    assert rig.fanout.is_brief
    for peer in peers:
        peer.calls = 0
    rig.source.video(120, commit=False)
    rig.source.audio(123, commit=False)
    rig.source.publisher.commit()
    assert {peer.calls for peer in peers} == {1}
    check(rig, peers)


@pytest.mark.parametrize("interval_ms", [0, 200])
def test_flush_of_the_timed_frame_is_measured_where_there_are_players(interval_ms: int) -> None:
    rig = Rig(interval_ms=interval_ms)
    source = rig.source
    source.run(3)
    source.stream.tick(0)
    source.run(1, from_ms=120)
    delay = source.stream.delay
    assert delay.figures is not None and delay.figures.flush_ms is None
    rig.play()
    rig.loop.run_for(500)
    assert delay.figures.flush_ms is None  # it was here before the player
    flushes_ms: list[float] = []
    for number in range(200):
        if number % 23 == 0:
            source.stream.tick(0)
        source.run(1, from_ms=200 + 40 * number)
        for _ in range(4):
            rig.loop.run_for(10)
            source.clock_us += 10_000
        if number % 23 == 22:
            assert delay.figures.flush_ms is not None
            flushes_ms.append(delay.figures.flush_ms)
    assert delay.histograms.flush.count == 9
    assert max(flushes_ms) <= interval_ms + 50
    assert (max(flushes_ms) > 0) is (interval_ms > 0)


def test_first_frame_is_from_the_request_to_the_first_bytes() -> None:
    rig = Rig(interval_ms=0)
    early = rig.play(asked_ms=rig.loop.now)
    rig.loop.run_for(2000)
    assert rig.fanout.first_frame.count == 0
    rig.source.run(3)
    assert rig.fanout.first_frame.count == 1
    assert 2000 <= rig.fanout.first_frame.total <= 2500
    late = rig.play(asked_ms=rig.loop.now - 30)
    assert (rig.fanout.first_frame.count, early.player.asked_ms, late.player.asked_ms) == (2, 0, 0)
    rig.play()  # a player that nobody asked for just now
    rig.source.run(3, from_ms=120)
    assert rig.fanout.first_frame.count == 2
