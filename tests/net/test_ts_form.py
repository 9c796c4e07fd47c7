"""Players of MPEG-TS on one shared log: a demuxer that accepts nothing doubtful reads what each got."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge.errors import UnsupportedCodecError
from edge.hub.config import HubConfig
from edge.hub.log import LogPlace
from edge.media.frame import AUDIO, VIDEO, Frame
from edge.media.mpegts import AUDIO_PID, VIDEO_PID
from edge.net.flv_form import FlvForm
from edge.net.ts_form import TsForm
from tests.harness.ts_demux import TsDemuxer, demux
from tests.net.fakes import FakePeer, Rig, audio
from tests.net.forms import AAC_HEADER_BODY, AVC_HEADER_BODY, coded_picture, sent_of

TIGHT = HubConfig(log_retain_ms=200, max_cached_frames=60)
MP3 = bytes.fromhex("fffb9064")


class TsRig(Rig):
    """With pictures and sounds that TS has a place for."""

    def __init__(self, form: TsForm | None = None, **options) -> None:
        super().__init__(plain=form or TsForm(), **options)

    def headers(self) -> None:
        self.source.push(VIDEO, 0, AVC_HEADER_BODY)
        self.source.push(AUDIO, 0, AAC_HEADER_BODY)

    def picture(self, at_ms: int, *, is_keyframe: bool = False, size: int = 300) -> None:
        self.source.number += 1
        self.source.push(VIDEO, at_ms, coded_picture(self.source.number, is_keyframe=is_keyframe, size=size))

    def run(self, count: int, *, from_ms: int = 0, gop: int = 10, step_ms: int = 40) -> None:
        for n in range(count):
            at_ms = from_ms + n * step_ms
            self.picture(at_ms, is_keyframe=n % gop == 0)
            self.source.audio(at_ms + step_ms // 2)

    def numbers(self, peer: FakePeer) -> list[int]:
        return [number for number, _ in sent_of(TsForm(), bytes(peer.received))]

    def found(self, peer: FakePeer) -> TsDemuxer:
        return demux(bytes(peer.received))


def test_late_player_begins_at_a_keyframe_with_the_tables_and_the_clock_of_the_stream() -> None:
    rig = TsRig()
    early = rig.play()
    rig.headers()
    rig.run(27)
    late = rig.play()
    rig.run(3, from_ms=1080, gop=99)
    assert rig.numbers(early) == list(range(1, 61))
    assert rig.numbers(late) == list(range(41, 61))
    assert bytes(early.received).endswith(bytes(late.received)), "nothing is made for it alone"
    assert rig.found(late).of(VIDEO_PID)[0].dts == (700 + 800) * 90
    assert early.player.position >= 0 <= late.player.position


def test_log_that_is_opened_late_knows_the_headers_before_it() -> None:
    rig = TsRig(hub=TIGHT)
    rig.headers()
    rig.run(100)
    peer = rig.play()
    rig.run(1, from_ms=4000)
    found = rig.found(peer)
    assert (found.versions, len(found.streams)) == ([0], 2)
    assert found.of(VIDEO_PID)[0].is_random_access


@pytest.mark.parametrize(("tracks", "pid"), [(1, AUDIO_PID), (2, VIDEO_PID), (5, AUDIO_PID)])
def test_form_of_one_medium(tracks: int, pid: int) -> None:
    rig = TsRig(TsForm(tracks))
    rig.headers()
    rig.run(30)
    peer = rig.play()
    rig.run(3, from_ms=1200)
    assert set(rig.found(peer).streams) == {pid}
    assert rig.numbers(peer)


def test_player_of_sound_gets_tables_where_none_are_ahead() -> None:
    rig = TsRig(hub=HubConfig(min_buffering_ms=300))
    first = rig.play()
    rig.source.push(AUDIO, 0, AAC_HEADER_BODY)
    for n in range(100):
        rig.source.audio(n * 23)
    late = rig.play()
    for n in range(100, 150):
        rig.source.audio(n * 23)
    assert rig.found(late).tables_at[0] == 0
    assert rig.numbers(late) == rig.numbers(first)[-len(rig.numbers(late)) :]


@pytest.mark.parametrize("room", [1, 188, 1500])
def test_player_of_sound_that_jumps_is_told_of_the_tables_too(room: int) -> None:
    rig = TsRig(hub=TIGHT)
    rig.source.push(AUDIO, 0, AAC_HEADER_BODY)
    for n in range(30):
        rig.source.audio(n * 23)
    peer = rig.play(room)
    for n in range(30, 173):
        rig.source.audio(n * 23)
    assert peer.player.jump_count
    peer.give_room(None)
    rig.source.audio(4000)
    assert rig.numbers(peer)[-1] == rig.source.number


@pytest.mark.parametrize("room", [1, 100, 188, 1000, 5000])
@pytest.mark.parametrize("has_audio", [True, False])
def test_jump_is_announced_on_each_pid(room: int, has_audio: bool) -> None:
    rig = TsRig(None if has_audio else TsForm(2), hub=TIGHT)
    rig.headers()
    rig.run(10)
    peer = rig.play(room)
    rig.run(200, from_ms=400)
    assert peer.player.jump_count
    peer.give_room(None)
    rig.run(20, from_ms=8400)
    numbers = rig.numbers(peer)
    assert numbers[-1] == rig.source.number - (not has_audio)
    assert sum(after - before != 1 + (not has_audio) for before, after in pairwise(numbers)) <= 1


def test_sound_that_comes_long_after_a_jump_is_announced_too() -> None:
    rig = TsRig(hub=HubConfig(log_retain_ms=200, max_cached_frames=40))
    rig.headers()
    rig.run(10)
    peer = rig.play(room=2000)
    for n in range(200):
        rig.picture(400 + n * 40, is_keyframe=n % 10 == 0)
        if n < 150:
            rig.source.audio(420 + n * 40)
    peer.give_room(None)
    assert peer.player.jump_count
    rig.run(5, from_ms=8400)
    assert len(rig.found(peer).of(AUDIO_PID)) > 5


def test_player_that_waited_for_a_keyframe_after_a_jump() -> None:
    rig = TsRig(hub=TIGHT)
    rig.headers()
    rig.run(5)
    peer = rig.play(room=50)
    for n in range(200):
        rig.picture(240 + n * 40)
    assert peer.player.waiting_since_ms is not None
    peer.give_room(None)
    rig.run(5, from_ms=9000)
    assert rig.numbers(peer)[-10:] == list(range(rig.source.number - 9, rig.source.number + 1))


def test_newcomer_to_slides_gets_the_present_one() -> None:
    rig = TsRig()
    first = rig.play()
    rig.headers()
    rig.picture(0, is_keyframe=True)
    for ms in range(0, 14_000, 20):
        rig.source.audio(ms)
    late = rig.play()
    found = rig.found(late)
    assert [pes.dts // 90 - 700 for pes in found.of(VIDEO_PID)] == [13_980]
    assert found.of(VIDEO_PID)[0].is_random_access
    rig.picture(14_000, is_keyframe=True)
    rig.source.audio(14_010)
    assert rig.numbers(late)[0] == 1
    assert rig.numbers(late)[-2:] == rig.numbers(first)[-2:]
    assert len(rig.found(late).of(VIDEO_PID)) == 2


def test_codec_that_comes_later_changes_the_tables_for_everyone() -> None:
    rig = TsRig()
    rig.source.push(VIDEO, 0, AVC_HEADER_BODY)
    rig.picture(0, is_keyframe=True)
    peers = [rig.play()]
    for n in range(1, 20):
        rig.picture(n * 40, is_keyframe=n % 5 == 0)
        rig.source.push(AUDIO, n * 40 + 20, b"\x2f" + MP3 + audio(n)[2:] + bytes(80))
        peers.append(rig.play())
    for peer in peers:
        assert set(rig.found(peer).streams) == {VIDEO_PID, AUDIO_PID}


def test_what_ts_has_no_place_for_can_be_told_beforehand() -> None:
    speex, picture = b"\xb2" + bytes(20), coded_picture(1, is_keyframe=True)
    rig, form = TsRig(), TsForm()
    queue = rig.source.stream.queue
    form.require_places(queue)
    rig.headers()
    rig.source.push(VIDEO, 0, picture)
    form.require_places(queue)
    rig.source.push(AUDIO, 20, speex)
    with pytest.raises(UnsupportedCodecError) as caught:
        form.require_places(queue)
    assert caught.value.codec == "Speex"
    TsForm(2).require_places(queue)
    rig.source.audio(40)
    form.require_places(queue)


def test_headers_alone_tell_what_ts_has_no_place_for() -> None:
    rig = TsRig()
    rig.source.push(VIDEO, 0, b"\x90vp09" + bytes(12))
    rig.source.audio(20)
    with pytest.raises(UnsupportedCodecError, match="vp09"):
        TsForm().require_places(rig.source.stream.queue)
    TsForm(1).require_places(rig.source.stream.queue)


def test_opening_belongs_to_logs_of_its_form() -> None:
    rig = Rig(plain=FlvForm())
    rig.source.run(3)
    stream = rig.source.stream
    with pytest.raises(TypeError, match="FlvForm"):
        TsForm().opening().start(LogPlace(stream.queue, stream.open_log(FlvForm()), 0))


def test_no_track_misses_anything() -> None:
    opening = TsForm().opening()
    assert opening.missing == 0
    assert opening.first(Frame(VIDEO, 0, b"x")) == b""
