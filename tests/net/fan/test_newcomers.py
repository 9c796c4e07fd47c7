"""Who comes beside others is sent what it would be sent alone."""

from __future__ import annotations

import pytest

from edge.hub.wire_form import PlainForm
from edge.media.frame import VIDEO, Frame
from tests.net.fakes import FakePeer, Rig
from tests.net.fan.test_log_fan import control
from tests.net.forms import PLAIN_FORMS


def filled(plain: PlainForm | None = None) -> Rig:
    rig = Rig(plain=plain)
    rig.source.headers()
    rig.source.run(25)
    return rig


@pytest.mark.parametrize("plain", [None, *PLAIN_FORMS], ids=repr)
def test_each_gets_the_bytes_of_the_first_and_takes_one_call(plain: PlainForm | None) -> None:
    rig, alone = filled(plain), filled(plain)
    peers = [rig.play(prologue=control(b"start")) for _ in range(3)]
    expected = alone.play(prologue=control(b"start"))
    assert {bytes(peer.received) for peer in peers} == {bytes(expected.received)}
    assert [peer.calls for peer in peers] == [1, 1, 1]
    for one in (rig, alone):
        one.source.run(3, from_ms=1000)
    assert {bytes(peer.received) for peer in peers} == {bytes(expected.received)}
    assert {peer.player.sent_bytes for peer in peers if peer.player} == {len(expected.received)}


def test_another_message_stream_is_not_the_same() -> None:
    rig = filled()
    first, second = rig.play(), FakePeer()
    opening = type(rig.play().player.opening)(rig.form, 2)  # type: ignore[union-attr]
    second.player = type(first.player)(second, second.send, opening)  # type: ignore[misc, arg-type, union-attr]
    rig.fanout.attach(second.player, rig.source.stream, rig.form)
    assert {message.message_stream_id for message in rig.media_of(first)} == {1}
    assert {message.message_stream_id for message in rig.media_of(second)} == {2}


def test_after_the_next_frame_one_begins_anew() -> None:
    rig = filled()
    first = rig.play()
    rig.source.run(2, from_ms=1000)
    second = rig.play()
    assert rig.seqs_of(first)[-1] == rig.seqs_of(second)[-1]
    assert rig.seqs_of(second) == rig.wanted(rig.source.stream.queue.keyframes[-1])
    rig.source.video(1100, is_keyframe=True)
    third = rig.play()
    assert rig.seqs_of(third) == rig.wanted(rig.source.stream.queue.keyframes[-1])


def test_who_comes_while_there_is_no_keyframe_waits_and_then_begins_with_it() -> None:
    rig = Rig()
    rig.source.headers()
    rig.source.video(0)
    peers = [rig.play(prologue=control(b"start")) for _ in range(2)]
    assert [rig.seqs_of(peer) for peer in peers] == [[], []]
    assert all(peer.received for peer in peers), "the answer does not wait"
    rig.source.video(40, is_keyframe=True)
    rig.source.video(80)
    assert [rig.seqs_of(peer) for peer in peers] == [rig.wanted(4)] * 2


def test_a_picture_that_came_meanwhile_without_a_frame_is_sent_to_the_next() -> None:
    rig = Rig()
    rig.source.headers()
    for number in range(3):
        rig.source.audio(number * 20)
    before = rig.play()
    slide = Frame(VIDEO, 0, b"\x17\x01\0\0\0slide", is_keyframe=True)
    slide.epoch = rig.source.epoch
    rig.source.stream.queue.hold_pictures([slide])
    rig.source.publisher.commit()
    after = rig.play()
    assert slide.payload not in [message.payload for message in rig.media_of(before)]
    assert slide.payload in [message.payload for message in rig.media_of(after)]


def test_one_that_is_blocked_at_once_goes_on_where_it_was() -> None:
    rig = filled()
    ready = rig.play(prologue=control(b"start"))
    for room in (0, 1, 20, 200, 300):
        peer = rig.play(room, prologue=control(b"start"))
        assert peer.is_write_wanted
        peer.give_room(None)
        assert peer.received == ready.received
        assert peer.player is not None
        assert peer.player.position >= 0


def test_nothing_is_kept_of_how_one_began_once_the_next_frame_has_come() -> None:
    rig = filled()
    peer = rig.play()
    assert peer.player is not None
    newcomers = peer.player.fan._newcomers  # type: ignore[union-attr]
    assert newcomers._begun
    rig.source.video(1000)
    assert not newcomers._begun
