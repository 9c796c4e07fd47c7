"""The muxer: what an independent reader finds in its fragments."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media.fmp4 import AUDIO_TRACK_ID, VIDEO_TRACK_ID, Fmp4Muxer
from edge.media.fmp4_boxes import NON_SYNC, SYNC
from edge.media.frame import AUDIO, DATA, TRACK_BIT, VIDEO, Frame
from tests.harness.flv_file import frame_of
from tests.harness.mp4_reader import Sample, read_fragment, read_fragments, root, sequence_number
from tests.media.codecs.records import (
    AAC_STEREO,
    AV1_MAIN,
    AVC_HIGH,
    AVC_SMALL,
    HEVC_MAIN,
    OPUS_STEREO,
    by_length,
    by_start_code,
)
from tests.media.pictures import in_other_tracks, picture, sound

AVC_HEADER = frame_of(VIDEO, 0, b"\x17\x00\0\0\0" + AVC_HIGH)
AAC_HEADER = frame_of(AUDIO, 0, b"\xaf\x00" + AAC_STEREO)
OPUS_HEADER = frame_of(AUDIO, 0, b"\x90Opus" + OPUS_STEREO)
RATE, FRAME_SAMPLES = 44100, 1024
#: One frame of 20 ms.
_OPUS_PACKET = b"\xfc\xff\xfe"


def broadcast(ms: int, *, interval_ms: int = 40, gop: int = 25, start_ms: int = 0) -> list[Frame]:
    """Picture and sound in order of time, without headers."""
    media = [picture(start_ms + n * interval_ms, key=n % gop == 0) for n in range(ms // interval_ms)]
    media += [
        sound(start_ms + round(n * FRAME_SAMPLES * 1000 / RATE)) for n in range(ms * RATE // 1000 // FRAME_SAMPLES)
    ]
    return sorted(media, key=lambda frame: frame.dts_ms)


def new_muxer(*headers: Frame) -> Fmp4Muxer:
    muxer = Fmp4Muxer()
    for header in headers or (AVC_HEADER, AAC_HEADER):
        assert muxer.take_header(header)
    return muxer


def mux(
    frames: Sequence[Frame], ends: Mapping[int, int] | None = None, *, shift_ms: int = 0, muxer: Fmp4Muxer | None = None
) -> dict[int, list[Sample]]:
    data = (muxer or new_muxer()).fragment(frames, 1, ends or {}, shift_ms)
    return read_fragment(data) if data else {}


def times(samples: list[Sample]) -> list[tuple[int, int]]:
    return [(sample.dts, sample.duration) for sample in samples]


def test_pictures_and_sound_come_out_as_they_went_in() -> None:
    frames = broadcast(2000, start_ms=5000)
    found = mux(frames, {VIDEO: 7000, AUDIO: 7000})
    pictures = [frame for frame in frames if frame.type_id == VIDEO]
    assert found[VIDEO_TRACK_ID] == [
        Sample(frame.dts_ms * 90, 3600, SYNC if frame.is_keyframe else NON_SYNC, 0, frame.payload[5:])
        for frame in pictures
    ]
    first = 5000 * RATE // 1000
    assert found[AUDIO_TRACK_ID] == [
        Sample(first + n * FRAME_SAMPLES, FRAME_SAMPLES, SYNC, 0, frame.payload[2:])
        for n, frame in enumerate(frame for frame in frames if frame.type_id == AUDIO)
    ]


def test_initialisation_segment_and_what_a_playlist_says() -> None:
    muxer = Fmp4Muxer()
    assert (muxer.init_segment, muxer.codecs, muxer.width, muxer.height) == (b"", "", 0, 0)
    assert muxer.take_header(AAC_HEADER)
    assert muxer.codecs == "mp4a.40.2" and len(root(muxer.init_segment).all("moov/trak")) == 1
    assert muxer.take_header(AVC_HEADER)
    assert (muxer.codecs, muxer.width, muxer.height) == ("avc1.64000a,mp4a.40.2", 64, 48)
    tracks = root(muxer.init_segment).all("moov/trak/tkhd")
    assert [int.from_bytes(track.body[12:16], "big") for track in tracks] == [VIDEO_TRACK_ID, AUDIO_TRACK_ID]
    assert muxer.init_segment == new_muxer().init_segment, "in whichever order they came"


def test_headers_that_change_nothing() -> None:
    muxer = new_muxer()
    before = muxer.init_segment
    for header in (AVC_HEADER, AAC_HEADER, frame_of(VIDEO, 0, b"\x90avc1" + AVC_HIGH)):
        assert not muxer.take_header(header)
    for frame in (picture(0, key=True), sound(0), frame_of(VIDEO, 0, b"\x17\x02\0\0\0"), Frame(DATA, 0, b"\2\0\0")):
        assert not muxer.take_header(frame)
    assert muxer.init_segment is before
    assert muxer.take_header(frame_of(VIDEO, 0, b"\x17\x00\0\0\0" + AVC_SMALL)) and muxer.init_segment != before


def test_malformed_headers_leave_the_one_before_in_force() -> None:
    muxer = new_muxer()
    for body in (b"\x17\x00\0\0\0" + AVC_HIGH[:9], b"\x90avc1"):
        assert not muxer.take_header(frame_of(VIDEO, 0, body))
    assert not muxer.take_header(frame_of(AUDIO, 0, b"\xaf\x00\xff"))
    assert muxer.bad_header_count == 3 and muxer.codecs == "avc1.64000a,mp4a.40.2"
    assert len(mux([picture(0, key=True), sound(0)], muxer=muxer)) == 2


def test_bytes_follow_from_what_is_asked_for_alone() -> None:
    """One node was there from the beginning, the other came later, after another header even."""
    frames = broadcast(3000)
    early, late = new_muxer(), new_muxer(frame_of(VIDEO, 0, b"\x17\x00\0\0\0" + AVC_SMALL), OPUS_HEADER)
    for number, at in enumerate(range(0, len(frames) - 30, 10)):
        early.fragment(frames[at : at + 10], number, {})
    for header in (AAC_HEADER, AVC_HEADER):
        late.take_header(header)
    last = frames[-30:]
    assert early.fragment(last, 77, {VIDEO: 3000}, 500) == late.fragment(last, 77, {VIDEO: 3000}, 500)
    assert early.init_segment == late.init_segment
    assert sequence_number(late.fragment(last, 78, {})) == 78


def test_one_medium_alone() -> None:
    frames = broadcast(400)
    assert set(mux([frame for frame in frames if frame.type_id == VIDEO])) == {VIDEO_TRACK_ID}
    assert set(mux([frame for frame in frames if frame.type_id == AUDIO])) == {AUDIO_TRACK_ID}
    assert mux([]) == mux([AVC_HEADER, AAC_HEADER, Frame(DATA, 0, b"\2")]) == {}
    for type_id, codecs in ((VIDEO, "avc1.64000a"), (AUDIO, "mp4a.40.2")):
        muxer = Fmp4Muxer(TRACK_BIT[type_id])
        assert [muxer.take_header(header) for header in (AVC_HEADER, AAC_HEADER)].count(True) == 1
        assert muxer.codecs == codecs and len(mux(frames, muxer=muxer)) == 1 and muxer.dropped_count == 0


def test_how_long_the_last_picture_is_shown() -> None:
    frames = [picture(0, key=True), picture(40), picture(73)]
    for ends, last in (({VIDEO: 106}, 33), ({}, 33), ({VIDEO: 5073}, 5000), ({AUDIO: 90}, 33)):
        assert times(mux(frames, ends)[VIDEO_TRACK_ID]) == [(0, 3600), (3600, 2970), (6570, last * 90)]
    assert times(mux(frames[:1])[VIDEO_TRACK_ID]) == [(0, 3600)], "nothing tells"
    assert times(mux(frames[1:2], {VIDEO: 40})[VIDEO_TRACK_ID]) == [(3600, 1)]


def test_fragments_follow_each_other() -> None:
    """Pictures to the tick; sound, which begins anew with its timestamp, to the millisecond."""
    frames = broadcast(10_000, interval_ms=33)
    muxer = new_muxer()
    data = b""
    for number, at_ms in enumerate(range(0, 10_000, 300), 1):
        part = [frame for frame in frames if at_ms <= frame.dts_ms < at_ms + 300]
        ends: dict[int, int] = {}
        for frame in frames:
            if frame.dts_ms >= at_ms + 300:
                ends.setdefault(frame.type_id, frame.dts_ms)
        data += muxer.fragment(part, number, ends)
    found = read_fragments(data)
    assert [len(found[track_id]) for track_id in (VIDEO_TRACK_ID, AUDIO_TRACK_ID)] == [303, 430]
    for track_id, tolerance in ((VIDEO_TRACK_ID, 0), (AUDIO_TRACK_ID, RATE // 1000)):
        assert all(abs(a.dts + a.duration - b.dts) <= tolerance for a, b in pairwise(found[track_id]))
    assert sum(sample.is_sync for sample in found[VIDEO_TRACK_ID]) == 13


def test_times_are_shifted() -> None:
    at_ms = 1 << 40
    found = mux(broadcast(400, start_ms=at_ms), {VIDEO: at_ms + 400}, shift_ms=at_ms - 1000)
    assert times(found[VIDEO_TRACK_ID])[-1] == ((1000 + 360) * 90, 3600)
    assert found[AUDIO_TRACK_ID][0].dts == RATE
    assert mux([picture(at_ms)])[VIDEO_TRACK_ID][0].dts == at_ms * 90, "64 bits"
    early = mux([picture(0), picture(40), picture(80), sound(0)], shift_ms=60)
    assert times(early[VIDEO_TRACK_ID]) == [(0, 1), (1, 1799), (1800, 1799)] and early[AUDIO_TRACK_ID][0].dts == 0


def test_pictures_of_one_millisecond_keep_their_order() -> None:
    found = mux([picture(10, key=True), picture(10), picture(10), picture(50)], {VIDEO: 90})
    assert times(found[VIDEO_TRACK_ID]) == [(900, 1), (901, 1), (902, 3598), (4500, 3600)]


@pytest.mark.parametrize("offset_ms", [80, -80, 10_000, -10_000])
def test_composition_offsets_have_either_sign(offset_ms: int) -> None:
    found = mux([picture(0, key=True), picture(40, offset_ms=offset_ms)])
    assert [sample.offset for sample in found[VIDEO_TRACK_ID]] == [0, offset_ms * 90]


@pytest.mark.parametrize("offset_ms", [-(1 << 23), (1 << 23) - 1, -10_001, 10_001])
def test_absurd_offsets_are_none(offset_ms: int) -> None:
    found = mux([picture(0, key=True), picture(40, offset_ms=offset_ms)])
    assert [sample.offset for sample in found[VIDEO_TRACK_ID]] == [0, 0]


@pytest.mark.parametrize("jitter_ms", [0, 60, 99])
def test_sound_is_timed_by_its_samples(jitter_ms: int) -> None:
    """Whatever the timestamps say, as long as they stay near."""
    at = [7, *[7 + round(n * 1024 / 44.1) + (jitter_ms if n % 2 else -jitter_ms) for n in range(1, 20)]]
    samples = mux([sound(ms) for ms in at], {AUDIO: at[-1]})[AUDIO_TRACK_ID]
    assert times(samples) == [(309 + n * 1024, 1024) for n in range(20)], "7 ms are 308.7 samples"


def test_sound_with_a_gap() -> None:
    """The sample before lasts until the next begins."""
    samples = mux([sound(0), sound(23), sound(500), sound(523)])[AUDIO_TRACK_ID]
    assert times(samples) == [(0, 1024), (1024, 22050 - 1024), (22050, 1024), (23074, 1024)]


def test_sound_with_a_gap_behind_it() -> None:
    for end_ms, last in ((146, 1024), (147, 6483 - 1024), (46, 1024), (0, 1024), (1023, 45114 - 1024)):
        assert times(mux([sound(0), sound(23)], {AUDIO: end_ms})[AUDIO_TRACK_ID])[1] == (1024, last)


def test_sound_that_jumps_back() -> None:
    """A sample is no shorter than one unit of time: what has been told cannot be taken back."""
    samples = mux([sound(1000), sound(1023), sound(800), sound(823)])[AUDIO_TRACK_ID]
    assert times(samples) == [(44100, 1024), (45124, 1), (45125, 1), (45126, 1024)]


def test_clock_that_jumps_by_days() -> None:
    day_ms = 86_400_000
    found = mux([picture(0, key=True), sound(0), picture(3 * day_ms), sound(3 * day_ms)], {VIDEO: 6 * day_ms})
    assert [sample.duration for sample in found[VIDEO_TRACK_ID]] == [2**32 - 1] * 2
    assert [sample.duration for sample in found[AUDIO_TRACK_ID]] == [2**32 - 1, 1024]


def test_opus_packets_last_as_long_as_they_say() -> None:
    muxer = new_muxer(OPUS_HEADER)
    packets = [_OPUS_PACKET, b"\xf8a", b"\x98ab", b"\xfb\x03abc"]
    frames = [frame_of(AUDIO, ms, b"\x91Opus" + packet) for ms, packet in zip((11, 31, 51, 54), packets, strict=True)]
    samples = mux(frames, muxer=muxer)[AUDIO_TRACK_ID]
    assert times(samples) == [(528, 960), (1488, 960), (2448, 960), (3408, 2880)]
    assert [sample.data for sample in samples] == packets and muxer.codecs == "Opus"


def test_malformed_frames_are_left_out_and_counted() -> None:
    muxer = new_muxer(AVC_HEADER, OPUS_HEADER)
    bad = frame_of(VIDEO, 40, b"\x27\x01\0\0\0\0\0\0\x09abc")
    endless = frame_of(AUDIO, 20, b"\x91Opus\xfb\0")
    good = frame_of(AUDIO, 40, b"\x91Opus" + _OPUS_PACKET)
    found = mux([picture(0, key=True), bad, endless, picture(80), good], {VIDEO: 120}, muxer=muxer)
    assert times(found[VIDEO_TRACK_ID]) == [(0, 7200), (7200, 3600)] and times(found[AUDIO_TRACK_ID]) == [(1920, 960)]
    assert muxer.dropped_count == 2 and muxer.fragment([bad, endless], 1, {}) == b""


def test_bodies_without_media() -> None:
    bodies = (b"", b"\x17", b"\x17\x01\0\0\0", b"\x17\x02\0\0\0", b"\x57\x00", b"\x17\x01\0\0\0\0\0\0\0")
    frames = [Frame(VIDEO, 0, body) for body in bodies]
    frames += [Frame(AUDIO, 0, body) for body in (b"", b"\xaf", b"\xaf\x01", b"\x90", b"\x95\x01Opus")]
    muxer = new_muxer()
    for frame in frames:
        muxer.take_header(frame)
    assert muxer.fragment(frames, 1, {}) == b"" and muxer.dropped_count == 0


def test_frames_without_a_header_are_left_out() -> None:
    muxer = Fmp4Muxer()
    assert muxer.fragment([picture(0, key=True), sound(0)], 1, {}) == b"" and muxer.dropped_count == 2


def test_codecs_without_a_place_are_named() -> None:
    muxer = new_muxer()
    mp3 = frame_of(AUDIO, 10, b"\x2f\xff\xfb\x90\x64")
    speex = frame_of(AUDIO, 20, b"\xb6speex")
    vp9 = frame_of(VIDEO, 40, b"\xa1vp09frame")
    found = mux([picture(0, key=True), mp3, speex, sound(30), vp9], muxer=muxer)
    assert {track_id: len(samples) for track_id, samples in found.items()} == {VIDEO_TRACK_ID: 1, AUDIO_TRACK_ID: 1}
    assert muxer.unsupported == {"MP3", "Speex", "vp09"} and muxer.dropped_count == 3
    for number in range(1000):
        muxer.fragment([frame_of(VIDEO, 0, b"\xa1x%03dframe" % number)], 1, {})
    assert len(muxer.unsupported) == 16


def test_a_header_without_a_place_ends_its_track_only() -> None:
    muxer = new_muxer()
    assert muxer.take_header(frame_of(VIDEO, 0, b"\x90vp09" + bytes(12)))
    assert not muxer.take_header(frame_of(VIDEO, 0, b"\x90vvc1" + bytes(12)))
    assert muxer.codecs == "mp4a.40.2" and muxer.unsupported == {"vp09", "vvc1"} and muxer.width == 0
    assert set(mux([picture(0, key=True), sound(0)], muxer=muxer)) == {AUDIO_TRACK_ID}
    assert muxer.take_header(frame_of(AUDIO, 0, b"\xaf\x00\xf8\xe6\x20\0\0")) and muxer.init_segment == b""
    assert muxer.take_header(AVC_HEADER) and muxer.codecs == "avc1.64000a"


def test_codec_changes() -> None:
    muxer = new_muxer()
    key = frame_of(VIDEO, 40, b"\x91hvc1\0\0\x50" + by_length(b"\x26\x01idr"))
    assert muxer.take_header(frame_of(VIDEO, 0, b"\x90hvc1" + HEVC_MAIN))
    old = frame_of(VIDEO, 80, b"\x2c\x01\0\0\0" + by_length(b"\x02\x01trail"))
    (samples,) = mux([picture(0), key, old], {VIDEO: 120}, muxer=muxer).values()
    assert [(sample.is_sync, sample.offset, sample.data[6:]) for sample in samples] == [
        (True, 7200, b"idr"),
        (False, 0, b"trail"),
    ]
    assert muxer.dropped_count == 1 and muxer.unsupported == set()
    assert muxer.take_header(frame_of(VIDEO, 0, b"\x90av01" + AV1_MAIN))
    (samples,) = mux([frame_of(VIDEO, 0, b"\xa1av01\x12\0\x32\x03abc")], muxer=muxer).values()
    assert samples[0].data == b"\x32\x03abc" and muxer.codecs == "av01.0.00M.08,mp4a.40.2"


def test_start_codes_become_lengths() -> None:
    body = b"\x17\x01\0\0\0" + by_start_code(b"\x67sps", b"\x68pps", b"\x65idr")
    (samples,) = mux([frame_of(VIDEO, 0, body)]).values()
    assert samples[0].data == by_length(b"\x67sps", b"\x68pps", b"\x65idr") and samples[0].is_sync


def test_other_tracks_of_a_multitrack_stream_are_left_out() -> None:
    key = picture(0, key=True)
    (samples,) = mux([key, *in_other_tracks(key, 40)]).values()
    assert [sample.data for sample in samples] == [key.payload[5:]] * 2


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_any_frames(seed: int) -> None:
    """Times that jitter, offsets of both signs, sizes of all kinds: all that is whole comes out, and clocks rise."""
    chance = random.Random(seed)
    at_ms = chance.choice([0, 1 << 33])
    frames = []
    for _ in range(chance.randint(1, 50)):
        at_ms = max(0, at_ms + chance.choice([0, 3, 23, 40, 40, 400, -5]))
        size = chance.choice([1, 10, 3000])
        if chance.random() < 0.5:
            frames.append(sound(at_ms, size))
        else:
            key = chance.random() < 0.1
            frames.append(picture(at_ms, size, key=key, offset_ms=chance.choice([0, 80, -40, 1 << 22])))
    end_ms = at_ms + chance.choice([0, 40, 4000])
    found = mux(frames, {VIDEO: end_ms, AUDIO: end_ms} if chance.random() < 0.5 else {})
    for type_id, track_id, skipped in ((VIDEO, VIDEO_TRACK_ID, 5), (AUDIO, AUDIO_TRACK_ID, 2)):
        want = [frame for frame in frames if frame.type_id == type_id]
        samples = found.get(track_id, [])
        assert [sample.data for sample in samples] == [frame.payload[skipped:] for frame in want]
        assert all(sample.duration > 0 for sample in samples)
        if type_id == AUDIO:
            units = [round(frame.dts_ms * RATE / 1000) for frame in want]
            ahead = [sample.dts - unit for sample, unit in zip(samples, units, strict=True)]
            assert all(each >= -RATE // 10 - 1 for each in ahead), "sound is never told earlier than it came"


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([AUDIO, VIDEO]), st.binary(max_size=3), st.binary(max_size=40), st.integers(0, 2**33)
        ),
        max_size=8,
    )
)
def test_nothing_that_comes_is_an_error(found: list[tuple[int, bytes, bytes, int]]) -> None:
    heads = {
        VIDEO: [b"\x17\x01", b"\x91hvc1", b"\xa1av01", b"\x17\x00"],
        AUDIO: [b"\xaf\x01", b"\x91Opus", b"\xaf\x00"],
    }
    for headers in ((AVC_HEADER, AAC_HEADER), (frame_of(VIDEO, 0, b"\x90av01" + AV1_MAIN), OPUS_HEADER)):
        muxer = new_muxer(*headers)
        frames = []
        for type_id, choice, rest, dts_ms in found:
            head = heads[type_id][choice[0] % len(heads[type_id])] if choice else b""
            frames.append(Frame(type_id, dts_ms, head + choice[1:] + rest, is_keyframe=len(choice) == 2))
        data = muxer.fragment(frames, 1, {VIDEO: 5})
        assert not data or read_fragment(data)
        for frame in frames:
            muxer.take_header(frame)
            assert muxer.init_segment == b"" or root(muxer.init_segment)
