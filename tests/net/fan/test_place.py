"""A player that goes on in another process, from wherever it stands, gets each byte once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.handover import StreamExport, StreamImport
from edge.hub.stream import Stream
from edge.hub.wire_form import PlainForm
from edge.net.fan.place import place_of, put_in_place
from edge.net.fan.player import Player
from edge.net.flv_form import FlvForm, FlvOpening
from edge.net.rtmp.opening import RtmpOpening
from tests.net.fakes import FakePeer, Rig


def move(rig: Rig, *peers: FakePeer) -> Rig:
    """The same source and players with another fan-out, over another log."""
    source = rig.source
    export = StreamExport(source.stream, [source.publisher])
    found = StreamImport(export.document())
    for document in export.frame_documents():
        found.add_frames(document)
    new = Rig(chunk_size=rig.chunk_size, plain=rig.plain)
    new.source.stream = Stream(source.stream.key, source.stream.config, 0)
    found.resume(new.source.stream)
    new.source.publisher = found.publishers[0]
    new.source.frames, new.source.number = list(source.frames), source.number
    for peer in peers:
        old = peer.player
        assert old is not None
        place, opening = place_of(old), old.opening
        assert place is not None
        assert place_of(old) == place
        old.leave()
        if isinstance(opening, RtmpOpening):
            mine = RtmpOpening(new.form, 1)
            mine.go_on(opening.base_ms, opening.low_bases)
            player = Player(peer, peer.send, mine)
        else:
            assert isinstance(opening, FlvOpening)
            assert rig.plain is not None
            again = rig.plain.opening()
            if opening.has_begun:
                again.go_on()
            player = Player(peer, peer.send, again)
        put_in_place(player, place)
        peer.player = player
        seq = found.place_of(place.seq)
        new.fanout.attach_at(player, new.source.stream, new.plain or new.form, seq, has_begun=place.has_begun)
        peer.is_write_wanted = True
        assert player.fan is not None
        if peer.room != 0:
            player.fan.on_writable(player)
    return new


@settings(max_examples=60, deadline=None)
@given(rooms=st.lists(st.integers(0, 700), min_size=1, max_size=4))
def test_rtmp_players_decode_to_all_frames_with_their_stamps(rooms: list[int]) -> None:
    rig = Rig()
    rig.source.headers()
    rig.source.run(12)
    prompt, slow = rig.play(), rig.play(room=rooms[0])
    at_ms = 12 * 40
    for room in rooms:
        rig.source.run(3, from_ms=at_ms, gop=20)
        at_ms += 3 * 40
        rig = move(rig, prompt, slow)
        slow.give_room(room)
    slow.give_room(None)
    rig.source.run(3, from_ms=at_ms, gop=20)
    for peer in (prompt, slow):
        seqs = rig.seqs_of(peer)
        assert seqs == rig.wanted(seqs[0])
        assert peer.player is not None
        assert peer.player.position >= 0


@settings(max_examples=60, deadline=None)
@given(rooms=st.lists(st.integers(0, 700), min_size=1, max_size=4))
def test_players_of_flv_get_the_very_same_bytes(rooms: list[int]) -> None:
    plain: PlainForm = FlvForm()
    rig, still = Rig(plain=plain), Rig(plain=plain)
    peers = []
    for each in (rig, still):
        each.source.headers()
        each.source.run(12)
        peers.append(each.play(room=rooms[0]))
    moved, stayed = peers
    at_ms = 12 * 40
    for room in rooms:
        for each in (rig, still):
            each.source.run(3, from_ms=at_ms, gop=20)
        at_ms += 3 * 40
        rig = move(rig, moved)
        for peer in (moved, stayed):
            peer.give_room(room)
    for peer in (moved, stayed):
        peer.give_room(None)
    assert moved.received == stayed.received


def test_one_that_waits_for_a_picture_goes_on_waiting() -> None:
    rig = Rig()
    rig.source.headers()
    rig.source.video(0)
    peer = rig.play()
    assert peer.player is not None
    assert peer.player.waiting_since_ms is not None
    rig = move(rig, peer)
    rig.source.video(40)
    assert rig.seqs_of(peer) == []
    rig.source.run(2, from_ms=80)
    assert len(rig.seqs_of(peer)) == 4


def test_one_that_has_left_has_no_place() -> None:
    rig = Rig()
    peer = rig.play()
    peer.leave()
    assert peer.player is not None
    assert place_of(peer.player) is None
