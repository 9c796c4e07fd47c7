"""What a player is before it has got anything."""

from __future__ import annotations

from edge.net.fan.player import Player
from tests.net.fakes import FakePeer, Rig


def test_player_is_little_more_than_an_offset() -> None:
    peer = FakePeer()
    player = Player(peer, peer.send, 5)
    assert (player.message_stream_id, player.offset, player.primed, player.position) == (5, 0, 0, -1)
    assert player.fan is player.slot is player.tail is player.base_ms is None
    assert not hasattr(player, "__dict__")


def test_player_that_left_holds_nothing() -> None:
    rig = Rig()
    rig.source.run(3)
    peer = rig.play()
    player = peer.player
    peer.leave()
    assert player.fan is player.slot is player.tail is None
    assert len(rig.source.stream.readers) == 1, "the log waits a moment for the next player"
    for _ in range(12):
        rig.tick()
    assert rig.source.stream.readers == []


def test_sent_bytes_count_what_came_from_the_shared_log() -> None:
    rig = Rig()
    rig.source.run(3)
    peer = rig.play()
    rig.source.run(5)
    player, fan = peer.player, peer.player.fan
    assert fan is not None
    first = fan.log.offset_of(rig.source.stream.queue.keyframes[0])
    assert player.log_bytes == fan.log.end - first
    peer.leave()
    assert player.log_bytes == fan.log.end - first
