"""What the queue keeps, where players begin, and which headers are in force."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.config import HubConfig
from edge.hub.frame_queue import FrameQueue
from edge.media.frame import AUDIO, AUDIO_HEADER, METADATA, VIDEO, Epoch, Frame, tracks_of
from tests.hub.frames import data, filled, header, inter, key, picture, settle, sound


def test_clock_of_a_track_never_goes_back() -> None:
    queue = filled(inter(100), inter(60), sound(50), inter(110))
    assert [frame.dts_ms for frame in queue.frames] == [100, 100, 50, 110]


def test_whole_group_in_progress_is_kept_however_old() -> None:
    queue = filled(key(0), *(inter(n * 40) for n in range(1, 1000)))
    settle(queue, HubConfig())
    assert queue.base == 0


def test_older_groups_go_after_the_retention() -> None:
    queue = FrameQueue()
    config = HubConfig(log_retain_ms=2000)
    for n in range(500):
        queue.push(key(n * 40) if n % 25 == 0 else inter(n * 40))
        settle(queue, config)
    oldest, newest = queue.frames[0].dts_ms, queue.frames[-1].dts_ms
    assert 2000 <= newest - oldest <= 2000 + 33 * 40
    assert queue.keyframes[0] >= queue.base
    assert queue.size_bytes == sum(len(frame.payload) for frame in queue.frames)


def test_as_many_groups_as_asked_for_are_kept() -> None:
    config = HubConfig(log_retain_ms=0, max_cached_keyframes=3)
    queue = FrameQueue()
    for n in range(1000):
        queue.push(key(n * 40) if n % 100 == 0 else inter(n * 40))
        settle(queue, config)
    assert len(queue.keyframes) == 3
    assert queue.base <= queue.keyframes[0]


def test_min_buffering_keeps_a_keyframe_of_that_age() -> None:
    config = HubConfig(log_retain_ms=0, min_buffering_ms=10_000)
    queue = FrameQueue()
    for n in range(1000):
        queue.push(key(n * 40) if n % 50 == 0 else inter(n * 40))
        settle(queue, config)
    start = queue.start_seq(config)
    assert start is not None
    assert queue[start].is_keyframe
    assert 10_000 <= queue.frames[-1].dts_ms - queue[start].dts_ms < 12_000


def test_V5_big_keyframes_go_by_whole_groups() -> None:
    config = HubConfig(gop_cache_max_bytes=1_000_000)
    queue = FrameQueue()
    for n in range(100):
        queue.push(key(n * 40, 100_000) if n % 5 == 0 else inter(n * 40))
        settle(queue, config)
        assert queue.size_bytes <= 1_100_000
    assert queue.frames[0].is_keyframe


def test_V6_one_keyframe_and_never_another_is_bounded() -> None:
    config = HubConfig(max_cached_frames=200)
    queue = filled(key(0))
    for n in range(1, 1000):
        queue.push(inter(n * 40))
        settle(queue, config)
    assert len(queue.frames) <= 200
    assert not queue.keyframes
    assert queue.start_seq(config, waited_ms=4999) is None
    assert queue.start_seq(config, waited_ms=5000) == queue.end - 1


def test_V6_all_keyframes() -> None:
    config = HubConfig(log_retain_ms=1000)
    queue = FrameQueue()
    for n in range(500):
        queue.push(key(n * 40))
        settle(queue, config)
    assert len(queue.frames) < 80
    assert queue.start_seq(config) == queue.end - 1


def test_V7_audio_only_is_bounded_and_keeps_the_least_number() -> None:
    config = HubConfig(log_retain_ms=1000, min_cached_frames_without_keyframes=128)
    queue = FrameQueue()
    for n in range(5000):
        queue.push(sound(n * 23))
        settle(queue, config)
    assert 128 <= len(queue.frames) <= 128 + 32
    assert queue.start_seq(config) == queue.end - 1


def test_sound_that_may_go_takes_no_picture_along_whose_clock_is_slow() -> None:
    config = HubConfig(log_retain_ms=2000, max_cached_keyframes=1)
    queue = filled(*(sound(ms) for ms in range(0, 2000, 20)), key(0))
    for ms in range(2000, 8000, 20):
        for frame in (inter(ms // 10), sound(ms)):
            queue.push(frame)
    queue.push(key(800))
    for ms in range(8000, 12000, 20):
        queue.push(sound(ms))
        queue.push(inter(ms // 10))
    assert queue.evictable(config) == 100, "the sound before the first picture"


def test_C13_frames_without_progress_in_time_are_bounded() -> None:
    config = HubConfig(max_cached_frames=100)
    queue = FrameQueue()
    for _ in range(1000):
        queue.push(inter(5))
        settle(queue, config)
    assert len(queue.frames) <= 100


def test_start_is_the_newest_keyframe_old_enough_else_the_oldest() -> None:
    queue = filled(key(0), inter(40), key(1000), inter(1040), key(2000), inter(2040))
    assert queue.start_seq(HubConfig()) == 4
    assert queue.start_seq(HubConfig(min_buffering_ms=41)) == 2
    assert queue.start_seq(HubConfig(min_buffering_ms=1500)) == 0
    assert queue.start_seq(HubConfig(min_buffering_ms=60_000)) == 0
    assert queue.start_seq(HubConfig(min_buffering_ms=-5)) == 4


def test_start_without_keyframes_is_the_newest_frame_old_enough_else_the_newest() -> None:
    queue = filled(header(kind=AUDIO_HEADER), sound(0), sound(500), sound(1000))
    assert queue.start_seq(HubConfig()) == 3
    assert queue.start_seq(HubConfig(min_buffering_ms=400)) == 2
    assert queue.start_seq(HubConfig(min_buffering_ms=5000)) == 3


def test_start_beyond_the_last_keyframe_waits_for_a_picture_and_then_takes_the_sound() -> None:
    config = HubConfig(keyframe_wait_ms=5000)
    queue = filled(key(0), inter(40), sound(50), sound(100))
    assert queue.start_seq(config, waited_ms=4999, after=2) is None
    assert queue.start_seq(config, waited_ms=5000, after=2) == 3
    assert queue.start_seq(config, waited_ms=5000, after=4) is None
    queue.push(inter(120))
    assert queue.start_seq(config, waited_ms=5000, after=2) is None
    queue.push(key(160))
    assert queue.start_seq(config, after=2) == 5


def test_start_of_an_empty_queue_or_of_headers_alone() -> None:
    assert FrameQueue().start_seq(HubConfig()) is None
    assert filled(header(kind=AUDIO_HEADER)).start_seq(HubConfig()) is None


def test_headers_in_force_are_those_before_the_frame_in_their_order() -> None:
    old, new = header(b"old"), header(b"new")
    sound_header, metadata = header(kind=AUDIO_HEADER), header(kind=METADATA)
    queue = filled(sound_header, old, metadata, key(0), new, key(40))
    assert queue.headers_at(3) == [metadata, old, sound_header]
    assert queue.headers_at(5) == [metadata, new, sound_header]
    assert queue.headers_at(0) == []
    assert queue.headers_between(3, 5) == [new]
    assert queue.headers_between(5, 6) == []


def test_headers_survive_the_eviction_of_their_frame() -> None:
    old, new = header(b"old"), header(b"new")
    queue = filled(old, *(inter(n) for n in range(50)), new, key(60))
    queue.evict(40)
    assert queue.headers_at(45) == [old]
    queue.evict(12)
    assert queue.headers_at(52) == [new]


def test_codec_that_is_back_comes_with_its_header_again() -> None:
    first, h263 = header(), Frame(VIDEO, 40, b"\x12", is_keyframe=True)
    queue = filled(first, key(0), h263, key(80))
    bodies = [frame.payload for frame in queue.frames]
    assert bodies == [first.payload, key(0).payload, b"\x12", first.payload, key(0).payload]
    assert [frame.dts_ms for frame in queue.frames] == [0, 0, 40, 80, 80]
    assert [queue.headers_at(seq) != [] for seq in range(1, 5)] == [True, False, False, True]
    assert list(queue.keyframes) == [1, 2, 4]


def test_publish_of_sound_alone_is_no_stream_with_pictures() -> None:
    """A newcomer neither waits for a picture nor is shown the last one of the publish before."""
    config = HubConfig()
    queue = filled(header(), key(0), inter(40))
    queue.headers.begin_publish()
    queue.begin_publish()
    assert queue.start_seq(config) is None, "nothing of it has come yet"
    for n in range(40):
        queue.push(sound(80 + n * 40))
    assert (queue.start_seq(config), queue.headers_at(queue.end)) == (queue.end - 1, [])
    queue.evict(10)
    assert queue.start_seq(config) == queue.end - 1


def test_newcomer_begins_with_the_first_keyframe_of_the_present_publish() -> None:
    config = HubConfig(min_buffering_ms=1000)
    queue = filled(key(0), inter(40))
    queue.headers.begin_publish()
    queue.begin_publish()
    queue.push(sound(80))
    assert queue.start_seq(config) == 2
    for n in range(3):
        queue.push(key(120 + n * 40))
    assert queue.start_seq(config) == 3


FRAMES = st.lists(st.tuples(st.sampled_from("kiah"), st.integers(0, 400), st.integers(0, 3000)), max_size=300)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    frames=FRAMES,
    retain_ms=st.sampled_from([0, 500, 5000]),
    cached=st.sampled_from([40, 32768]),
    cap=st.sampled_from([5000, 10**9]),
    buffering_ms=st.sampled_from([0, 1000]),
)
def test_bounds_and_bookkeeping_hold_for_any_frames(frames, retain_ms, cached, cap, buffering_ms) -> None:
    config = HubConfig(
        log_retain_ms=retain_ms, max_cached_frames=cached, gop_cache_max_bytes=cap, min_buffering_ms=buffering_ms
    )
    queue, everything, clock = FrameQueue(), [], 0
    for what, step_ms, size in frames:
        clock += step_ms
        frame = {"k": key(clock, size), "i": inter(clock, size), "a": sound(clock), "h": header(dts_ms=clock)}[what]
        everything.append(frame)
        queue.push(frame)
        settle(queue, config)
        assert queue.frames == everything[queue.base : queue.end]
        assert len(queue.frames) <= cached
        assert queue.size_bytes == sum(len(f.payload) for f in queue.frames)
        assert queue.size_bytes <= cap or len(queue.frames) == 1
        assert list(queue.keyframes) == [s for s in range(queue.base, queue.end) if queue[s].is_keyframe]
        start = queue.start_seq(config, waited_ms=10**6)
        if start is not None:
            assert queue.base <= start < queue.end
            assert queue[start].is_keyframe or not queue.keyframes or queue.keyframes[-1] < start


def test_seq_before_is_a_keyframe_far_enough_back_else_the_oldest() -> None:
    queue = filled(*(key(ms) if ms % 1000 == 0 else inter(ms) for ms in range(0, 6000, 100)))
    assert queue.seq_before(55, 2000) == 30
    assert queue.seq_before(queue.end, 2000) == 30
    assert queue.seq_before(15, 2000) == 0
    assert queue.seq_before(0, 2000) == 0


def test_seq_before_without_keyframes_goes_by_the_clock() -> None:
    queue = filled(*(sound(ms) for ms in range(0, 6000, 100)))
    assert queue.seq_before(40, 2000) == 20
    assert queue.seq_before(5, 2000) == 0
    assert FrameQueue().seq_before(0, 2000) == 0


# --- several tracks, each with keyframes and a clock of its own ----------------


def first_frames(queue: FrameQueue, seq: int) -> dict[int, Frame]:
    """Of each video track the first frame at or after ``seq``."""
    found: dict[int, Frame] = {}
    for frame in queue.frames[seq - queue.base :]:
        for track in tracks_of(VIDEO, frame.payload) if frame.type_id == VIDEO else ():
            found.setdefault(track, frame)
    return found


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)], ids=str)
@pytest.mark.parametrize("gops", [(25, 25, 25), (25, 50, 25), (25, 50, 100)], ids=str)
def test_newcomer_begins_with_the_keyframe_of_each_track(order, gops) -> None:
    queue, config = FrameQueue(), HubConfig(log_retain_ms=2000)
    for n in range(333):
        for track in order:
            queue.push(picture(track, n * 40, n % gops[track] == 0))
            queue.push(sound(n * 40 + track))
        settle(queue, config)
        start = queue.start_seq(config)
        assert start is not None
        found = first_frames(queue, start)
        assert len(found) >= min(3, (queue.end + 1) // 2)
        assert all(frame.is_keyframe for frame in found.values()), n
        assert n * 40 - queue[start].dts_ms < max(gops) * 40


def test_newcomer_to_groups_that_never_begin_together_gets_a_keyframe_of_each_track_soon() -> None:
    queue, config = FrameQueue(), HubConfig()
    for n in range(1000):
        for track, gop in ((0, 48), (1, 50)):
            queue.push(picture(track, n * 40, n % gop == track))
        settle(queue, config)
        start = queue.start_seq(config)
        assert start is not None
        later = {frame.track for frame in queue.frames[start - queue.base :] if frame.is_keyframe}
        assert n < 2 or later == {VIDEO, VIDEO | 1 << 8}
        assert n * 40 - queue[start].dts_ms <= config.log_retain_ms + 2000


def test_tracks_in_one_message_begin_together() -> None:
    queue = filled(*(picture(1, n * 40, n % 10 == 0, 2, 3) for n in range(25)), picture(0, 1000, True))
    assert queue.start_seq(HubConfig()) == 20
    assert set(queue.tracks) == {VIDEO | n << 8 for n in (0, 1, 2, 3)}


def test_slices_of_one_keyframe_are_one_place_to_start() -> None:
    queue = filled(key(0), key(0), inter(40), key(80), header(), key(80), key(80), inter(120))
    assert queue.start_seq(HubConfig()) == 3
    assert queue.start_seq(HubConfig(min_buffering_ms=100)) == 0


def test_player_that_waited_begins_with_the_first_slice_of_the_first_picture() -> None:
    """The clock has not moved yet, so slices look like pictures of their own, of which newcomers get the newest."""
    queue = filled(key(0), header(), key(0), key(0))
    assert queue.start_seq(HubConfig(), waited_ms=200) == 0
    assert queue.start_seq(HubConfig(), waited_ms=200, after=2) == 3
    assert queue.start_seq(HubConfig()) == 3
    queue = filled(picture(1, 0, True), picture(1, 0, True), picture(2, 0, True), picture(2, 0, True))
    assert queue.start_seq(HubConfig(), waited_ms=200) == 0


def test_keyframes_of_one_stamp_with_a_frame_between_are_two_pictures() -> None:
    queue = filled(key(500), inter(500), key(400), inter(300))
    assert [frame.dts_ms for frame in queue.frames] == [500] * 4
    assert queue.start_seq(HubConfig()) == 2


def test_colour_metadata_and_ends_of_sequence_are_no_pictures() -> None:
    colour, end = Frame(VIDEO, 40, b"\x94hvc1x"), Frame(VIDEO, 80, b"\x17\x02\0\0\0")
    queue = filled(key(0), sound(0), picture(1, 40, True), colour, key(40), end, sound(90))
    assert queue.start_seq(HubConfig()) == 2
    assert [frame.dts_ms for frame in queue.pictures_at(6)] == [40, 40]


TRACKED = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 2, "many", "sound", "data"]), st.booleans(), st.sampled_from([0, 20, 40, 900])),
    max_size=250,
)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(steps=TRACKED, retain_ms=st.sampled_from([1000, 5000]), cached=st.sampled_from([60, 32768]))
def test_any_interleaving_of_tracks_keeps_a_place_to_start_for_each(steps, retain_ms, cached) -> None:
    config = HubConfig(log_retain_ms=retain_ms, max_cached_frames=cached)
    queue, clock, before = FrameQueue(), 0, 0
    for what, is_keyframe, step_ms in steps:
        clock += step_ms
        if what == "many":
            queue.push(picture(1, clock, is_keyframe, 2))
        else:
            queue.push({"sound": sound, "data": data}.get(what, lambda ms: picture(what, ms, is_keyframe))(clock))  # noqa: B023
        pictures = {key: track.pictures[-1][1] for key, track in queue.tracks.items() if track.pictures}
        settle(queue, config)
        assert len(queue.frames) <= cached
        start = queue.start_seq(config, waited_ms=10**6)
        assert start is not None
        assert queue.base <= start < queue.end
        is_same_picture = before >= queue.base and queue[before].dts_ms == queue[start].dts_ms
        assert start >= before or is_same_picture, "a player would be put before the beginning of its log"
        before = start
        live = {key for key in pictures if not queue._is_silent(queue.tracks[key], config)}
        held = {key for key in live if queue.tracks[key].pictures}
        if cached == 32768:
            assert all(queue.tracks[key].pictures for key in live & pictures.keys() if not queue.tracks[key].pauses)
        for name in held:
            assert start <= queue.tracks[name].pictures[-1][1], "a live track without a keyframe ahead"


# --- tracks that stop ---------------------------------------------------------


def test_camera_that_was_switched_off_is_no_place_to_start() -> None:
    queue, config = FrameQueue(), HubConfig()
    for n in range(50):
        queue.push(key(n * 40) if n % 25 == 0 else inter(n * 40))
        queue.push(sound(n * 40))
    for ms in range(2000, 120_000, 20):
        queue.push(sound(ms))
        settle(queue, config)
        start = queue.start_seq(config)
        assert start is not None
        assert ms - queue[start].dts_ms < 12_000
        assert len(queue.frames) < 800
    assert queue.start_seq(config) == queue.end - 1
    assert queue.pictures_at(queue.end - 1) == [], "the keyframe is not what was last seen"
    queue.push(inter(120_000))
    assert queue.start_seq(config) is None, "the picture is back, without a keyframe"
    queue.push(key(120_040))
    assert queue.start_seq(config) == queue.end - 1


def test_keyframe_before_a_pause_stays_no_place_to_start_when_the_camera_is_back() -> None:
    config = HubConfig(log_retain_ms=2000, log_max_bytes=10**9)
    queue = filled(key(0), sound(0), inter(40), *(sound(ms) for ms in range(20, 5000, 20)), inter(5000), inter(5040))
    assert queue.start_seq(config) is None
    assert queue.start_seq(config, waited_ms=5000) == queue.end - 1


def test_pause_of_a_camera_beside_sparse_data_is_one_too() -> None:
    queue = filled(key(0), data(0), data(6000), data(12_000), inter(12_000), data(12_100))
    assert queue.start_seq(HubConfig()) is None


def test_track_that_has_ended_holds_up_the_others_for_no_longer_than_the_retention() -> None:
    queue, config = FrameQueue(), HubConfig(log_retain_ms=2000)
    for n in range(200):
        if n < 30:
            queue.push(picture(1, n * 40, n % 25 == 0))
        queue.push(picture(0, n * 40, n % 25 == 0))
        settle(queue, config)
    start = queue.start_seq(config)
    assert start is not None
    assert queue[start].dts_ms == 175 * 40


def test_track_of_the_publisher_before_does_not_hold_up_those_of_the_present_one() -> None:
    old, new = Epoch("old"), Epoch("new")
    queue = FrameQueue()
    for n in range(60):
        for track in (1, 0) if n < 30 else (0,):
            frame = picture(track, n * 40, n % 10 == 0)
            frame.epoch = old if n < 30 else new
            queue.push(frame)
    start = queue.start_seq(HubConfig())
    assert start is not None
    assert queue[start].dts_ms == 50 * 40


def test_stream_of_data_alone_begins_with_the_newest() -> None:
    queue, config = FrameQueue(), HubConfig()
    for n in range(500):
        queue.push(data(n * 500))
        settle(queue, config)
        assert queue.start_seq(config) == queue.end - 1
    assert len(queue.frames) <= 128 + 32


# --- clocks that differ ---------------------------------------------------------

CLOCKS = {"slow": 44.1 / 48, "frozen": 0.0, "double": 2.0, "back": None}


def clocked(what: str, ms: int) -> int:
    factor = CLOCKS[what]
    return int(ms * factor) if factor is not None else ms - ms // 1000 * 900


@pytest.mark.parametrize("what", CLOCKS)
@pytest.mark.parametrize("odd", [AUDIO, VIDEO], ids=["sound", "picture"])
def test_both_tracks_are_kept_and_places_found_whatever_their_clocks_do(what: str, odd: int) -> None:
    queue, config = FrameQueue(), HubConfig(max_cached_frames=3000)
    for n in range(9000):
        video_ms, audio_ms = (clocked(what, n * 40), n * 40) if odd == VIDEO else (n * 40, clocked(what, n * 40))
        queue.push(key(video_ms) if n % 50 == 0 else inter(video_ms))
        queue.push(sound(audio_ms))
        settle(queue, config)
        assert len(queue.frames) <= 3000
        start = queue.start_seq(config)
        assert start is not None
        assert queue[start].is_keyframe
        assert queue.end - start <= 100, n
        assert queue.lag_ms(queue.end - 2) == 0
    for type_id in (AUDIO, VIDEO):
        held = [frame.dts_ms for frame in queue.frames if frame.type_id == type_id]
        assert held[-1] - held[0] >= config.log_retain_ms or len(queue.frames) >= 2000
