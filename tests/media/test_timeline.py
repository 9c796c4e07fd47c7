"""The stream's clock under what publishers do to their timestamps."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.media.frame import AUDIO, VIDEO
from edge.media.timeline import Timeline, signed_difference

HOUR = 3_600_000
WRAP = 1 << 32


class Feed:
    """Maps frames that arrive when they are due, unless told otherwise."""

    def __init__(self, timeline: Timeline | None = None) -> None:
        self.timeline = timeline or Timeline()
        self.now_ms = 5000
        self.out: dict[int, list[int]] = {AUDIO: [], VIDEO: []}

    def frame(self, type_id: int, wire_ms: int) -> int:
        dts_ms = self.timeline.map(type_id, wire_ms % WRAP, self.now_ms)
        self.out[type_id].append(dts_ms)
        return dts_ms

    def pair(self, video_ms: int, audio_ms: int | None = None) -> tuple[int, int]:
        """A picture and the sound with it, 40 ms after the last ones."""
        self.now_ms += 40
        return self.frame(VIDEO, video_ms), self.frame(AUDIO, video_ms if audio_ms is None else audio_ms)

    def run(self, times: Iterable[int], audio_shift_ms: int = 0) -> None:
        for at_ms in times:
            self.pair(at_ms, at_ms + audio_shift_ms)

    def check(self, *, in_sync_ms: int = 0) -> None:
        """Neither track goes back, and the two stay together."""
        for track in self.out.values():
            assert track == sorted(track)
        assert abs(self.out[VIDEO][-1] - self.out[AUDIO][-1]) <= in_sync_ms


@pytest.mark.parametrize(
    ("newer", "older", "wanted"),
    [(5, 3, 2), (3, 5, -2), (2, WRAP - 3, 5), (WRAP - 3, 2, -5), (2**31 - 1, 0, 2**31 - 1), (2**31, 0, -(2**31))],
)
def test_signed_difference(newer: int, older: int, wanted: int) -> None:
    assert signed_difference(newer, older) == wanted


def test_clock_begins_at_0_wherever_the_publisher_does() -> None:
    feed = Feed()
    feed.run(range(7_123_456, 7_123_456 + 400, 40))
    assert feed.out[VIDEO] == feed.out[AUDIO] == list(range(0, 400, 40))
    assert feed.timeline.original_shift_ms == -7_123_456


@pytest.mark.parametrize("limit", [1 << 24, 1 << 31, 1 << 32], ids=["24 bits", "31 bits", "32 bits"])
def test_C13_limits_of_the_wire_are_not_seen(limit: int) -> None:
    feed = Feed()
    feed.run(range(limit - 2000, limit + 2000, 40))
    assert feed.out[VIDEO] == list(range(0, 4000, 40))
    assert feed.timeline.jump_count == 0


def test_C13_backwards_by_1_ms_is_a_late_frame() -> None:
    feed = Feed()
    feed.run([0, 40, 80, 79, 120, 160])
    assert feed.out[VIDEO] == [0, 40, 80, 80, 120, 160]
    assert feed.timeline.jump_count == 0


@pytest.mark.parametrize("step_ms", [-HOUR, HOUR, -5 * HOUR, 12_000])
def test_C13_a_jump_of_both_tracks_becomes_a_frame_interval(step_ms: int) -> None:
    feed = Feed()
    feed.run(range(6 * HOUR, 6 * HOUR + 2000, 40))
    feed.run(range(6 * HOUR + 2000 + step_ms, 6 * HOUR + 4000 + step_ms, 40))
    feed.check()
    assert feed.out[VIDEO] == list(range(0, 4000, 40))
    assert feed.timeline.jump_count == 1


def test_C13_backwards_an_hour_and_forward_again() -> None:
    feed = Feed()
    feed.run(range(2 * HOUR, 2 * HOUR + 1000, 40))
    feed.run(range(HOUR, HOUR + 1000, 40))
    feed.run(range(2 * HOUR + 2000, 2 * HOUR + 3000, 40))
    feed.check()
    assert feed.out[VIDEO][-1] < 4000


def test_C13_jump_of_one_track_alone_keeps_the_two_together() -> None:
    feed = Feed()
    feed.run(range(0, 1000, 40))
    feed.run(range(1000, 3000, 40), audio_shift_ms=HOUR)
    feed.check(in_sync_ms=80)
    assert feed.out[VIDEO][-1] == 2960


def test_C13_bases_hours_apart() -> None:
    feed = Feed()
    feed.run(range(3 * HOUR, 3 * HOUR + 4000, 40), audio_shift_ms=-3 * HOUR)
    feed.check(in_sync_ms=40)
    assert feed.out[VIDEO] == list(range(0, 4000, 40))
    assert feed.out[AUDIO] == list(range(0, 4000, 40))


def test_C13_no_progress_for_100_000_frames() -> None:
    feed = Feed()
    feed.run([7] * 50_000)
    assert set(feed.out[VIDEO]) == set(feed.out[AUDIO]) == {0}


def test_sound_that_begins_60_s_later_is_in_sync() -> None:
    feed = Feed()
    for at_ms in range(0, 60_000, 40):
        feed.now_ms += 40
        feed.frame(VIDEO, at_ms)
    feed.run(range(60_000, 61_000, 40), audio_shift_ms=13)
    assert feed.out[AUDIO][0] == 60_013
    feed.check(in_sync_ms=13)


def test_sound_that_begins_60_s_later_from_0_is_put_beside_the_picture() -> None:
    feed = Feed()
    for at_ms in range(0, 60_000, 40):
        feed.now_ms += 40
        feed.frame(VIDEO, at_ms)
    feed.run(range(60_000, 61_000, 40), audio_shift_ms=-60_000)
    feed.check(in_sync_ms=80)


def test_track_that_was_silent_for_a_while_returns_in_sync() -> None:
    feed = Feed()
    feed.run(range(0, 1000, 40))
    for at_ms in range(1000, 31_000, 40):
        feed.now_ms += 40
        feed.frame(VIDEO, at_ms)
    feed.run(range(31_000, 32_000, 40))
    feed.check()
    assert feed.timeline.jump_count == 0


def test_real_silence_of_the_publisher_is_kept() -> None:
    feed = Feed()
    feed.run(range(0, 1000, 40))
    feed.now_ms += 60_000
    feed.run(range(61_000, 62_000, 40))
    feed.check()
    assert feed.out[VIDEO][-1] == 61_960
    assert feed.timeline.jump_count == 0


def test_step_within_the_jitter_is_taken_as_it_is() -> None:
    feed = Feed()
    feed.run([0, 40, 5040, 5080])
    assert feed.out[VIDEO] == [0, 40, 5040, 5080]


def test_new_publisher_follows_by_a_frame_interval() -> None:
    feed = Feed()
    assert feed.timeline.next_position() == 0
    assert feed.timeline.newest_position() == 0
    feed.run(range(0, 1000, 40))
    assert feed.timeline.newest_position() == 960
    feed.timeline.restart()
    assert feed.timeline.original_shift_ms == 0
    assert feed.pair(9_999_999) == (1000, 1000)


def test_publisher_that_goes_on_where_the_last_was() -> None:
    feed = Feed()
    feed.run(range(0, 1000, 40))
    feed.timeline.restart(shift_ms=500)
    assert feed.pair(540) == (1040, 1040)
    assert feed.pair(580) == (1080, 1080)


STEPS = st.lists(
    st.tuples(
        st.sampled_from([AUDIO, VIDEO]),
        st.one_of(st.integers(0, 100), st.integers(-300, 6000), st.integers(-(2**32), 2**32)),
        st.sampled_from([0, 40, 10_000]),
        st.booleans(),
    ),
    max_size=80,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps=STEPS, begin=st.integers(0, WRAP - 1))
def test_any_timestamps_give_tracks_that_never_go_back(steps, begin: int) -> None:
    feed, wire_ms = Feed(), begin
    for type_id, step_ms, pass_ms, is_restart in steps:
        if is_restart and step_ms % 7 == 0:
            feed.timeline.restart()
        wire_ms = (wire_ms + step_ms) % WRAP
        feed.now_ms += pass_ms
        before = feed.timeline.last_dts_ms
        dts_ms = feed.frame(type_id, wire_ms)
        assert dts_ms >= 0
        assert feed.timeline.last_dts_ms == max(before, dts_ms)
        assert dts_ms - max(before, 0) <= max(5000, 40, 2 * pass_ms)
    for track in feed.out.values():
        assert track == sorted(track)


# --- data messages ------------------------------------------------------------


def test_data_keeps_its_own_time_beside_sparse_pictures() -> None:
    feed = Feed()
    for n in range(10):
        feed.frame(VIDEO, 7_000_000 + n * 1000)
        assert feed.timeline.map_data(7_000_000 + n * 1000 + 600, feed.now_ms) == n * 1000 + 600
    assert feed.timeline.last_dts_ms == 9000, "data does not move the pictures"


@pytest.mark.parametrize("each_ms", [8000, 60_000])
def test_data_goes_on_by_its_own_clock_between_pictures_far_apart(each_ms: int) -> None:
    feed = Feed()
    for n in range(4):
        feed.frame(VIDEO, n * each_ms)
        for at_ms in range(500, each_ms, 500):
            feed.now_ms += 500
            assert feed.timeline.map_data(n * each_ms + at_ms, feed.now_ms) == n * each_ms + at_ms
        feed.now_ms += 500
    assert feed.timeline.jump_count == 0


@pytest.mark.parametrize("begin", [0, 5000, WRAP - 3000])
def test_stream_of_data_alone_goes_by_its_stamps(begin: int) -> None:
    timeline = Timeline()
    out = [timeline.map_data((begin + n * 500) % WRAP, 5000 + n) for n in range(20)]
    assert out == list(range(0, 10_000, 500))
    assert timeline.last_dts_ms == out[-1]
    assert timeline.original_shift_ms == -begin
    timeline.restart()
    assert timeline.map_data(77, 6000) == out[-1] + 40


def test_sound_and_picture_that_come_after_data_go_on_where_it_is() -> None:
    timeline = Timeline()
    for n in range(41):
        timeline.map_data(9000 + n * 500, 5000 + n * 500)
    assert timeline.map(VIDEO, 29_040, 25_040) == 20_000
    assert timeline.map(AUDIO, 29_060, 25_060) == 20_020
    assert timeline.map_data(29_500, 25_500) == 20_460


def test_jumps_of_data_alone_are_mended_and_silence_is_kept() -> None:
    timeline = Timeline()
    assert [timeline.map_data(ms, 5000) for ms in (10_000, 10_500, HOUR, HOUR + 500)] == [0, 500, 540, 1040]
    assert timeline.map_data(HOUR + 60_500, 65_000) == 61_040
    assert timeline.map_data(0, 65_100) == 61_040, "no stamp"
    assert timeline.map_data(HOUR + 61_000, 65_500) == 61_540
    assert [timeline.map_data(ms, 66_000) for ms in (5000, 5500)] == [61_580, 62_080]


DATA_STAMPS = {
    "always 0": lambda n: 0,
    "always the same": lambda n: 4_000_000,
    "a clock of its own": lambda n: 123_456 + n * 40,
    "double speed": lambda n: 1_000_000 + n * 80,
    "half speed": lambda n: 1_000_000 + n * 20,
    "jumping": lambda n: (n * 7_777_777) % WRAP,
    "backwards": lambda n: (1_000_000 - n * 40) % WRAP,
}


@pytest.mark.parametrize("stamps", DATA_STAMPS.values(), ids=DATA_STAMPS.keys())
@pytest.mark.parametrize("is_first", [True, False], ids=["data first", "media first"])
def test_odd_stamps_of_data_move_neither_sound_nor_picture_and_never_go_back(stamps, is_first: bool) -> None:
    odd, plain = Feed(), Feed()
    out: list[int] = []
    for n in range(1000):
        for feed in (odd, plain):
            feed.now_ms += 40
        if is_first:
            out.append(odd.timeline.map_data(stamps(n), odd.now_ms))
        for feed in (odd, plain):
            feed.frame(VIDEO, 1_000_000 + n * 40)
            feed.frame(AUDIO, 1_000_007 + n * 40)
        if not is_first:
            out.append(odd.timeline.map_data(stamps(n), odd.now_ms))
        assert abs(out[-1] - n * 40) <= 5080, "data stays near what it comes with"
    assert odd.out == plain.out
    assert out == sorted(out)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps=STEPS, begin=st.integers(0, WRAP - 1), stamp=st.lists(st.integers(0, WRAP - 1), min_size=1, max_size=5))
def test_any_data_leaves_sound_and_picture_where_they_are(steps, begin: int, stamp: list[int]) -> None:
    odd, plain, wire_ms, out = Feed(), Feed(), begin, [0]
    for number, (type_id, step_ms, pass_ms, _) in enumerate(steps):
        wire_ms = (wire_ms + step_ms) % WRAP
        for feed in (odd, plain):
            feed.now_ms += pass_ms
            feed.frame(type_id, wire_ms)
        out.append(odd.timeline.map_data(stamp[number % len(stamp)], odd.now_ms))
        out.append(odd.timeline.map_data((wire_ms + 300) % WRAP, odd.now_ms))
    assert odd.out == plain.out
    assert out == sorted(out)
