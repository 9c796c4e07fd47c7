"""Configurations: sample entries and names; frames as samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import MalformedFrameError, MalformedHeaderError, MediaError, UnsupportedCodecError
from edge.media.codecs import avc, hevc
from edge.media.codecs.body import AAC, AV1, AVC, HEVC, OPUS
from edge.media.fmp4_codecs import MAX_HEADER_BYTES, VideoCodec, configure_audio, configure_video
from tests.harness.mp4_reader import Box, boxes
from tests.media.codecs.records import (
    AAC_7_1,
    AAC_HEXAGON,
    AAC_STEREO,
    AV1_MAIN,
    AVC_HIGH,
    AVC_SMALL,
    HEVC_MAIN,
    OPUS_5_1,
    OPUS_STEREO,
    PPS,
    SPS,
    assert_only_documented_errors,
    by_length,
    by_start_code,
)

_VISUAL_BYTES, _AUDIO_BYTES = 78, 28


def configuration(entry: bytes, fixed_bytes: int) -> tuple[str, Box]:
    """Name of the sample entry, and the box in it."""
    (outer,) = boxes(entry)
    (inner,) = boxes(outer.body[fixed_bytes:])
    return outer.kind, inner


def sample_of(codec: VideoCodec, frame: bytes, *, is_keyframe: bool = False) -> bytes:
    """From within a longer body."""
    return bytes(codec.sample(b"head" + frame + b"tail", 4, 4 + len(frame), is_keyframe))


def test_avc_record_stays_as_it_is() -> None:
    codec = configure_video(AVC, AVC_HIGH)
    kind, record = configuration(codec.entry, _VISUAL_BYTES)
    assert (kind, record.kind, record.body) == ("avc1", "avcC", AVC_HIGH)
    assert (codec.name, codec.width, codec.height) == ("avc1.64000a", 64, 48)
    assert codec.entry[32:36] == b"\0\x40\0\x30"


def test_avc_with_short_lengths() -> None:
    record = AVC_HIGH[:4] + b"\xfd" + AVC_HIGH[5:]
    codec = configure_video(AVC, record)
    assert configuration(codec.entry, _VISUAL_BYTES)[1].body == AVC_HIGH
    assert sample_of(codec, by_length(b"\x65abc", b"", b"\x41d", size=2)) == by_length(b"\x65abc", b"\x41d")
    assert sample_of(codec, by_start_code(b"\x65abc")) == by_length(b"\x65abc")


def test_avc_in_annex_b() -> None:
    """An encoder that knows nothing else: the record is made of its parameter sets."""
    high = avc.decode_config(AVC_HIGH)
    codec = configure_video(AVC, by_start_code(*high.sps, *high.pps))
    assert configuration(codec.entry, _VISUAL_BYTES)[1].body == AVC_HIGH
    assert codec.name == "avc1.64000a" and codec.width == 64
    assert sample_of(codec, by_start_code(b"\x65abc", b"\x41d")) == by_length(b"\x65abc", b"\x41d")
    small = configure_video(AVC, by_start_code(SPS, PPS))
    assert configuration(small.entry, _VISUAL_BYTES)[1].body == b"\x01sps" + AVC_SMALL[4:]
    with pytest.raises(MalformedHeaderError):
        configure_video(AVC, by_start_code(PPS))


def test_avc_without_parameter_sets() -> None:
    codec = configure_video(AVC, b"\x01\x42\xc0\x1e\xff\xe0\0")
    assert configuration(codec.entry, _VISUAL_BYTES)[0] == "avc3"
    assert (codec.name, codec.width, codec.height) == ("avc3.42c01e", 0, 0)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6), st.booleans())
def test_nal_units_stay_or_get_lengths(units: list[bytes], is_keyframe: bool) -> None:
    codec = configure_video(AVC, AVC_SMALL)
    frame = by_length(*units)
    assert sample_of(codec, frame, is_keyframe=is_keyframe) == frame
    assert isinstance(codec.sample(frame, 0, len(frame), False), memoryview), "nothing is copied"
    assert sample_of(codec, by_length(b"", *units, b"")) == frame
    plain = [b"\x41" + unit.replace(b"\0", b"\1") for unit in units]
    short = b"".join(b"\0\0\1" + unit for unit in plain)
    assert sample_of(codec, short) == sample_of(codec, by_start_code(*plain)) == by_length(*plain)


@pytest.mark.parametrize(
    "frame", [b"\0", b"\0\0\0", b"\0\0\0\x05abcd", b"\0\0\0\2ab\0", b"\0\0\0\2ab\0\0\0\2b", b"\xff\xff\xff\xffab"]
)
def test_nal_units_that_do_not_fit(frame: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        sample_of(configure_video(AVC, AVC_SMALL), frame)


def test_frames_without_units_and_with_too_many() -> None:
    codec = configure_video(AVC, AVC_SMALL)
    assert sample_of(codec, b"") == sample_of(codec, bytes(4)) == sample_of(codec, bytes(12)) == b""
    assert sample_of(codec, by_length(*[b"\x41"] * 4096)) == by_length(*[b"\x41"] * 4096)
    for many in (by_length(*[b"\x41"] * 4097), bytes(4 * 5000)):
        with pytest.raises(MalformedFrameError, match="4096"):
            sample_of(codec, many)


def test_hevc() -> None:
    codec = configure_video(HEVC, HEVC_MAIN)
    kind, record = configuration(codec.entry, _VISUAL_BYTES)
    assert (kind, record.kind) == ("hvc1", "hvcC")
    assert record.body == HEVC_MAIN
    assert (codec.name, codec.width, codec.height) == ("hvc1.1.6.L30.90", 64, 64)
    assert sample_of(codec, by_length(b"\x26\1idr")) == by_length(b"\x26\1idr")


def test_hevc_record_says_that_its_sets_are_all() -> None:
    unsaid = HEVC_MAIN
    for kind in (0x20, 0x21, 0x22):
        unsaid = unsaid.replace(bytes((0x80 | kind, 0, 1)), bytes((kind, 0, 1)))
    assert unsaid != HEVC_MAIN
    assert configure_video(HEVC, unsaid).entry == configure_video(HEVC, HEVC_MAIN).entry


def test_hevc_in_annex_b_says_the_same() -> None:
    sets = hevc.decode_config(HEVC_MAIN).parameter_sets
    codec = configure_video(HEVC, by_start_code(*sets))
    assert codec.name == "hvc1.1.6.L30.90"
    assert codec.entry == configure_video(HEVC, HEVC_MAIN).entry
    with pytest.raises(MalformedHeaderError):
        configure_video(HEVC, by_start_code(sets[0], sets[2]))


def test_hevc_with_its_sets_in_the_frames() -> None:
    codec = configure_video(HEVC, HEVC_MAIN[:21] + b"\x0d\0")
    kind, record = configuration(codec.entry, _VISUAL_BYTES)
    assert (kind, record.body) == ("hev1", HEVC_MAIN[:21] + b"\x0f\0") and codec.name == "hev1.1.6.L30.90"
    assert sample_of(codec, by_length(b"\x26\1idr", size=2)) == by_length(b"\x26\1idr")


def test_hevc_names() -> None:
    """Compatibility flags stand last bit first, and constraint bytes of zero at the end are left out."""
    for profile, name in (
        ("01 60000000 b00000000000 5d", "hvc1.1.6.L93.B0"),
        ("24 10000000 000000000000 5d", "hvc1.4.8.H93"),
        ("42 20000000 900000000040 78", "hvc1.A2.4.L120.90.0.0.0.0.40"),
    ):
        record = b"\1" + bytes.fromhex(profile) + HEVC_MAIN[13:]
        assert configure_video(HEVC, record).name == name


def test_av1() -> None:
    codec = configure_video(AV1, AV1_MAIN)
    kind, record = configuration(codec.entry, _VISUAL_BYTES)
    assert (kind, record.kind, record.body) == ("av01", "av1C", AV1_MAIN)
    assert (codec.name, codec.width, codec.height) == ("av01.0.00M.08", 64, 64)
    deep = configure_video(AV1, b"\x81\x4d\xec\0")
    assert deep.name == "av01.2.13H.12" and deep.width == 0
    ts_header = configure_video(AV1, b"\x80\x04\x81\x08\x4c\0", is_ts_header=True)
    assert ts_header.name == "av01.0.08M.10" and ts_header.entry.endswith(b"av1C\x81\x08\x4c\0")


def test_av1_header_without_its_size() -> None:
    """In a record each unit must have it."""
    bare = AV1_MAIN[:4] + b"\x08" + AV1_MAIN[6:]
    assert configure_video(AV1, bare).entry == configure_video(AV1, AV1_MAIN).entry


def test_av1_samples_hold_no_delimiters() -> None:
    codec = configure_video(AV1, AV1_MAIN)
    frame, last = b"\x32\x03abc", b"\x30rest"
    assert sample_of(codec, b"\x12\0" + frame + b"\x7a\1\0" + last) == frame + last
    assert sample_of(codec, frame) == frame and sample_of(codec, b"\x12\0", is_keyframe=True) == b""
    header = AV1_MAIN[4:]
    assert sample_of(codec, frame, is_keyframe=True) == header + frame
    assert sample_of(codec, b"\x12\0" + header + frame, is_keyframe=True) == header + frame
    with pytest.raises(MalformedFrameError):
        sample_of(codec, b"\x32\x09abc")


@pytest.mark.parametrize(
    ("config", "name", "rate", "channels"),
    [
        (AAC_STEREO, "mp4a.40.2", 44100, 2),
        (AAC_7_1, "mp4a.40.2", 48000, 8),
        (AAC_HEXAGON, "mp4a.40.2", 48000, 2),
        (bytes.fromhex("2b8a0800"), "mp4a.40.5", 22050, 1),
        (bytes.fromhex("eb8a0800"), "mp4a.40.29", 22050, 1),
        (bytes.fromhex("1010"), "mp4a.40.2", 96000, 2),
    ],
)
def test_aac(config: bytes, name: str, rate: int, channels: int) -> None:
    codec = configure_audio(AAC, config)
    kind, esds = configuration(codec.entry, _AUDIO_BYTES)
    assert (kind, esds.kind, codec.name, codec.timescale, codec.frame_samples) == ("mp4a", "esds", name, rate, 1024)
    size = len(config)
    assert (
        esds.body
        == bytes((0, 0, 0, 0, 3, size + 23, 0, 0, 0, 4, size + 15, 0x40, 0x15))
        + bytes(11)
        + bytes((5, size))
        + config
        + b"\x06\x01\x02"
    )
    field = rate if rate < 65536 else 0
    assert codec.entry[8:36] == bytes(7) + b"\1" + bytes(9) + bytes((channels, 0, 16, 0, 0, 0, 0)) + field.to_bytes(
        2, "big"
    ) + bytes(2)


def test_long_aac_configuration() -> None:
    codec = configure_audio(AAC, AAC_STEREO + bytes(300))
    esds = configuration(codec.entry, _AUDIO_BYTES)[1]
    assert b"\x05\x82\x2e" + AAC_STEREO in esds.body and esds.body[4:7] == b"\x03\x82\x47"


@pytest.mark.parametrize(("head", "channels"), [(OPUS_STEREO, 2), (OPUS_5_1, 6)])
def test_opus(head: bytes, channels: int) -> None:
    codec = configure_audio(OPUS, head)
    kind, dops = configuration(codec.entry, _AUDIO_BYTES)
    assert (kind, dops.kind, codec.name, codec.timescale, codec.frame_samples) == ("Opus", "dOps", "Opus", 48000, 0)
    assert dops.body[:4] == bytes((0, channels)) + b"\x01\x38" and codec.entry[24:26] == bytes((0, channels))


def test_codecs_that_have_no_place() -> None:
    for codec in (b"vp09", b"vvc1", b"\2"):
        with pytest.raises(UnsupportedCodecError):
            configure_video(codec, b"header")
    for codec in (b".mp3", b"fLaC", b"ac-3"):
        with pytest.raises(UnsupportedCodecError) as caught:
            configure_audio(codec, b"header")
        assert caught.value.codec == codec.decode()
    with pytest.raises(UnsupportedCodecError):
        configure_audio(AAC, b"\xf8\xe6\x20\0\0")


def test_only_documented_errors() -> None:
    for codec, record in ((AVC, AVC_HIGH), (HEVC, HEVC_MAIN), (AV1, AV1_MAIN)):
        for changed in (record, by_start_code(record[5:])):

            def configure(data: bytes, codec: bytes = codec) -> None:
                configure_video(codec, data)

            assert_only_documented_errors(configure, changed)
    for codec, record in ((AAC, AAC_HEXAGON), (OPUS, OPUS_5_1)):

        def configure_sound(data: bytes, codec: bytes = codec) -> None:
            configure_audio(codec, data)

        assert_only_documented_errors(configure_sound, record)
    for codec in (AVC, HEVC, AV1):
        with pytest.raises(MediaError, match="sequence header of"):
            configure_video(codec, AVC_HIGH + bytes(MAX_HEADER_BYTES))
