"""Messages in WebSocket frames."""

from __future__ import annotations

from edge.media.flv import TagReader
from edge.media.frame import VIDEO, Frame
from edge.net.flv_form import FlvForm
from edge.net.ws_form import WsForm
from edge.net.ws_frames import binary_header, pong_frame
from tests.net.fakes import Rig
from tests.net.forms import sent_of, unframe


def test_payload_is_not_copied_and_the_rest_is_the_form_inside() -> None:
    payload, form = b"x" * 100, WsForm(FlvForm(6))
    pieces = form.new_encoder([]).encode(Frame(VIDEO, 40, payload), 0)
    assert pieces[2] is payload
    assert pieces[0] == binary_header(len(b"".join(pieces[1:])))
    assert pieces[1:] == FlvForm(6).encode(Frame(VIDEO, 40, payload), 0)
    assert form.tracks == 6
    assert form == WsForm(FlvForm(6)) != WsForm(FlvForm())


def test_player_gets_whole_frames_and_its_own_between_two_of_them() -> None:
    rig = Rig(plain=WsForm(FlvForm()))
    rig.source.headers()
    rig.source.run(5)
    peer = rig.play(room=150)
    rig.source.run(2, from_ms=200)
    peer.player.fan.send_private(peer.player, pong_frame(b"pong"))
    peer.give_room(None)
    rig.source.run(2, from_ms=300)
    frames = unframe(bytes(peer.received))
    assert [payload for opcode, payload in frames if opcode == 10] == [b"pong"]
    tags = TagReader().receive_data(b"".join(payload for opcode, payload in frames if opcode == 2))
    assert len(tags) == 3 + 18
    assert tags[-1].body == rig.source.frames[-1].payload
    assert [dts_ms for _, dts_ms in sent_of(rig.plain, bytes(peer.received))] == [tag.timestamp_ms for tag in tags[3:]]


def test_no_track_misses_anything() -> None:
    opening = WsForm(FlvForm()).opening()
    assert opening.missing == 0
    [(opcode, tag)] = unframe(opening.first(Frame(VIDEO, 40, b"\x17\x01")))
    assert (opcode, tag) == (2, b"".join(FlvForm().encode(Frame(VIDEO, 40, b"\x17\x01"), 0)))
