"""Boxes: sizes, the initialisation segment, and fragments as an independent reader finds them."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from edge.media.fmp4_boxes import NON_SYNC, SYNC, Run, Track, box, encode_fragment, encode_init, full_box
from tests.harness.mp4_reader import Box, Sample, read_fragment, root, sequence_number

ENTRY = box(b"avc1", bytes(78), box(b"avcC", b"record"))
VIDEO_TRACK = Track(1, True, 90000, ENTRY, 1280, 720)
AUDIO_TRACK = Track(2, False, 44100, box(b"mp4a", bytes(28)))


def children(parent: Box) -> list[str]:
    return [child.kind for child in parent.children]


def test_boxes() -> None:
    assert box(b"free") == b"\0\0\0\x08free"
    assert box(b"skip", b"ab", b"c") == b"\0\0\0\x0bskipabc"
    assert full_box(b"url ", 1, 0x10203) == b"\0\0\0\x0curl \1\1\2\3"


def test_initialisation_segment() -> None:
    file = root(encode_init([VIDEO_TRACK, AUDIO_TRACK]))
    assert children(file) == ["ftyp", "moov"] and children(file.one("moov")) == ["mvhd", "trak", "trak", "mvex"]
    assert file.one("ftyp").body == b"iso6\0\0\0\0iso6mp41"
    mvhd = file.one("moov/mvhd").body
    assert len(mvhd) == 100 and mvhd[16:20] == bytes(4) and mvhd[-4:] == b"\0\0\0\3", "no duration; the next track"
    for trak, kind, header in zip(file.all("moov/trak"), (b"vide", b"soun"), ("vmhd", "smhd"), strict=True):
        assert children(trak) == ["tkhd", "mdia"] and children(trak.one("mdia")) == ["mdhd", "hdlr", "minf"]
        assert children(trak.one("mdia/minf")) == [header, "dinf", "stbl"]
        assert children(trak.one("mdia/minf/stbl")) == ["stsd", "stts", "stsc", "stsz", "stco"]
        assert trak.one("mdia/hdlr").body[8:12] == kind and len(trak.one("tkhd").body) == 84
        for name in ("stts", "stsc", "stsz", "stco"):
            assert not any(trak.one(f"mdia/minf/stbl/{name}").body)
    video, audio = file.all("moov/trak")
    assert struct.unpack(">II", video.one("tkhd").body[-8:]) == (1280 << 16, 720 << 16)
    assert struct.unpack(">4IHH", video.one("mdia/mdhd").body[4:]) == (0, 0, 90000, 0, 0x55C4, 0)
    assert struct.unpack(">4IHH", audio.one("mdia/mdhd").body[4:]) == (0, 0, 44100, 0, 0x55C4, 0)
    assert video.one("mdia/minf/stbl/stsd").body == bytes(7) + b"\1" + ENTRY
    assert [trak.one("tkhd").version_and_flags for trak in (video, audio)] == [(0, 7)] * 2
    assert [trak.one("tkhd").body[36:38] for trak in (video, audio)] == [b"\0\0", b"\1\0"], "volume"
    trex = [struct.unpack(">5I", found.body[4:]) for found in file.all("moov/mvex/trex")]
    assert trex == [(1, 1, 0, 0, NON_SYNC), (2, 1, 0, 0, SYNC)]


def test_a_file_of_one_track_may_be_cmaf() -> None:
    assert root(encode_init([AUDIO_TRACK])).one("ftyp").body.endswith(b"cmfc")


def test_what_all_samples_share_stands_once() -> None:
    run = Run(2, 5, [1024] * 3, [b"a", b"bc", b"def"], [SYNC] * 3)
    data = encode_fragment(9, [run])
    assert sequence_number(data) == 9 and len(data) == 24 + 72 + 3 * 4 + 8 + 6
    assert read_fragment(data) == {
        2: [Sample(5 + n * 1024, 1024, SYNC, 0, sample) for n, sample in enumerate((b"a", b"bc", b"def"))]
    }


def test_numbers_of_fragments_wrap() -> None:
    assert sequence_number(encode_fragment(2**32 + 3, [Run(1, 0, [1], [b"a"], [SYNC])])) == 3


samples = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 3600, 2**32 - 1]),
        st.binary(max_size=9),
        st.sampled_from([SYNC, NON_SYNC]),
        st.sampled_from([0, 0, 3600, -7200, 900_000, -900_000]),
    ),
    min_size=1,
    max_size=8,
)


@given(st.lists(samples, min_size=1, max_size=3), st.integers(0, 2**62))
def test_a_reader_finds_what_went_in(tracks: list[list[tuple[int, bytes, int, int]]], start: int) -> None:
    runs = []
    expected: dict[int, list[Sample]] = {}
    for number, found in enumerate(tracks, 1):
        durations, data, flags, offsets = (list(column) for column in zip(*found, strict=True))
        runs.append(Run(number, start, durations, data, flags, offsets))
        dts = start
        for duration, one, flag, offset in found:
            expected.setdefault(number, []).append(Sample(dts, duration, flag, offset, one))
            dts += duration
    assert read_fragment(encode_fragment(1, runs)) == expected
