"""media-server's scheme: where it cuts, what it lists, and that playlists follow each other as far as they can."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edge.hls.config import HlsConfig
from edge.hls.two_level import TwoLevelSegmenter
from edge.media.frame import AUDIO, TRACK_BIT, VIDEO
from edge.media.mpegts import AUDIO_PID, VIDEO_PID
from tests.harness.m3u8 import Media, check_follow, parse_media
from tests.harness.ts_demux import demux
from tests.hls.feeding import AVC_OTHER_BODY, BOTH, URIS, WALL_MS, Origin

CONFIG = HlsConfig(ts_duration_ms=1000)


class TwoLevel:
    """A segmenter whose playlists are judged at each change."""

    def __init__(
        self,
        origin: Origin,
        config: HlsConfig = CONFIG,
        *,
        at_keyframes: bool = False,
        tracks: int = BOTH,
        max_bytes: int = 10**9,
    ) -> None:
        self.media: Media | None = None
        self.written = 0
        self.config = config
        self.segmenter: TwoLevelSegmenter | None = None
        self.segmenter = TwoLevelSegmenter(
            origin.stream, tracks, config, "0123abcd", self.see, at_keyframes=at_keyframes, max_bytes=max_bytes
        )
        self.see()

    @property
    def it(self) -> TwoLevelSegmenter:
        assert self.segmenter is not None
        return self.segmenter

    def see(self) -> None:
        it = self.segmenter
        if it is None or not it.has_begun:
            return
        media = parse_media(it.playlist(URIS))
        assert media.comments == (f"#WRITE-SEQUENCE:{it.newest}",)
        ahead = 0 if it.is_ended else self.config.ts_pre_generated
        assert media.next_sequence == it.newest + 1 + ahead
        complete = sum(each.is_complete for each in it.segments)
        if self.media is not None:
            assert media.target_s >= self.media.target_s
            check_follow(made(self.media, self.written, media.target_s), made(media, self.written))
        self.media, self.written = media, it.segments[0].number + complete

    @property
    def begins_ms(self) -> list[int]:
        first = self.it.segments[0].begin_ms
        return [each.begin_ms - first for each in self.it.segments]


def made(media: Media, before: int, target_s: int = 0) -> Media:
    """Only segments before number ``before``: of others the playlist could not know how long they would be."""
    count = max(before - media.media_sequence, 0)
    return replace(media, segments=media.segments[:count], target_s=target_s or media.target_s, is_ended=False)


def pictures(origin: Origin, until_ms: int, group_ms: int, step_ms: int = 40) -> None:
    for ms in range(0, until_ms, step_ms):
        origin.picture(ms, is_keyframe=ms % group_ms == 0)


@pytest.mark.parametrize(
    ("what", "group_ms", "at_keyframes", "begins_ms"),
    [
        ("groups of the length of a segment", 1000, False, [0, 1000, 2000, 3000, 4000]),
        ("short groups", 400, False, [0, 800, 1600, 2400, 3200, 4000]),
        ("groups that do not fit", 760, False, [0, 760, 1520, 2280, 3040, 3800]),
        ("long groups", 3000, False, [0, 1000, 2000, 3000, 4000]),
        ("long groups, for players that must find a keyframe", 3000, True, [0, 3000]),
        ("short groups, for such players", 400, True, [0, 800, 1600, 2400, 3200, 4000]),
    ],
)
def test_cuts(what: str, group_ms: int, at_keyframes: bool, begins_ms: list[int]) -> None:
    origin = Origin()
    two = TwoLevel(origin, at_keyframes=at_keyframes)
    origin.headers(aac=b"")
    pictures(origin, 4500, group_ms)
    assert two.begins_ms == begins_ms, what
    if at_keyframes:
        assert all(each.is_independent for each in two.it.segments)


def test_for_players_that_must_find_a_keyframe_segments_end_some_time() -> None:
    origin = Origin()
    two = TwoLevel(origin, at_keyframes=True)
    origin.headers(aac=b"")
    pictures(origin, 21_000, 10**9)
    assert two.begins_ms == [0, 10_000, 20_000]


@pytest.mark.parametrize("at_keyframes", [False, True])
def test_sound_alone_is_cut_on_time(at_keyframes: bool) -> None:
    """media-server never cut it for players on libavformat."""
    origin = Origin()
    two = TwoLevel(origin, at_keyframes=at_keyframes)
    origin.headers(avc=b"")
    for ms in range(0, 4500, 20):
        origin.sound(ms)
    assert two.begins_ms == [0, 1000, 2000, 3000, 4000]


def test_a_keyframe_ends_a_segment_that_began_without_one() -> None:
    origin = Origin()
    two = TwoLevel(origin)
    origin.headers()
    origin.picture(0, is_keyframe=True)
    for ms in range(20, 1200, 20):
        origin.sound(ms)
    origin.picture(1200, is_keyframe=True)
    assert two.begins_ms == [0, 1000, 1200]


def test_a_segment_ends_at_a_size() -> None:
    origin = Origin()
    two = TwoLevel(origin, max_bytes=5000)
    origin.headers(aac=b"")
    for ms in range(0, 800, 40):
        origin.picture(ms, is_keyframe=not ms, size=1000)
    assert all(each.size < 8000 for each in two.it.segments) and len(two.it.segments) >= 3


@pytest.mark.parametrize("at_keyframes", [False, True])
def test_bytes_go_on_from_segment_to_segment(at_keyframes: bool) -> None:
    """Each begins with tables; the whole is one stream whose counters go on."""
    origin = Origin()
    two = TwoLevel(origin, at_keyframes=at_keyframes)
    origin.headers()
    origin.run(0, 6000)
    pieces = [b"".join(each.pieces) for each in two.it.segments]
    assert all(each[1:3] == b"\x40\x00" and each[189:191] == b"\x50\x01" for each in pieces)
    assert [each.size for each in two.it.segments] == [len(each) for each in pieces]
    assert two.it.size_bytes == sum(map(len, pieces))
    found = demux(b"".join(pieces))
    assert len(found.of(VIDEO_PID)) == 150 and len(found.of(AUDIO_PID)) >= 250


def test_what_is_listed() -> None:
    origin = Origin()
    two = TwoLevel(origin, HlsConfig(ts_duration_ms=1042, ts_max_stored=8))
    origin.headers(aac=b"")
    pictures(origin, 20_000, 1000)
    media = two.media
    assert media is not None and media.version == 3 and media.target_s == 2
    assert [each.duration_s for each in media.segments] == [1.0] * 4 + [1.042] * 4
    assert media.segments[4].uri == f"cam.0123abcd.seq{two.it.newest}.ts"
    assert len(two.it.segments) == 8 and two.it.find(two.it.newest - 7) is two.it.segments[0]
    assert two.it.find(two.it.newest - 8) is None and two.it.find(two.it.newest + 1) is None
    assert [two.it.is_ahead(two.it.newest + each) for each in (0, 1, 3, 4, 5)] == [False, True, True, True, False]


def test_the_target_does_not_fall_when_a_long_segment_has_gone() -> None:
    origin = Origin()
    two = TwoLevel(origin, HlsConfig(ts_duration_ms=1000, ts_max_stored=8), at_keyframes=True)
    origin.headers(aac=b"")
    for ms in range(0, 20_000, 40):
        origin.picture(ms, is_keyframe=ms == 0 or (ms >= 5000 and ms % 1000 == 0))
    assert two.media is not None and two.media.target_s == 5


def test_a_publisher_comes_after_another_while_the_window_slides() -> None:
    origin = Origin()
    two = TwoLevel(origin, HlsConfig(ts_duration_ms=1000, ts_max_stored=8))
    for number in range(6):
        if number:
            origin.begin(f"p{number}", WALL_MS + number * 10_000)
        origin.headers(*([] if number % 2 else [AVC_OTHER_BODY]))
        origin.run(0, 3000)
    assert two.media is not None
    shown = sum(each.is_discontinuity for each in two.media.segments)
    assert two.media.discontinuity_sequence + shown == 5 and shown
    for each in two.it.segments:
        assert demux(b"".join(each.pieces)).of(VIDEO_PID)
        first = b"".join(each.pieces)[:6]
        assert (first[3] & 0x20 and first[5] & 0x80 == 0x80) == each.is_discontinuity


def test_the_end() -> None:
    origin = Origin()
    two = TwoLevel(origin)
    origin.headers(aac=b"")
    pictures(origin, 2500, 1000)
    origin.stream.announce_unpublished("")
    assert two.media is not None and not two.media.is_ended and two.it.segments[-1].duration_ms == 520
    origin.stream.end("")
    origin.stream.end("")
    assert two.media.is_ended and [each.duration_s for each in two.media.segments] == [1.0, 1.0, 0.52]
    assert not two.it.is_ahead(two.it.newest + 1)
    late = TwoLevel(origin)
    assert late.it.is_ended
    late.it.close()
    late.it.close()


def test_one_medium() -> None:
    origin = Origin()
    two = TwoLevel(origin, tracks=TRACK_BIT[AUDIO])
    assert not two.it.has_begun and two.it.newest == 0 and two.it.find(1) is None
    origin.headers()
    origin.run(0, 3500)
    found = demux(b"".join(b"".join(each.pieces) for each in two.it.segments))
    assert not found.of(VIDEO_PID) and found.of(AUDIO_PID) and len(two.it.segments) == 4
    assert TRACK_BIT[VIDEO] == 2


@settings(deadline=None, max_examples=40, derandomize=True, phases=[Phase.generate])
@given(
    steps=st.lists(st.tuples(st.sampled_from("kppppaaaaan"), st.integers(0, 400)), min_size=20, max_size=120),
    at_keyframes=st.booleans(),
    stored=st.integers(5, 12),
)
def test_any_frames_make_playlists_that_follow_each_other(
    steps: list[tuple[str, int]], at_keyframes: bool, stored: int
) -> None:
    origin = Origin()
    two = TwoLevel(origin, HlsConfig(ts_duration_ms=500, ts_max_stored=stored), at_keyframes=at_keyframes)
    origin.headers()
    ms = begun_ms = 0
    for number, (what, passed_ms) in enumerate(steps):
        ms += passed_ms
        if what == "n":
            begun_ms = ms
            origin.stream.announce_unpublished("")
            origin.begin(f"e{number}", WALL_MS + ms)
            origin.headers()
        elif what == "a":
            origin.sound(ms - begun_ms)
        else:
            origin.picture(ms - begun_ms, is_keyframe=what == "k")
    assert len(two.it.segments) <= stored
    origin.stream.end("")
