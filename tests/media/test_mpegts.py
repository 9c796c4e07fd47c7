"""The muxer: what a demuxer that accepts nothing doubtful finds in its bytes."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media.frame import AUDIO, VIDEO, Frame
from edge.media.mpegts import AUDIO_PID, VIDEO_PID, TsMuxer
from edge.media.ts_packets import announce_jump
from tests.harness.flv_file import frame_of
from tests.harness.ts_demux import TsDemuxer, demux
from tests.media.codecs.records import (
    AAC_STEREO,
    AV1_MAIN,
    AVC_SMALL,
    HEVC_MAIN,
    OPUS_STEREO,
    PPS,
    SPS,
    by_length,
    by_start_code,
)
from tests.media.pictures import in_other_tracks, picture, sound

LEAD = 63000
WRAP = 1 << 33
DELIMITER = b"\0\0\0\1\x09\xf0"
AVC_HEADER = frame_of(VIDEO, 0, b"\x17\x00\0\0\0" + AVC_SMALL)
AAC_HEADER = frame_of(AUDIO, 0, b"\xaf\x00" + AAC_STEREO)
_MPEG_1 = bytes.fromhex("fffb9064")


def expected_picture(frame: Frame) -> bytes:
    unit = frame.payload[9:]
    return DELIMITER + by_start_code(SPS, PPS, unit) if frame.is_keyframe else DELIMITER + by_start_code(unit)


def mux(*frames: Frame, muxer: TsMuxer | None = None) -> TsDemuxer:
    muxer = muxer or TsMuxer()
    pieces = [muxer.encode(frame) for frame in frames] + [muxer.flush()]
    assert all(len(piece) % 188 == 0 for piece in pieces)
    return demux(b"".join(pieces))


def broadcast(ms: int, *, interval_ms: int = 40, gop: int = 25, start_ms: int = 0) -> list[Frame]:
    """Headers, then picture and sound in order of time."""
    media = [picture(start_ms + n * interval_ms, key=n % gop == 0) for n in range(ms // interval_ms)]
    media += [sound(start_ms + round(n * 1024 / 44.1)) for n in range(int(ms * 44.1 / 1024))]
    return [AVC_HEADER, AAC_HEADER, *sorted(media, key=lambda frame: frame.dts_ms)]


def aac_frames(data: bytes) -> list[bytes]:
    """Frames behind their ADTS headers."""
    found = []
    while data:
        size = int.from_bytes(data[3:6], "big") >> 5 & 0x1FFF
        assert data[:2] == b"\xff\xf1" and 7 < size <= len(data)
        found.append(data[7:size])
        data = data[size:]
    return found


@pytest.mark.parametrize("hold_ms", [0, 100])
def test_pictures_and_sound_come_out_as_they_went_in(hold_ms: int) -> None:
    frames = broadcast(4000)
    found = mux(*frames, muxer=TsMuxer(audio_hold_ms=hold_ms))
    assert found.streams == {VIDEO_PID: (0x1B, b""), AUDIO_PID: (0x0F, b"")}
    pictures = [frame for frame in frames[2:] if frame.type_id == VIDEO]
    assert [pes.data for pes in found.of(VIDEO_PID)] == [expected_picture(frame) for frame in pictures]
    assert [pes.dts for pes in found.of(VIDEO_PID)] == [LEAD + frame.dts_ms * 90 for frame in pictures]
    assert [pes.is_random_access for pes in found.of(VIDEO_PID)] == [frame.is_keyframe for frame in pictures]
    raw = [frame.payload[2:] for frame in frames[2:] if frame.type_id == AUDIO]
    assert [one for pes in found.of(AUDIO_PID) for one in aac_frames(pes.data)] == raw
    if not hold_ms:
        times = [frame.dts_ms for frame in frames[2:] if frame.type_id == AUDIO]
        assert [pes.pts for pes in found.of(AUDIO_PID)] == [LEAD + at * 90 for at in times]


def test_sound_that_waits_is_timed_by_its_samples() -> None:
    """A decoder counts 1024 samples per frame from the PTS on: what it makes of it is right to 2 ms."""
    frames = broadcast(4000)
    found = mux(*frames, muxer=TsMuxer(audio_hold_ms=100))
    times = iter([frame.dts_ms for frame in frames[2:] if frame.type_id == AUDIO])
    sizes = []
    for pes in found.of(AUDIO_PID):
        units = aac_frames(pes.data)
        sizes.append(len(units))
        for number in range(len(units)):
            assert abs((pes.pts - LEAD) / 90 + number * 1024 / 44.1 - next(times)) < 2
    assert set(sizes[:-1]) <= {3, 4, 5} and len(sizes) < 50


def test_sound_with_a_gap_begins_anew() -> None:
    found = mux(AAC_HEADER, sound(0), sound(23), sound(70), sound(93), muxer=TsMuxer(audio_hold_ms=1000))
    assert [(pes.pts - LEAD, len(aac_frames(pes.data))) for pes in found.of(AUDIO_PID)] == [(0, 2), (70 * 90, 2)]


def test_fewer_bytes_where_sound_shares_packets() -> None:
    frames = [AAC_HEADER, *[sound(round(n * 1024 / 44.1), 371) for n in range(100)]]
    alone, together = (mux(*frames, muxer=TsMuxer(audio_hold_ms=ms)) for ms in (0, 100))
    packets = [demuxer.of(AUDIO_PID)[-1].at_packet for demuxer in (alone, together)]
    assert packets[1] < 0.85 * packets[0]


def test_tables_at_each_keyframe_and_every_500_ms() -> None:
    found = mux(*broadcast(6000, gop=70))
    starts = {pes.at_packet: pes for pes in found.of(VIDEO_PID)}
    for pes in found.of(VIDEO_PID):
        if pes.is_random_access:
            assert pes.at_packet - 2 in found.tables_at, "a player begins here"
    following = [min(at for at in starts if at > table) for table in found.tables_at]
    gaps = [(starts[b].dts - starts[a].dts) / 90 for a, b in pairwise(following)]
    assert max(gaps) <= 540 and found.versions == [0]


def test_a_player_may_begin_at_any_keyframe() -> None:
    """What the log gives it is the bytes from there on."""
    muxer = TsMuxer()
    pieces = [(frame, muxer.encode(frame)) for frame in broadcast(4000)]
    for number, (frame, _) in enumerate(pieces):
        if frame.is_keyframe:
            found = demux(b"".join(piece for _, piece in pieces[number:]))
            first = found.of(VIDEO_PID)[0]
            assert first.data == expected_picture(frame) and first.at_packet == 2
            assert found.clocks[0][0] == 2, "the clock is there at once"


def test_a_player_may_jump_to_a_keyframe() -> None:
    muxer = TsMuxer()
    frames = broadcast(6000)
    pieces = [muxer.encode(frame) for frame in frames]
    starts = [number for number, frame in enumerate(frames) if frame.is_keyframe]
    before, after = b"".join(pieces[: starts[2] + 3]), b"".join(pieces[starts[4] :])
    found = demux(before + announce_jump(after) + after)
    sent = [
        frame for frame in frames[: starts[2] + 3] + frames[starts[4] :] if frame.type_id == VIDEO and not frame.kind
    ]
    assert [pes.data for pes in found.of(VIDEO_PID)] == [expected_picture(frame) for frame in sent]
    with pytest.raises(AssertionError, match="counter"):
        demux(before + after)


@pytest.mark.parametrize("fps", [50, 25, 15, 8, 2])
@pytest.mark.parametrize("has_audio", [True, False])
def test_clock_every_100_ms_and_never_back(fps: int, has_audio: bool) -> None:
    frames = [f for f in broadcast(6000, interval_ms=1000 // fps, gop=2 * fps) if has_audio or f.type_id == VIDEO]
    found = mux(*frames)
    values = [value for _, pid, value in found.clocks if pid == VIDEO_PID == found.pcr_pid]
    assert len(values) == len(found.clocks) and all(a < b for a, b in pairwise(values))
    longest = max(b - a for a, b in pairwise(values)) / 90
    assert longest <= (100 if has_audio else max(100, 1000 / fps)), "between two pictures alone there is nothing"


@pytest.mark.parametrize("hold_ms", [0, 100])
def test_audio_only(hold_ms: int) -> None:
    frames = [AAC_HEADER, *[sound(round(n * 1024 / 44.1)) for n in range(400)]]
    found = mux(*frames, muxer=TsMuxer(audio_hold_ms=hold_ms))
    assert found.streams == {AUDIO_PID: (0x0F, b"")} and found.pcr_pid == AUDIO_PID
    values = [value for _, _, value in found.clocks]
    assert values[0] == 0 and all(0 < b - a <= 9000 for a, b in pairwise(values))
    assert len(found.tables_at) >= 9000 / 520
    assert sum(len(aac_frames(pes.data)) for pes in found.of(AUDIO_PID)) == 400


def test_video_only() -> None:
    found = mux(*[frame for frame in broadcast(2000) if frame.type_id == VIDEO])
    assert found.streams == {VIDEO_PID: (0x1B, b"")} and found.pcr_pid == VIDEO_PID and len(found.of(VIDEO_PID)) == 50


def test_clock_runs_behind_by_the_lead() -> None:
    for lead_ms in (0, 700):
        found = mux(AVC_HEADER, picture(500, key=True), muxer=TsMuxer(pcr_lead_ms=lead_ms))
        assert found.clocks[0][2] == 45000 and found.of(VIDEO_PID)[0].dts == 45000 + lead_ms * 90


def test_b_frames() -> None:
    offsets = [80, 160, 40, 0, 40] * 5
    frames = [picture(n * 40, key=n % 5 == 0, offset_ms=offset) for n, offset in enumerate(offsets)]
    found = mux(AVC_HEADER, *frames)
    assert [(pes.dts, pes.pts) for pes in found.of(VIDEO_PID)] == [
        (LEAD + n * 3600, LEAD + (n * 40 + offset) * 90) for n, offset in enumerate(offsets)
    ]


@pytest.mark.parametrize(
    "offsets",
    [
        [0, 80, -40, -40],  # I P b b, of which both b come a picture late
        [0, 40, -40],  # I P b
        [0, 120, 0, -80, -40],  # I P B b b, where B is decoded before the b that it helps
        [-40, 120, 0, -80, -40],
    ],
)
def test_negative_offsets_move_dts_back(offsets: list[int]) -> None:
    """TS wants DTS <= PTS; each picture is shown when it was."""
    size = len(offsets)
    frames = [picture(400 + n * 40, key=n % size == 0, offset_ms=offsets[n % size]) for n in range(4 * size)]
    found = mux(AVC_HEADER, *frames).of(VIDEO_PID)
    assert [pes.pts - LEAD for pes in found] == [(400 + n * 40 + offsets[n % size]) * 90 for n in range(4 * size)]
    assert all(pes.dts <= pes.pts for pes in found)
    assert all(a.dts < b.dts for a, b in pairwise(found))
    assert {b.dts - a.dts for a, b in pairwise(found[size:])} == {3600}, "once and for all"


def test_V10_one_large_offset_moves_nothing_back() -> None:
    """A decoder would have to buffer as much for good."""
    found = mux(AVC_HEADER, picture(0, key=True), picture(40, offset_ms=4000), picture(80)).of(VIDEO_PID)
    assert [pes.dts - LEAD for pes in found] == [0, 3600, 7200] and found[1].pts - LEAD == 4040 * 90


def test_negative_offset_that_nothing_told_of() -> None:
    """The picture is shown a tick after the one before was decoded; DTS is right from then on."""
    frames = [picture(n * 40, key=n == 0, offset_ms=-80 if n == 5 else 0) for n in range(10)]
    found = mux(AVC_HEADER, *frames).of(VIDEO_PID)
    assert [pes.pts - LEAD - n * 3600 for n, pes in enumerate(found)] == [0] * 5 + [-3599] + [0] * 4
    assert [pes.dts - LEAD for pes in found[5:]] == [4 * 3600 + n for n in range(1, 3)] + [
        n * 3600 - 7200 for n in (7, 8, 9)
    ]


@pytest.mark.parametrize("offset_ms", [-(1 << 23), (1 << 23) - 1, -2001, 10_001])
def test_V10_absurd_offsets_are_none(offset_ms: int) -> None:
    found = mux(AVC_HEADER, picture(0, key=True), picture(40, offset_ms=offset_ms), picture(80)).of(VIDEO_PID)
    assert [(pes.dts - LEAD, pes.pts - LEAD) for pes in found] == [(0, 0), (3600, 3600), (7200, 7200)]


@pytest.mark.parametrize("at_ms", [WRAP // 90 - 2000, 2 * (WRAP // 90), 1 << 40])
def test_V10_times_wrap_in_33_bits(at_ms: int) -> None:
    frames = broadcast(4000, start_ms=at_ms)
    found = mux(*frames)
    for pid, type_id in ((VIDEO_PID, VIDEO), (AUDIO_PID, AUDIO)):
        expected = [(LEAD + frame.dts_ms * 90) % WRAP for frame in frames[2:] if frame.type_id == type_id]
        assert [pes.dts for pes in found.of(pid)] == expected
    values = [value for _, _, value in found.clocks]
    assert all(0 < (b - a) % WRAP <= 9000 for a, b in pairwise(values))


def test_frames_of_one_millisecond_keep_their_order() -> None:
    found = mux(
        AVC_HEADER, picture(0, key=True), *[picture(1) for _ in range(5)], picture(0), AAC_HEADER, sound(1), sound(1)
    )
    for pid in (VIDEO_PID, AUDIO_PID):
        assert all(a.dts < b.dts <= b.pts for a, b in pairwise(found.of(pid)))


def test_long_pictures() -> None:
    """Above 65,535 bytes PES leaves its length open."""
    sizes = [200_000, 65_500, 65_536, 1]
    frames = [picture(n * 40, size, key=True) for n, size in enumerate(sizes)]
    found = mux(AVC_HEADER, *frames)
    assert [pes.data for pes in found.of(VIDEO_PID)] == [expected_picture(frame) for frame in frames]


def test_V4_malformed_frames_are_left_out_and_counted() -> None:
    muxer = TsMuxer()
    bad = frame_of(VIDEO, 40, b"\x27\x01\0\0\0\0\0\0\x09abc")
    long = sound(60, 9000)
    huge = frame_of(AUDIO, 80, b"\x2f" + _MPEG_1 + bytes(70_000))
    found = mux(AVC_HEADER, AAC_HEADER, picture(0, key=True), bad, long, picture(80), huge, muxer=muxer)
    assert len(found.of(VIDEO_PID)) == 2 and not found.of(AUDIO_PID) and muxer.dropped_count == 3


def test_V4_malformed_headers_leave_the_one_before_in_force() -> None:
    muxer = TsMuxer()
    cut = frame_of(VIDEO, 40, b"\x17\x00\0\0\0" + AVC_SMALL[:9])
    no_rate = frame_of(AUDIO, 40, b"\xaf\x00\xff")
    found = mux(AVC_HEADER, AAC_HEADER, cut, no_rate, picture(40, key=True), sound(40), muxer=muxer)
    assert len(found.found) == 2 and muxer.bad_header_count == 2 and muxer.dropped_count == 0


def test_V1_frames_without_a_header_are_left_out() -> None:
    muxer = TsMuxer()
    assert muxer.encode(picture(0, key=True)) == muxer.encode(sound(0)) == b""
    assert muxer.dropped_count == 2 and muxer.tables() == b"" and muxer.flush() == b""


def test_V3_bodies_without_media() -> None:
    muxer = TsMuxer()
    for body in (b"", b"\x17", b"\x17\x01\0\0\0", b"\x17\x02\0\0\0", b"\x57\x00", b"\x17\x01\0\0\0\0\0\0\0"):
        assert muxer.encode(Frame(VIDEO, 0, body)) == b""
    for body in (b"", b"\xaf", b"\xaf\x01"):
        assert muxer.encode(Frame(AUDIO, 0, body)) == b""
    muxer.encode(AVC_HEADER)
    assert muxer.encode(frame_of(VIDEO, 0, b"\x17\x01\0\0\0\0\0\0\0")) == b"", "no unit in it"


def test_V2_codec_and_parameters_change_in_mid_stream() -> None:
    other = frame_of(VIDEO, 0, b"\x17\x00\0\0\0" + AVC_SMALL.replace(SPS, b"\x67new"))
    hevc = frame_of(VIDEO, 0, b"\x90hvc1" + HEVC_MAIN)
    key = frame_of(VIDEO, 120, b"\x91hvc1\0\0\0" + by_length(b"\x26\x01idr"))
    old_hevc = frame_of(VIDEO, 160, b"\x2c\x01\0\0\0" + by_length(b"\x02\x01trail"))
    mp3 = frame_of(AUDIO, 130, b"\x2f" + _MPEG_1 + bytes(100))
    muxer = TsMuxer()
    demuxer = TsDemuxer()
    seen = []
    for frame in (
        *(AVC_HEADER, AAC_HEADER, picture(0, key=True), sound(0), other, picture(40), picture(80, key=True)),
        *(hevc, picture(100), key, mp3, old_hevc, AVC_HEADER, picture(200, key=True), sound(210)),
    ):
        demuxer.receive_data(muxer.encode(frame))
        seen.append([kind for kind, _ in demuxer.streams.values()])
    demuxer.close()
    assert [kinds for kinds, before in zip(seen, [[], *seen], strict=False) if kinds != before] == [
        *([0x1B, 0x0F], [0x24, 0x0F], [0x24, 0x03], [0x1B, 0x03], [0x1B, 0x0F]),
    ]
    assert demuxer.versions == [0, 1, 2, 3, 4] and muxer.dropped_count == 0
    units = [pes.data for pes in demuxer.of(VIDEO_PID)]
    assert b"\x67new" in units[2] and b"\x67new" not in units[0] + units[1]
    assert units[4].endswith(b"\x26\x01idr") and SPS in units[6]


def test_V2_a_codec_without_a_place_ends_its_track_only() -> None:
    muxer = TsMuxer()
    speex = frame_of(AUDIO, 20, b"\xb6speex")
    eld = frame_of(AUDIO, 60, b"\xaf\x00\xf8\xe6\x20\0\0")
    vp9 = frame_of(VIDEO, 80, b"\xa1vp09frame")
    frames = (AVC_HEADER, AAC_HEADER, picture(0, key=True), sound(10), speex, picture(40), eld, sound(70), vp9)
    found = mux(*frames, picture(120, key=True), muxer=muxer)
    assert muxer.unsupported == {"Speex", "AAC-ELD", "vp09"} and muxer.dropped_count == 3
    assert (len(found.of(VIDEO_PID)), len(found.of(AUDIO_PID))) == (3, 1)
    assert found.streams == {VIDEO_PID: (0x1B, b"")}


def test_V8_invented_codecs_are_counted_and_few_are_named() -> None:
    muxer = TsMuxer()
    for number in range(1000):
        assert muxer.encode(frame_of(VIDEO, 0, b"\xa1x%03dframe" % number)) == b""
    assert muxer.dropped_count == 1000 and 0 < len(muxer.unsupported) <= 16


def test_V7_second_track_that_appears_later_gets_new_tables() -> None:
    muxer = TsMuxer()
    frames = [AAC_HEADER, *[sound(n * 23) for n in range(10)], AVC_HEADER, picture(240, key=True), sound(250)]
    found = mux(*frames, muxer=muxer)
    assert found.versions == [0, 1] and found.pcr_pid == VIDEO_PID and len(found.of(AUDIO_PID)) == 11


def test_V11_header_that_is_repeated_changes_nothing() -> None:
    frames = broadcast(2000)
    repeated = [one for frame in frames[2:] for one in (AVC_HEADER, AAC_HEADER, frame)]
    assert mux(*repeated).found == mux(*frames).found


def test_headers_in_force_before_the_first_frame() -> None:
    muxer = TsMuxer()
    for header in (AVC_HEADER, AAC_HEADER, Frame(18, 0, b"\x02\x00\x0aonMetaData")):
        muxer.set_header(header)
    found = mux(sound(0), picture(10, key=True), muxer=muxer)
    assert found.versions == [0] and len(found.streams) == 2


def test_tables_for_a_player_that_begins_between_two_of_them() -> None:
    muxer = TsMuxer()
    for frame in broadcast(1000):
        muxer.encode(frame)
    tables = muxer.tables()
    assert len(tables) == 376 and tables == muxer.tables()
    rest = b"".join(muxer.encode(frame) for frame in broadcast(40, start_ms=1000, gop=100)[2:])
    found = demux(tables + rest)
    assert len(found.streams) == 2 and found.of(VIDEO_PID)


def test_tables_for_one_player_do_not_take_those_of_the_others_away() -> None:
    muxer = TsMuxer()
    before = b"".join(muxer.encode(frame) for frame in (AAC_HEADER, sound(0), AVC_HEADER))
    assert muxer.tables()
    found = demux(before + muxer.encode(sound(20)))
    assert found.versions == [0, 1] and len(found.streams) == 2


def test_other_tracks_of_a_multitrack_stream_are_left_out() -> None:
    key = picture(0, key=True)
    found = mux(AVC_HEADER, key, *in_other_tracks(key, 40)).of(VIDEO_PID)
    assert [pes.data for pes in found] == [expected_picture(key)] * 2


def test_av1_and_opus() -> None:
    frames = [
        frame_of(VIDEO, 0, b"\x90av01" + AV1_MAIN),
        frame_of(AUDIO, 0, b"\x90Opus" + OPUS_STEREO),
        frame_of(VIDEO, 0, b"\x91av01\x32\x03\0\0\1"),
        frame_of(AUDIO, 0, b"\x91Opus" + bytes(300)),
        frame_of(VIDEO, 40, b"\xa1av01\x32\x03abc"),
    ]
    found = mux(*frames, muxer=TsMuxer(audio_hold_ms=500))
    assert [kind for kind, _ in found.streams.values()] == [0x06, 0x06]
    first, second = found.of(VIDEO_PID)
    assert (first.stream_id, first.is_random_access, second.is_random_access) == (0xBD, True, False)
    assert first.data == b"\0\0\1" + AV1_MAIN[4:].replace(b"\0\0\0\2", b"\0\0\3\0\2") + (b"\0\0\1\x32\x03\0\0\3\1")
    (packet,) = found.of(AUDIO_PID)
    assert packet.stream_id == 0xBD and packet.data == b"\x7f\xe0\xff\x2d" + bytes(300), "its length varies: not held"


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([0, 60, 200]), st.sampled_from([0, 700]))
def test_any_order_of_frames(seed: int, hold_ms: int, lead_ms: int) -> None:
    """Times that jitter, offsets of both signs, all sizes: counters go on, clocks rise, payloads are whole."""
    chance = random.Random(seed)
    frames, at_ms = [AVC_HEADER, AAC_HEADER], 0
    for _ in range(60):
        at_ms = max(0, at_ms + chance.randint(-3, 60))
        if chance.random() < 0.5:
            offset = chance.choice([0, 0, 40, 80, -40, -20])
            frames.append(
                picture(at_ms, chance.choice([1, 140, 170, 180, 2000]), key=chance.random() < 0.2, offset_ms=offset)
            )
        else:
            frames.append(sound(at_ms, chance.choice([1, 160, 165, 170, 180, 700])))
    found = mux(*frames, muxer=TsMuxer(audio_hold_ms=hold_ms, pcr_lead_ms=lead_ms))
    pictures = [frame for frame in frames[2:] if frame.type_id == VIDEO]
    assert [pes.data for pes in found.of(VIDEO_PID)] == [expected_picture(frame) for frame in pictures]
    raw = [frame.payload[2:] for frame in frames[2:] if frame.type_id == AUDIO]
    assert [one for pes in found.of(AUDIO_PID) for one in aac_frames(pes.data)] == raw
    times = [pes.dts for pes in found.of(VIDEO_PID)]
    signed = [time - WRAP if time > WRAP // 2 else time for time in times]
    assert all(a < b for a, b in pairwise(signed))
    assert all((pes.pts - pes.dts) % WRAP < WRAP // 2 for pes in found.found)
    values = [value - WRAP if value > WRAP // 2 else value for _, _, value in found.clocks]
    assert all(a < b for a, b in pairwise(values))
    if lead_ms:
        starts = {pes.at_packet: pes.dts for pes in found.of(VIDEO_PID)}
        for (at, _, _), clock in zip(found.clocks, values, strict=True):
            assert clock <= min((dts for packet, dts in starts.items() if packet >= at), default=clock)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([AUDIO, VIDEO, 18]), st.binary(max_size=40)), max_size=12), st.booleans())
def test_V8_any_bodies_give_whole_packets(bodies: list[tuple[int, bytes]], has_headers: bool) -> None:
    muxer = TsMuxer()
    frames = [AVC_HEADER, AAC_HEADER] if has_headers else []
    frames += [
        frame_of(type_id, n * 20, body) if body else Frame(type_id, n, b"") for n, (type_id, body) in enumerate(bodies)
    ]
    mux(*frames, muxer=muxer)


def test_counters_are_those_of_the_next_packets() -> None:
    muxer = TsMuxer()
    assert muxer.counters() == {0: 0, 0x1001: 0}
    pieces = [muxer.encode(frame) for frame in broadcast(2000)]
    assert set(muxer.counters()) == {0, 0x1001, VIDEO_PID, AUDIO_PID}
    jump, later = announce_jump(b"", muxer.counters()), [muxer.encode(frame) for frame in broadcast(400, start_ms=2000)]
    assert demux(b"".join(pieces[:20]) + jump + b"".join(later)).of(AUDIO_PID)


def test_a_segment_tells_on_each_pid_that_counters_jump() -> None:
    """Once, with the first packet, whether that one has payload or not; the next ones count from 0."""
    muxer = TsMuxer(is_segment=True)
    data = b"".join(muxer.encode(frame) for frame in broadcast(1000)) + muxer.flush()
    flags: dict[int, list[bool]] = {}
    for start in range(0, len(data), 188):
        packet = data[start : start + 188]
        says = bool(packet[3] & 0x20 and packet[4] and packet[5] & 0x80)
        flags.setdefault(int.from_bytes(packet[1:3], "big") & 0x1FFF, []).append(says)
        if packet[3] & 0x10 and sum(map(len, flags.values())) <= 3:
            assert packet[3] & 15 == 0
    assert set(flags) == {0, 0x1001, VIDEO_PID, AUDIO_PID}
    assert all(first and not any(others) for first, *others in flags.values())
    plain = TsMuxer()
    assert mux(*broadcast(1000)).found == demux(data).found and plain.counters() == {0: 0, 0x1001: 0}


def test_times_are_by_the_clock_of_the_sequence() -> None:
    frames = broadcast(1000, start_ms=5000)
    shifted, plain = mux(*frames, muxer=TsMuxer(shift_ms=5000)), mux(*broadcast(1000))
    assert [(pes.pts, pes.dts) for pes in shifted.of(VIDEO_PID)] == [(pes.pts, pes.dts) for pes in plain.of(VIDEO_PID)]
    assert shifted.clocks[0][2] == plain.clocks[0][2] == 0


def test_the_first_tables_name_what_is_to_come_without_a_header() -> None:
    mp3 = frame_of(AUDIO, 10, b"\x2f" + _MPEG_1 + bytes(100))
    muxer = TsMuxer()
    muxer.set_header(AVC_HEADER)
    for frame in (mp3, mp3, picture(0, key=True), sound(0)):
        muxer.expect(frame)
    found = mux(picture(0, key=True), mp3, muxer=muxer)
    assert found.versions == [0] and found.streams[AUDIO_PID][0] == 0x03 and muxer.dropped_count == 0


def test_what_needs_a_header_is_not_named_before_it() -> None:
    muxer = TsMuxer()
    for frame in (picture(0, key=True), sound(0), frame_of(AUDIO, 0, b"\x2f"), frame_of(VIDEO, 0, b"\xa1vp09x")):
        muxer.expect(frame)
    assert muxer.tables() == b""


def test_tables_go_before_the_next_frame_where_somebody_may_begin() -> None:
    muxer, demuxer = TsMuxer(), TsDemuxer()
    frames = broadcast(400, gop=100)
    for number, frame in enumerate(frames):
        if number in (10, 15):
            muxer.repeat_tables()
        data = muxer.encode(frame)
        demuxer.receive_data(data)
        if number in (10, 15):
            assert data[1:3] == b"\x40\x00" and data[189:191] == b"\x50\x01"
    demuxer.close()
    assert len(demuxer.tables_at) == 3 and demuxer.versions == [0]


@pytest.mark.parametrize("hold_ms", [0, 150])
@pytest.mark.parametrize("seed", range(20))
def test_frames_that_come_together_give_what_they_give_one_by_one(hold_ms: int, seed: int) -> None:
    chance = random.Random(seed)
    odd = [b"\xaf\x00\x12\x10", b"\xaf\x01", b"\xaf", b"\x2f\xff\xfb\x90\x64" + bytes(100), b"\xaf\x01" + bytes(9000)]
    frames: list[Frame] = [frame for frame in broadcast(3000) if chance.random() < 0.95]
    for _ in range(5):
        at = chance.randrange(len(frames))
        frames.insert(at, Frame(AUDIO, frames[at].dts_ms + chance.randint(-100, 100), chance.choice(odd)))
    one_by_one, together = (TsMuxer(audio_hold_ms=hold_ms, is_segment=True) for _ in range(2))
    for muxer in (one_by_one, together):
        for header in (AVC_HEADER, AAC_HEADER):
            muxer.set_header(header)
    expected = b"".join([one_by_one.encode(frame) for frame in frames]) + one_by_one.flush()
    found, at = b"", 0
    while at < len(frames):
        count = chance.choice([1, 5, 100])
        found += together.encode_run(frames[at : at + count])
        at += count
    assert found + together.flush() == expected
    assert together.dropped_count == one_by_one.dropped_count
