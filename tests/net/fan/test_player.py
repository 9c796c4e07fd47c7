"""What a player is before it has got anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hub.config import HubConfig
from edge.hub.wire_form import PlainForm
from edge.net.fan.player import Player
from edge.net.flv_form import FlvForm
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.opening import RtmpOpening
from tests.net.fakes import FakePeer, Rig


def test_player_is_little_more_than_an_offset() -> None:
    peer = FakePeer()
    opening = RtmpOpening(RtmpForm(64), 5)
    player = Player(peer, peer.send, opening)
    assert (opening.message_stream_id, player.offset, opening.missing, player.position) == (5, 0, 7, -1)
    assert player.fan is player.slot is player.tail is opening.base_ms is player.stream is None
    assert not player.has_begun
    assert not hasattr(player, "__dict__")


def test_player_that_left_holds_nothing() -> None:
    rig = Rig()
    rig.source.run(3)
    peer = rig.play()
    player = peer.player
    assert player.stream is rig.source.stream
    assert player.has_begun
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


def test_bytes_that_it_has_not_got_yet_are_what_it_is_behind() -> None:
    rig = Rig()
    rig.source.run(3)
    peer = rig.play()
    player, fan = peer.player, peer.player.fan
    assert fan is not None and player.behind_bytes == 0
    peer.give_room(0)
    rig.source.run(30)
    end, behind = fan.log.end, player.behind_bytes
    assert 0 < behind <= end
    peer.give_room(behind)
    assert player.behind_bytes == 0
    peer.leave()
    assert player.behind_bytes == 0


@pytest.mark.parametrize("plain", [None, FlvForm()], ids=["RTMP", "FLV"])
@given(
    rooms=st.lists(st.integers(0, 3000), min_size=1, max_size=12),
    words=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_all_bytes_that_its_socket_has_taken_are_counted(
    plain: PlainForm | None, rooms: list[int], words: list[bool]
) -> None:
    """Whatever came alone, between two messages, or behind a jump."""
    rig = Rig(plain=plain, hub=HubConfig(queue_length_s=1, log_retain_ms=1000))
    rig.source.headers()
    rig.source.run(30)
    peer = rig.play(room=100, prologue=b"a head")
    player = peer.player
    for number, (room, is_word) in enumerate(zip(rooms, words, strict=False)):
        rig.source.run(30, from_ms=(number + 1) * 1200)
        if is_word and player.fan is not None:
            player.fan.send_private(player, b"a word")
        peer.give_room(room)
        assert player.sent_bytes == len(peer.received)
    player.leave()
    assert player.sent_bytes == len(peer.received)
    assert player.leave() == b""


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_jumps_are_limited_within_a_minute(limit: int) -> None:
    peer = FakePeer()
    player = Player(peer, peer.send, RtmpOpening(RtmpForm(64), 1))
    for begin_ms in (100_000, 170_000):
        allowed = [player.note_jump(begin_ms + n * 1000, limit) for n in range(5)]
        assert allowed == [limit == 0 or n < limit for n in range(5)]
        assert player.jump_count == 5


def test_member_that_is_taken_out_roams_from_the_place_of_its_slot() -> None:
    rig = Rig()
    rig.source.run(3)
    peers = [rig.play() for _ in range(3)]
    first, second, third = (peer.player for peer in peers)
    slot = first.slot
    assert slot is not None
    slot.take_out(first)
    assert (first.position, first.offset, third.position, second.position) == (-1, slot.offset, 0, 1)
    assert (slot.members, slot.roaming, len(slot)) == ([third, second], {first}, 3)
