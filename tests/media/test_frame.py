"""What a message body tells of itself, classic and enhanced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.media.frame import (
    AUDIO,
    AUDIO_HEADER,
    DATA,
    MEDIA,
    METADATA,
    VIDEO,
    VIDEO_HEADER,
    Epoch,
    Frame,
    classify_audio,
    classify_video,
    codec_name,
    codecs_of,
    has_picture,
    header_slot,
    tracks_of,
)


@pytest.mark.parametrize(
    ("payload", "kind", "is_keyframe"),
    [
        (b"\x17\x00\0\0\0", VIDEO_HEADER, False),
        (b"\x17\x01\0\0\0x", MEDIA, True),
        (b"\x17\x02\0\0\0", MEDIA, False),  # end of sequence
        (b"\x27\x01\0\0\0x", MEDIA, False),
        (b"\x1c\x00\0\0\0", VIDEO_HEADER, False),
        (b"\x1c\x01\0\0\0x", MEDIA, True),
        (b"\x1d\x00", VIDEO_HEADER, False),
        (b"\x12\x00", MEDIA, True),  # H.263 has no header
        (b"\x22\x00", MEDIA, False),
        (b"\x57\x00", MEDIA, False),
        (b"\x17", MEDIA, True),
        (b"\x90hvc1cfg", VIDEO_HEADER, False),
        (b"\x91hvc1\0\0\0x", MEDIA, True),
        (b"\x93hvc1x", MEDIA, True),
        (b"\xa1hvc1x", MEDIA, False),
        (b"\x92hvc1", MEDIA, False),  # sequence end
        (b"\x94av01x", MEDIA, False),  # metadata (colour)
        (b"\x95av01x", VIDEO_HEADER, False),
        (b"\x91????x", MEDIA, True),
        (b"\x96\x00avc1\x00cfg", VIDEO_HEADER, False),
        (b"\x96\x01avc1\x00x", MEDIA, True),
        (b"\x96", MEDIA, False),
        (b"\x97\x00\xff\x01hvc1x", MEDIA, True),
        (b"\x97\x02\1\2\3\x00hvc1", VIDEO_HEADER, False),
        (b"\x97\x00\xff\x07\x00\xff\x01hvc1x", MEDIA, True),
        (b"\x97\xff\x00\x01\1\2\x01hvc1", MEDIA, True),
    ],
)
def test_classify_video(payload: bytes, kind: int, is_keyframe: bool) -> None:
    assert classify_video(payload) == (kind, is_keyframe)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"\xaf\x00\x12\x10", AUDIO_HEADER),
        (b"\xaf\x01x", MEDIA),
        (b"\xaf", MEDIA),
        (b"\x2fx", MEDIA),
        (b"\x90OpusOpusHead", AUDIO_HEADER),
        (b"\x91Opusx", MEDIA),
        (b"\x94Opus\x01\x02", AUDIO_HEADER),
        (b"\x95\x00mp4a\x00cfg", AUDIO_HEADER),
        (b"\x95\x01mp4a\x00x", MEDIA),
        (b"\x95\x04mp4a\x01\x01\x02", AUDIO_HEADER),  # multichannel config of a track
        (b"\x95", MEDIA),
        (b"\x97\x00\xff\x00mp4acfg", AUDIO_HEADER),
    ],
)
def test_classify_audio(payload: bytes, kind: int) -> None:
    assert classify_audio(payload) == kind


@given(st.binary(min_size=1, max_size=600))
def test_V8_any_body_is_classified_without_end_or_error(payload: bytes) -> None:
    kind, is_keyframe = classify_video(payload)
    assert kind in (MEDIA, VIDEO_HEADER)
    assert not (kind and is_keyframe)
    assert classify_audio(payload) in (MEDIA, AUDIO_HEADER)
    for type_id in (AUDIO, VIDEO):
        assert codec_name(type_id, payload)
        assert len(codecs_of(type_id, payload)) <= 32
    header_slot(Frame(VIDEO, 0, payload, VIDEO_HEADER))
    header_slot(Frame(AUDIO, 0, payload, AUDIO_HEADER))


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_V8_chained_modifiers_end(size: int) -> None:
    assert classify_video(b"\x97" + b"\x00\xff\x07" * size) == (MEDIA, False)


@pytest.mark.parametrize("cut", range(1, 12))
def test_V8_truncated_enhanced_header(cut: int) -> None:
    kind, _ = classify_video(b"\x97\x02\1\2\3\x00hvc1cfg"[:cut])
    assert kind == (VIDEO_HEADER if cut >= 6 else MEDIA)


@pytest.mark.parametrize(
    ("type_id", "payload", "codecs"),
    [
        (VIDEO, b"\x17\x01", {0: b"avc1"}),
        (VIDEO, b"\x2c\x01", {0: b"hvc1"}),
        (VIDEO, b"\x22", {0: b"\x02"}),
        (VIDEO, b"\x57\x00", {}),  # a command
        (VIDEO, b"\x91hvc1\0\0\0x", {0: b"hvc1"}),
        (VIDEO, b"\xd1\x00", {}),
        (VIDEO, b"\xd4av01x", {0: b"av01"}),  # metadata may come as a command's frame type
        (VIDEO, b"\x91hv", {}),
        (VIDEO, b"\x96\x01av01\x03x", {3: b"av01"}),
        (VIDEO, b"\x96\x11av01\x03\0\0\x01x\x04\0\0\x02xx", {3: b"av01", 4: b"av01"}),
        (VIDEO, b"\x96\x21av01\x03\0\0\x01xhvc1\x04\0\0\x02xx", {3: b"av01", 4: b"hvc1"}),
        (VIDEO, b"\x96\x11av01" + b"\x03\0\0\0" * 10**5 + b"\x05\0\0\0", {3: b"av01"}),
        (VIDEO, b"\x96", {}),
        (VIDEO, b"\x96\x01av01", {}),
        (VIDEO, b"\x97\x00\xff\x06\x01hvc1\x02x", {2: b"hvc1"}),
        (AUDIO, b"\xaf\x01", {0: b"mp4a"}),
        (AUDIO, b"\x2f", {0: b".mp3"}),
        (AUDIO, b"\x82", {0: b"\x08"}),
        (AUDIO, b"\x91Opusx", {0: b"Opus"}),
        (AUDIO, b"\x95\x01Opus\x07x", {7: b"Opus"}),
        (AUDIO, b"\x97\x00\xff\x05\x01Opus\x07x", {7: b"Opus"}),
    ],
)
def test_codecs_of_the_tracks_of_a_message(type_id: int, payload: bytes, codecs: dict[int, bytes]) -> None:
    assert codecs_of(type_id, payload) == codecs


def test_headers_replace_each_other_within_a_track_and_codec() -> None:
    def slot(type_id: int, payload: bytes, kind: int) -> bytes:
        return header_slot(Frame(type_id, 0, payload, kind))

    avc = slot(VIDEO, b"\x17\x00\0\0\0", VIDEO_HEADER)
    assert slot(VIDEO, b"\x90avc1", VIDEO_HEADER) == avc
    tracks = [slot(VIDEO, b"\x96\x00avc1" + bytes([n]) + b"cfg", VIDEO_HEADER) for n in (0, 1)]
    assert tracks[0] == avc, "a message that names no track is of track 0"
    assert slot(VIDEO, b"\x97\x00\xff\x06\x00avc1\x01cfg", VIDEO_HEADER) == tracks[1]
    assert len({avc, tracks[1], slot(VIDEO, b"\x90hvc1", VIDEO_HEADER)}) == 3
    aac, opus = slot(AUDIO, b"\xaf\x00", AUDIO_HEADER), slot(AUDIO, b"\x90Opus", AUDIO_HEADER)
    assert len({aac, opus, slot(AUDIO, b"\x94Opus", AUDIO_HEADER), slot(AUDIO, b"\x95\x00Opus\x01", AUDIO_HEADER)}) == 4
    assert slot(DATA, b"", METADATA) not in (avc, aac)


@pytest.mark.parametrize(
    ("type_id", "payload", "wanted"),
    [
        (VIDEO, b"\x17\x01", "H264"),
        (VIDEO, b"\x1c\x01", "HEVC"),
        (VIDEO, b"\x1f", "?15"),
        (VIDEO, b"\x91hvc1", "hvc1"),
        (VIDEO, b"\x96\x00av01\x00", "av01"),
        (VIDEO, b"\x91h\x00c1", "?"),
        (VIDEO, b"\x91hv", "?"),
        (AUDIO, b"\xaf\x01", "AAC"),
        (AUDIO, b"\x2f", "MP3"),
        (AUDIO, b"\xcf", "?12"),
        (AUDIO, b"\x91Opus", "Opus"),
        (AUDIO, b"", ""),
    ],
)
def test_codec_name(type_id: int, payload: bytes, wanted: str) -> None:
    assert codec_name(type_id, payload) == wanted


def test_names_for_people() -> None:
    frame = Frame(VIDEO, 40, b"xyz", is_keyframe=True)
    frame.epoch, frame.index = Epoch("e"), 7
    assert repr(frame) == "Frame(videoK #7 dts_ms=40 3 bytes)"
    assert repr(Frame(AUDIO, 0, b"", AUDIO_HEADER)) == "Frame(audioH #0 dts_ms=0 0 bytes)"


ONE, MANY, MANY_CODECS = 0x01, 0x11, 0x21


@pytest.mark.parametrize(
    ("type_id", "payload", "tracks"),
    [
        (VIDEO, b"\x17\x01\0\0\0x", [0]),
        (VIDEO, b"\x91hvc1\0\0\0x", [0]),
        (VIDEO, bytes((0x96, ONE)) + b"avc1\x02x", [2]),
        (VIDEO, bytes((0xA6, ONE)) + b"avc1\x00x", [0]),
        (VIDEO, bytes((0x96, MANY)) + b"avc1" + b"\x01\0\0\x02xx" + b"\x03\0\0\x01x", [1, 3]),
        (VIDEO, bytes((0x96, MANY_CODECS)) + b"avc1\x01\0\0\x02xx" + b"hvc1\x04\0\0\x01x", [1, 4]),
        (VIDEO, b"\x97\x00\xff\x06" + bytes((ONE,)) + b"avc1\x05x", [5]),  # behind a nanosecond offset
        (VIDEO, b"\x97\xff\x00\x01\1\2\x06" + bytes((ONE,)) + b"avc1\x06x", [6]),  # behind a long prefix
        (VIDEO, b"\x97\x00\xff\x01hvc1x", [0]),  # a prefix alone
        (VIDEO, bytes((0x96, MANY)) + b"avc1" + b"\x01\xff\xff\xffxx", [1]),  # a size beyond the end
        (VIDEO, bytes((0x96, MANY)) + b"avc1" + b"\x01\0", [1]),
        (VIDEO, bytes((0x96, MANY)) + b"avc1", [0]),
        (VIDEO, b"\x96", [0]),
        (AUDIO, b"\xaf\x01x", [0]),
        (AUDIO, bytes((0x95, ONE)) + b"Opus\x07x", [7]),
        (AUDIO, bytes((0x95, MANY)) + b"mp4a" + b"\x01\0\0\0" + b"\x02\0\0\1x", [1, 2]),
        (AUDIO, b"\x97\x00\xff\x05" + bytes((ONE,)) + b"mp4a\x08x", [8]),
        (DATA, b"\x95\x01avc1\x02x", [0]),
        (AUDIO, b"", [0]),
    ],
)
def test_tracks_of_a_message(type_id: int, payload: bytes, tracks: list[int]) -> None:
    assert tracks_of(type_id, payload) == tuple(type_id | track << 8 for track in tracks)


@pytest.mark.parametrize("form", [MANY, MANY_CODECS])
def test_a_message_of_countless_tracks_is_of_those_that_its_codecs_are_read_of(form: int) -> None:
    def body(ids: range) -> bytes:
        codec = b"avc1" if form == MANY_CODECS else b""
        return bytes((0x96, form)) + (b"" if codec else b"avc1") + b"".join(codec + bytes((n, 0, 0, 0)) for n in ids)

    assert tracks_of(VIDEO, body(range(20))) == tuple(VIDEO | n << 8 for n in range(20))
    countless = body(range(256))
    assert tracks_of(VIDEO, countless) == tuple(VIDEO | n << 8 for n in codecs_of(VIDEO, countless))
    assert len(codecs_of(VIDEO, countless)) == 32


@pytest.mark.parametrize(("count", "is_read"), [(0, True), (1, True), (32, True), (33, False), (10**5, False)])
def test_more_modifiers_than_anybody_sends_are_not_looked_through(count: int, is_read: bool) -> None:
    payload = b"\x96"[: not count] + b"\x97"[: bool(count)] + b"\x00\xff\x07" * (count - 1)
    payload += b"\x00\xff\x06"[: 3 * bool(count)] + bytes((ONE,)) + b"avc1\x05x"
    assert tracks_of(VIDEO, payload) == ((VIDEO | 5 << 8,) if is_read else (VIDEO,))
    assert classify_video(payload) == (MEDIA, is_read)


@given(st.sampled_from([AUDIO, VIDEO, DATA]), st.binary(max_size=40), st.sampled_from([b"", b"\x96\x11", b"\x95\x21"]))
def test_V8_any_body_is_of_some_track(type_id: int, payload: bytes, first: bytes) -> None:
    found = tracks_of(type_id, first + payload)
    assert 0 < len(found) <= 32
    assert len(set(found)) == len(found)
    assert {track & 0xFF for track in found} == {type_id}
    assert has_picture(first + payload) in (True, False)


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        (b"\x17\x01\0\0\0x", True),
        (b"\x27\x01\0\0\0x", True),
        (b"\x17\x02\0\0\0", False),
        (b"\x12x", True),
        (b"\x57\x00", False),
        (b"\x91hvc1x", True),
        (b"\xa3hvc1x", True),
        (b"\x92hvc1", False),
        (b"\x94hvc1x", False),
        (b"\x96\x01avc1\x01x", True),
        (b"\x96\x04avc1\x01x", False),
        (b"\x97\x00\xff\x04hvc1x", False),
        (b"\xd1hvc1\x00", False),  # a command to the player
        (b"", False),
    ],
)
def test_messages_without_a_picture(payload: bytes, wanted: bool) -> None:
    assert has_picture(payload) is wanted


@given(st.binary(max_size=300))
def test_classic_video_is_of_the_mediums_own_track(payload: bytes) -> None:
    assert tracks_of(VIDEO, b"\x17" + payload) == tracks_of(VIDEO, b"\x27" + payload) == (VIDEO,)


def test_frames_in_another_place_keep_their_stamp_for_other_nodes() -> None:
    epoch = Epoch("e", shift_ms=100)
    frames = [Frame(AUDIO, 500, b"\xaf\x01", MEDIA, False, epoch, index) for index in range(5000)]
    header = Frame(AUDIO, 500, b"\xaf\x00", AUDIO_HEADER, False, epoch)
    assert epoch.origin_ms(frames[0]) == 400 and epoch.moved_index == -1
    for frame in frames:
        epoch.note_moved(frame.index, 390)
    assert epoch.origin_ms(frames[-1]) == 390 and epoch.moved_index == 4999
    assert epoch.origin_ms(header) == 400 and len(epoch.moved) <= 4096
