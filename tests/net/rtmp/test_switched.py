"""Sound and picture switched off and on by one player, through the writer that serves it."""

from __future__ import annotations

import pytest

from edge.hub.config import HubConfig
from edge.media.frame import AUDIO, MEDIA, VIDEO, classify_video, tracks_of
from edge.net.rtmp.form import RtmpForm
from edge.rtmp.chunk import Message
from tests.hub.frames import picture
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY, Source, decode
from tests.net.writing import CHUNK, open_writer, slides, take

ALL, SOUND = RtmpForm(CHUNK), RtmpForm(CHUNK, 5)


def between_keyframes(source: Source, count: int, from_ms: int) -> None:
    for at_ms in range(from_ms, from_ms + count * 40, 40):
        source.video(at_ms)
        source.audio(at_ms + 20)


def sounds_of(messages: list[Message]) -> list[int]:
    return [m.wire_timestamp for m in messages if m.type_id == AUDIO and m.payload != AUDIO_HEADER_BODY]


def pictures_of(messages: list[Message]) -> list[tuple[bytes, int]]:
    return [(m.payload, m.wire_timestamp) for m in messages if m.type_id == VIDEO and m.payload[:2] != b"\x17\0"]


@pytest.mark.parametrize("is_behind", [False, True])
def test_picture_that_is_switched_on_again_is_seen_at_once_however_long_the_group(is_behind: bool) -> None:
    source = Source()
    source.headers()
    source.run(5)
    writer = open_writer(source)
    data = take(writer)
    begun = len(decode(data, CHUNK))
    writer.change_form(SOUND)
    between_keyframes(source, 3, 200)
    data += take(writer)
    off = len(decode(data, CHUNK))
    assert {m.type_id for m in decode(data, CHUNK)[begun:]} == {AUDIO}
    if is_behind:
        between_keyframes(source, 4, 320)
    writer.change_form(ALL)
    if not is_behind:
        between_keyframes(source, 4, 320)
    messages = decode(data + take(writer), CHUNK)
    back = [m for m in messages[off:] if m.type_id == VIDEO]
    assert [m.payload[:2] for m in back[:2]] == [b"\x17\0", b"\x17\1"], "the header, then the keyframe"
    sent = [(f.payload, max(f.dts_ms, 160)) for f in source.frames if f.type_id == VIDEO and f.kind == MEDIA]
    assert pictures_of(back) == sent, "at the last picture's time until it has come so far"
    assert sounds_of(messages) == [f.dts_ms for f in source.frames if f.type_id == AUDIO and f.kind == MEDIA]
    source.run(2, from_ms=480)
    assert len(decode(take(writer), CHUNK)) == 4, "as before"


def test_header_that_changed_while_the_picture_was_off_comes_with_it() -> None:
    source = Source()
    source.headers()
    source.run(5)
    writer = open_writer(source)
    data = take(writer)
    writer.change_form(SOUND)
    source.push(VIDEO, 200, VIDEO_HEADER_BODY + b"new")
    source.run(4, from_ms=200)
    data += take(writer)
    off = len(decode(data, CHUNK))
    writer.change_form(ALL)
    back = [m.payload for m in decode(data + take(writer), CHUNK)[off:]]
    assert back == [VIDEO_HEADER_BODY + b"new", *(f.payload for f in source.frames[-8:] if f.type_id == VIDEO)]


@pytest.mark.parametrize("keys_at", [(3, 5), (5, 3), (1, 6), (4, 4)])
def test_each_video_track_that_is_switched_on_begins_on_a_keyframe_of_its_own(keys_at: tuple[int, int]) -> None:
    """Switched on behind the keyframes, and before them."""
    for on_at in (7, 2):
        source = Source()
        source.audio(0)
        writer = open_writer(source, track_mask=5)
        data = take(writer)
        for count in range(8):
            for track in (0, 1):
                source.push(VIDEO, count * 40, picture(track, 0, count == keys_at[track], size=20).payload)
            source.audio(count * 40 + 20)
            if count == on_at:
                writer.change_form(ALL)
            data += take(writer)
        messages = decode(data, CHUNK)
        for track in (0, 1):
            key = VIDEO | track << 8
            own = [m.payload for m in messages if m.type_id == VIDEO and tracks_of(VIDEO, m.payload) == (key,)]
            assert classify_video(own[0]) == (MEDIA, True)
            assert len(own) == 8 - keys_at[track]
        assert sounds_of(messages) == [f.dts_ms for f in source.frames if f.type_id == AUDIO]


@pytest.mark.parametrize("is_silent", [False, True], ids=["just shown", "for long"])
def test_slide_is_seen_at_once_when_the_picture_is_switched_on(is_silent: bool) -> None:
    source = Source()
    slide = slides(source) if is_silent else b""
    if not is_silent:
        source.headers()
        source.video(0, is_keyframe=True)
        slide = source.frames[-1].payload
        for ms in range(0, 3000, 20):
            source.audio(ms)
    writer = open_writer(source, track_mask=5)
    assert VIDEO not in {m.type_id for m in decode(take(writer), CHUNK)}
    writer.change_form(ALL)
    messages = decode(take(writer), CHUNK)
    assert [m.payload for m in messages if m.type_id == VIDEO] == [VIDEO_HEADER_BODY, slide]
    assert sounds_of(messages) == []


def test_sound_is_neither_lost_nor_doubled_however_often_the_picture_is_switched() -> None:
    source = Source()
    source.headers()
    writer = open_writer(source)
    data = b""
    for count in range(60):
        source.video(count * 40, is_keyframe=count % 25 == 0)
        source.audio(count * 40 + 20)
        writer.change_form((ALL, SOUND)[count // 3 % 2])
        if count % 4:
            data += take(writer, 100 if count % 2 else 10**9)
    messages = decode(data + take(writer), CHUNK)
    assert sounds_of(messages) == [f.dts_ms for f in source.frames if f.type_id == AUDIO and f.kind == MEDIA]
    times = [at for _, at in pictures_of(messages)]
    assert times == sorted(times)


def test_sound_that_is_switched_on_again_begins_with_its_header() -> None:
    source = Source()
    source.headers()
    source.run(5)
    writer = open_writer(source, track_mask=6)
    data = take(writer)
    begun = len(decode(data, CHUNK))
    writer.change_form(ALL)
    between_keyframes(source, 3, 200)
    messages = decode(data + take(writer), CHUNK)
    assert AUDIO not in {m.type_id for m in messages[:begun]}
    assert next(m.payload for m in messages[begun:] if m.type_id == AUDIO) == AUDIO_HEADER_BODY


def test_stream_without_any_keyframe_shows_again_after_the_wait() -> None:
    source = Source(HubConfig(keyframe_wait_ms=5000))
    source.audio(0)
    writer = open_writer(source, track_mask=5)
    data = take(writer)
    between_keyframes(source, 2, 40)
    writer.change_form(ALL)
    between_keyframes(source, 2, 120)
    data += take(writer)
    assert {m.type_id for m in decode(data, CHUNK)} == {AUDIO}
    writer._owner.now = 5000
    between_keyframes(source, 1, 200)
    assert VIDEO in {m.type_id for m in decode(data + take(writer), CHUNK)}
