"""Players of FLV: each gets a file header, headers and tags, on the clock of the stream."""

from __future__ import annotations

import pytest

from edge.hub.config import HubConfig
from edge.hub.frame_queue import FrameQueue
from edge.media.flv import Tag, TagReader
from edge.media.frame import AUDIO, DATA, METADATA, VIDEO, Frame
from edge.media.metadata import decode_metadata, encode_metadata
from edge.net.flv_form import ERA_MS, FlvForm
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY, FakePeer, Rig, video

TIGHT = HubConfig(log_retain_ms=200, max_cached_frames=60)


def tags_of(data: bytes) -> list[Tag]:
    """All whole tags; anything that is no FLV fails."""
    return TagReader().receive_data(data)


def media_of(peer: FakePeer) -> list[Tag]:
    bodies = (VIDEO_HEADER_BODY, AUDIO_HEADER_BODY)
    return [tag for tag in tags_of(bytes(peer.received)) if tag.type_id != DATA and tag.body not in bodies]


def test_payload_is_not_copied() -> None:
    payload = b"x" * 100
    assert FlvForm().encode(Frame(VIDEO, 40, payload), 0)[1] is payload


@pytest.mark.parametrize(("tracks", "flags"), [(7, 5), (5, 4), (6, 1)])
def test_file_header_says_what_is_sent(tracks: int, flags: int) -> None:
    rig = Rig(plain=FlvForm(tracks))
    rig.source.headers()
    rig.source.run(12)
    peer = rig.play()
    rig.source.run(3, from_ms=480)
    assert peer.received[:9] == b"FLV\x01" + bytes((flags,)) + b"\0\0\0\x09"
    wanted = {bit: type_id for bit, type_id in ((1, AUDIO), (2, VIDEO), (4, DATA)) if tracks & bit}
    assert {tag.type_id for tag in tags_of(bytes(peer.received))} == set(wanted.values())


def test_late_player_has_the_clock_of_the_stream_in_headers_too() -> None:
    rig = Rig(plain=FlvForm())
    early = rig.play()
    rig.source.headers()
    rig.source.run(30, from_ms=7_000_000)
    late = rig.play()
    rig.source.run(3, from_ms=7_001_200)
    tags = tags_of(bytes(late.received))
    assert [tag.type_id for tag in tags[:3]] == [DATA, VIDEO, AUDIO]
    assert [tag.timestamp_ms for tag in tags[:4]] == [0, 800, 800, 800]
    assert media_of(early)[-len(media_of(late)) :] == media_of(late)
    assert late.player.position == 1


def test_metadata_of_a_filter_lose_the_other_medium() -> None:
    frame = Frame(DATA, 40, encode_metadata({"width": 16.0, "stereo": True}), METADATA)
    [tag] = tags_of(b"FLV\x01\x04\0\0\0\x09\0\0\0\0" + b"".join(FlvForm(5).encode(frame, 0)))
    assert (tag.timestamp_ms, decode_metadata(tag.body)) == (0, {"stereo": True})


def test_jump_repeats_neither_file_header_nor_headers_that_it_has() -> None:
    rig = Rig(plain=FlvForm(), hub=TIGHT)
    rig.source.headers()
    rig.source.run(10)
    peer = rig.play(room=300)
    rig.source.run(30, from_ms=400)
    rig.source.push(VIDEO, 1600, VIDEO_HEADER_BODY + b"2")
    rig.source.run(100, from_ms=1600)
    peer.give_room(None)
    assert peer.player.jump_count
    bodies = [tag.body for tag in tags_of(bytes(peer.received))]
    assert [bodies.count(body) for body in (AUDIO_HEADER_BODY, VIDEO_HEADER_BODY + b"2")] == [1, 1]
    stamps = [tag.timestamp_ms for tag in media_of(peer)]
    assert stamps == sorted(stamps)


def test_newcomer_to_slides_gets_the_present_one() -> None:
    rig = Rig(plain=FlvForm())
    rig.source.headers()
    rig.source.video(0, is_keyframe=True)
    for ms in range(0, 14_000, 20):
        rig.source.audio(ms)
    peer = rig.play()
    assert [(tag.type_id, tag.timestamp_ms) for tag in media_of(peer)] == [(VIDEO, 13_980), (AUDIO, 13_980)]


def test_short_write_at_every_offset() -> None:
    def received(room: int | None) -> bytearray:
        rig = Rig(plain=FlvForm())
        rig.source.headers()
        rig.source.run(3, gop=3)
        peer = rig.play(room)
        rig.source.run(2, from_ms=120, gop=9)
        peer.give_room(None)
        assert peer.player.position >= 0
        return peer.received

    whole = received(None)
    assert all(received(cut) == whole for cut in range(1, len(whole)))


def test_clock_begins_anew_for_those_who_come_after_12_days() -> None:
    queue = FrameQueue()
    assert FlvForm.of(queue) == FlvForm()
    rig = Rig()
    rig.source.video(0, is_keyframe=True)
    rig.plain = FlvForm.of(rig.source.stream.queue)
    early = rig.play()
    for at_ms in (ERA_MS, ERA_MS + 40):
        rig.source.stream.queue.push(Frame(VIDEO, at_ms, video(7, is_keyframe=True), is_keyframe=True))
    rig.source.stream.queue.evict(1)
    rig.source.video(80)
    late_form = FlvForm.of(rig.source.stream.queue, 6)
    assert late_form == FlvForm(6, ERA_MS)
    assert FlvForm.of(rig.source.stream.queue, 6) == late_form, "newcomers share a log"
    rig.plain = late_form
    late = rig.play()
    assert media_of(early)[1].timestamp_ms == ERA_MS
    assert media_of(late)[0].timestamp_ms == 40
    assert late_form.encode(Frame(AUDIO, ERA_MS - 1, b"\xaf\x01"), 0)[0][4:8] == bytes(4), "never below 0"
