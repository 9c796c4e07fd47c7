"""What TS has a place for, and how it is named there."""

from __future__ import annotations

import pytest

from edge.errors import MalformedFrameError, MalformedHeaderError, UnsupportedCodecError
from edge.media.frame import AUDIO, DATA, VIDEO, Frame
from edge.media.ts_codecs import MAX_HEADER_BYTES, configure, require_place
from tests.media.codecs.records import AAC_STEREO, AV1_MAIN, AVC_HIGH, HEVC_MAIN, OPUS_5_1, OPUS_STEREO

_MPEG_1, _MPEG_2 = bytes.fromhex("fffb9064"), bytes.fromhex("fff38064")
_ELD = bytes.fromhex("f8e6200000")


@pytest.mark.parametrize(
    ("codec", "header", "stream_type", "stream_id", "descriptors"),
    [
        (b"avc1", AVC_HIGH, 0x1B, 0xE0, b""),
        (b"hvc1", HEVC_MAIN, 0x24, 0xE0, b"\x05\x04HEVC"),
        (b"av01", AV1_MAIN, 0x06, 0xBD, b"\x05\x04AV01\x80\x04\x81\x00\x0c\x00"),
        (b"mp4a", AAC_STEREO, 0x0F, 0xC0, b""),
        (b".mp3", _MPEG_1, 0x03, 0xC0, b""),
        (b".mp3", _MPEG_2, 0x04, 0xC0, b""),
        (b"ac-3", b"frame", 0x81, 0xBD, b"\x05\x04AC-3"),
        (b"ec-3", b"frame", 0x87, 0xBD, b"\x05\x04EAC3"),
        (b"Opus", OPUS_STEREO, 0x06, 0xBD, b"\x05\x04Opus\x7f\x02\x80\x02"),
        (b"Opus", OPUS_5_1, 0x06, 0xBD, b"\x05\x04Opus\x7f\x02\x80\x06"),
    ],
)
def test_places(codec: bytes, header: bytes, stream_type: int, stream_id: int, descriptors: bytes) -> None:
    ts = configure(codec, header)
    assert (ts.stream_type, ts.stream_id, ts.descriptors) == (stream_type, stream_id, descriptors)


def test_header_of_e_rtmp_for_transport_streams() -> None:
    ts = configure(b"av01", b"\x80\x04" + AV1_MAIN[:4], is_ts_header=True)
    assert ts.descriptors == b"\x05\x04AV01\x80\x04\x81\x00\x0c\x00"
    with pytest.raises(MalformedHeaderError):
        configure(b"av01", AV1_MAIN, is_ts_header=True)


@pytest.mark.parametrize(
    ("codec", "header", "ticks"),
    [(b"mp4a", AAC_STEREO, 1024 * 90000 / 44100), (b".mp3", _MPEG_1, 1152 * 90000 / 44100), (b"Opus", OPUS_STEREO, 0)],
)
def test_durations(codec: bytes, header: bytes, ticks: float) -> None:
    assert configure(codec, header).unit_ticks == ticks


def test_V4_sequence_header_of_absurd_length() -> None:
    """It would go out again with each keyframe."""
    for codec, header in ((b"avc1", AVC_HIGH), (b"hvc1", HEVC_MAIN), (b"av01", AV1_MAIN), (b"mp4a", AAC_STEREO)):
        configure(codec, header + bytes(MAX_HEADER_BYTES - len(header)) if codec != b"av01" else header)
        with pytest.raises(MalformedHeaderError):
            configure(codec, header + bytes(MAX_HEADER_BYTES))


def test_mp3_frames_go_as_they_are() -> None:
    assert configure(b".mp3", _MPEG_1).access_unit(b"xxframeyy", 2, 7, False) == (b"frame", True)
    with pytest.raises(MalformedFrameError):
        configure(b".mp3", b"no sync")


@pytest.mark.parametrize(
    ("type_id", "payload", "name"),
    [
        (AUDIO, b"\x76xx", "G711A"),
        (AUDIO, b"\x86xx", "G711U"),
        (AUDIO, b"\xb6xx", "Speex"),
        (AUDIO, b"\x36xx", "PCM"),
        (AUDIO, b"\x66xx", "Nellymoser"),
        (AUDIO, b"\x91fLaCxx", "fLaC"),
        (AUDIO, b"\xaf\x00" + _ELD, "AAC-ELD"),
        (VIDEO, b"\x22xx", "H263"),
        (VIDEO, b"\x14xx", "VP6"),
        (VIDEO, b"\x90vp09xx", "vp09"),
        (VIDEO, b"\x91vp08xx", "vp08"),
    ],
)
def test_codecs_without_a_place_are_named(type_id: int, payload: bytes, name: str) -> None:
    with pytest.raises(UnsupportedCodecError) as caught:
        require_place(Frame(type_id, 0, payload))
    assert caught.value.codec == name


@pytest.mark.parametrize(
    ("type_id", "payload"),
    [
        (VIDEO, b"\x17\x00\0\0\0" + AVC_HIGH),
        (VIDEO, b"\x27\x01\0\0\0data"),
        (VIDEO, b"\x1c\x00\0\0\0" + HEVC_MAIN),
        (VIDEO, b"\x90hvc1" + HEVC_MAIN),
        (VIDEO, b"\x90av01" + AV1_MAIN),
        (VIDEO, b"\x95av01\x80\x04" + AV1_MAIN[:4]),
        (VIDEO, b"\x17\x00\0\0\0cut"),  # cannot be read: so may the next one
        (VIDEO, b"\x91"),
        (VIDEO, b""),
        (AUDIO, b"\xaf\x00" + AAC_STEREO),
        (AUDIO, b"\x2f" + _MPEG_1),
        (AUDIO, b"\x2fno sync"),
        (AUDIO, b"\x90Opus" + OPUS_STEREO),
        (AUDIO, b"\x91ac-3frame"),
        (DATA, b"\x02\x00\x0aonMetaData"),
    ],
)
def test_what_has_a_place_or_cannot_be_read_passes(type_id: int, payload: bytes) -> None:
    require_place(Frame(type_id, 0, payload))
