"""Ends of streams and lost sockets: all are reached, some per turn."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.net.fakes import Rig


def test_end_of_many_players_takes_several_turns_and_reaches_all() -> None:
    rig = Rig()
    rig.source.run(3)
    peers = [rig.play() for _ in range(700)]
    rig.source.stream.end("over")
    rig.loop.run_soon()
    assert {peer.finished for peer in peers} == {"over"}
    assert rig.fanout.player_count == 0
    rig.loop.run_for(3000)


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
