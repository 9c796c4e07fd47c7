"""Counters of one stream."""

from __future__ import annotations

import pytest

from edge.hub.stats import StreamStats
from edge.media.frame import AUDIO, DATA, METADATA, VIDEO, VIDEO_HEADER, Frame


def test_bytes_frames_and_rates() -> None:
    stats = StreamStats()
    assert stats.fps is None
    for second in range(3):
        for n in range(25):
            stats.count(Frame(VIDEO, 1000 * second + 40 * n, b"12345", is_keyframe=n == 0 and second != 1))
            stats.count(Frame(AUDIO, 0, b"12"))
        stats.count(Frame(DATA, 0, b"1234567"))
        stats.sample()
    assert (stats.video_frames, stats.audio_frames) == (75, 75)
    assert (stats.video_bytes, stats.audio_bytes) == (375, 150)
    assert (stats.video_bps, stats.audio_bps) == (125, 50)
    assert stats.gop == 50
    assert stats.fps == 25


def test_rates_fall_to_0_in_silence() -> None:
    stats = StreamStats()
    stats.count(Frame(VIDEO, 0, b"12345"))
    for _ in range(12):
        stats.sample()
    assert (stats.video_bps, stats.audio_bps, stats.fps) == (0, 0, 0)


class Feed:
    """Video at 25 frames per second, and samples of it."""

    def __init__(self) -> None:
        self.stats = StreamStats()
        self.dts_ms = 5000

    def send(self, count: int) -> None:
        for _ in range(count):
            self.dts_ms += 40
            self.stats.count(Frame(VIDEO, self.dts_ms, b"12345"))

    def second(self, count: int = 25) -> float | None:
        """A second in which ``count`` frames come, and the rate after it."""
        self.send(count)
        self.stats.sample()
        return self.stats.fps


def rounded(rates: list[float | None]) -> list[int | None]:
    return [None if rate is None else round(rate) for rate in rates]


@pytest.mark.parametrize("first", [0, 1, 7, 25, 95, 250], ids=lambda count: f"{count}_at_once")
def test_frames_that_an_upstream_holds_make_no_rate_of_95(first: int) -> None:
    feed = Feed()
    feed.send(first)
    assert rounded([feed.second() for _ in range(20)]) == [None, *[25] * 19]


def test_burst_on_both_sides_of_a_sample_makes_no_rate_of_95() -> None:
    feed = Feed()
    assert rounded([feed.second(), feed.second(95), feed.second(120), feed.second()]) == [None, 25, 25, 25]


def test_frames_that_come_a_little_early_or_late_do_not_shake_the_rate() -> None:
    feed = Feed()
    assert rounded([feed.second(count) for count in (25, 24, 26, 25, 24, 25)]) == [None, *[25] * 5]


def test_stall_shows_and_what_it_has_held_up_does_not_hide_it_at_once() -> None:
    feed = Feed()
    for _ in range(12):
        feed.second()
    assert rounded([feed.second(0) for _ in range(5)])[::2] == [23, 18, 13]
    assert rounded([feed.second(150)]) == [25], "all of it has come after all"
    feed = Feed()
    for _ in range(12):
        feed.second(10)
    assert rounded([feed.second(10)]) == [10], "it is always late"


def test_frames_left_out_by_the_publisher_show() -> None:
    feed = Feed()
    for _ in range(3):
        for _ in range(15):
            feed.send(1)
            feed.dts_ms += 1000 // 15 - 40
        feed.stats.sample()
    assert round(feed.stats.fps or 0) == 15


def test_clock_that_goes_back_is_no_fault_of_the_page() -> None:
    feed = Feed()
    feed.second()
    feed.dts_ms = 0
    assert rounded([feed.second()]) == [25]


def test_frames_are_those_of_one_track_where_there_are_several() -> None:
    stats = StreamStats()
    for n in range(75):
        for track in (2, 0, 1):
            frame = Frame(VIDEO, n * 40, b"12345", is_keyframe=n % 25 == 0)
            frame.track = VIDEO | track << 8
            stats.count(frame)
        if n % 25 == 24:
            stats.sample()
    assert (stats.fps, stats.gop, stats.video_bytes) == (25, 25, 75 * 3 * 5)


@pytest.mark.parametrize(
    ("factor", "drift_ms"),
    [(1.0, 0), (44.1 / 48, -4900), (0.0, -60_000), (2.0, 60_000)],
    ids=["true", "slow", "0", "2"],
)
def test_drift_of_the_clocks_is_told(factor: float, drift_ms: int) -> None:
    stats = StreamStats()
    for n in range(62 * 25):
        stats.count(Frame(VIDEO, 5000 + n * 40, b"12345"))
        stats.count(Frame(AUDIO, 5007 + int(n * 40 * factor), b"12"))
        if n % 25 == 24:
            stats.sample()
    assert abs(stats.clock_drift_ms - drift_ms) <= 30


@pytest.mark.parametrize("off", [AUDIO, VIDEO])
def test_camera_or_microphone_that_is_off_for_a_while_is_no_drift(off: int) -> None:
    stats = StreamStats()
    for n in range(120 * 25):
        for type_id in (AUDIO, VIDEO):
            if type_id != off or not 20 * 25 < n < 100 * 25:
                stats.count(Frame(type_id, n * 40, b"12345"))
        if n % 25 == 24:
            stats.sample()
            assert abs(stats.clock_drift_ms) <= 40


def test_headers_are_counted_apart_from_frames() -> None:
    stats = StreamStats()
    stats.count_header(VIDEO, 15)
    stats.count_header(AUDIO, 12)
    stats.count_header(DATA, 100)
    assert (stats.video_header_bytes, stats.audio_header_bytes) == (15, 12)
    assert (stats.video_bytes, stats.audio_bytes, stats.video_frames) == (0, 0, 0)


def test_who_was_stuck_is_kept_only_where_somebody_wants_to_know() -> None:
    stats = StreamStats()
    frames = [Frame(VIDEO, 0, b"1"), Frame(AUDIO, 0, b"1"), Frame(VIDEO, 0, b"1", VIDEO_HEADER)]
    frames += [Frame(VIDEO, 40, b"1"), Frame(DATA, 0, b"1", METADATA)]
    stats.note_stuck("10.0.0.9:5", 1, frames)
    assert stats.stuck is None
    stats.stuck = {}
    stats.note_stuck("10.0.0.9:5", 1, frames)
    stats.note_stuck("10.0.0.9:5", 1, frames[:1])
    stats.note_stuck("10.0.0.9:5", 2, frames)
    assert stats.stuck == {("10.0.0.9:5", 1): (3, 1), ("10.0.0.9:5", 2): (2, 1)}


def test_of_a_crowd_that_is_stuck_no_more_is_kept_than_anybody_reads() -> None:
    stats = StreamStats()
    stats.stuck = {}
    for number in range(1000):
        stats.note_stuck(f"10.0.0.9:{number}", 1, [Frame(VIDEO, 0, b"1")])
    assert len(stats.stuck) == 256
    stats.note_stuck("10.0.0.9:0", 1, [Frame(VIDEO, 0, b"1")])
    assert stats.stuck["10.0.0.9:0", 1] == (2, 0)


@pytest.mark.parametrize(("pace", "wanted"), [(1.0, 100), (0.5, 50), (1.2, 120)])
def test_how_fast_pictures_come_beside_their_own_clock(pace: float, wanted: int) -> None:
    stats = StreamStats()
    seen = []
    for second in range(8):
        stats.count(Frame(VIDEO, int(second * 1000 * pace), b"x"))
        stats.sample()
        seen.append(stats.pace_pct)
    assert seen == [None] * 3 + [wanted] * 5


def test_pace_of_a_stream_that_stands_still_and_of_one_without_pictures() -> None:
    stats = StreamStats()
    for _ in range(5):
        stats.count(Frame(AUDIO, 0, b"x"))
        stats.sample()
    assert stats.pace_pct is None
    stats.count(Frame(VIDEO, 0, b"x"))
    for _ in range(5):
        stats.sample()
    assert stats.pace_pct == 0
