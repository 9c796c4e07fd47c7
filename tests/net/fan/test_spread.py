"""Players over slots, and back into one."""

from __future__ import annotations

from tests.net.fakes import Rig, check


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
