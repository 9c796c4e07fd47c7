"""Where the pictures of a track begin, and from where several tracks can be decoded together."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.track import MAX_PICTURE_MESSAGES, Track, common_place, next_common_place


def tracks_with(frames: list[tuple[int, bool]]) -> dict[int, Track]:
    """Tracks after ``frames``, each a track's key and whether it is a keyframe; seqs count from 0."""
    tracks: dict[int, Track] = {}
    for seq, (key, is_keyframe) in enumerate(frames):
        track = tracks.setdefault(key, Track(key))
        if is_keyframe:
            track.add_keyframe(seq, seq)
        else:
            track.end_picture(seq)
        track.last_seq, track.last_ms = seq, seq
    return tracks


@settings(max_examples=300, deadline=None, derandomize=True)
@given(frames=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60), limit=st.integers(0, 60))
def test_common_place_is_the_newest_from_which_every_track_begins_with_a_keyframe(frames, limit: int) -> None:
    tracks = tracks_with(frames)
    found = common_place(limit, list(tracks.values()))
    firsts = [
        {key: next((flag for other, flag in frames[seq:] if other == key), False) for key in tracks}
        for seq in range(len(frames))
    ]
    wanted = [seq for seq in range(min(limit + 1, len(frames))) if tracks and all(firsts[seq].values())]
    # Several seqs between two frames of a track are one place: all that counts is what comes from there.
    if found is None or not tracks:
        assert not wanted
    else:
        assert wanted[-1] == found or (all(firsts[found].values()) and not [s for s in wanted if s > found])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(frames=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60), first=st.integers(0, 60))
def test_next_common_place_is_the_oldest_keyframe_from_which_every_track_begins_with_one(frames, first: int) -> None:
    tracks = tracks_with(frames)
    starts = sorted(start for track in tracks.values() for _, start in track.pictures if start >= first)
    found = next_common_place(first, list(tracks.values()))
    assert found == next((at for at in starts if common_place(at, list(tracks.values())) == at), None)


def test_tracks_that_never_begin_together_are_not_looked_through_to_the_end() -> None:
    """Nor are so many frames let go of, for a place that is not worth them."""
    tracks = list(tracks_with([(key, turn % 3 == key) for turn in range(5000) for key in range(3)]).values())
    assert common_place(14_999, tracks) is None
    assert next_common_place(0, tracks) is None
    for track in tracks:
        track.add_keyframe(15_000, 15_000)
    assert next_common_place(14_990, tracks) is None, "beyond the limit from the oldest that is held"
    for track in tracks:
        track.drop_before(14_990)
    assert next_common_place(14_990, tracks) == 15_000


def test_slices_of_one_picture_are_one_and_other_frames_end_it() -> None:
    track = Track(9)
    for seq, dts_ms in enumerate([0, 0, 0, 40, 40]):
        track.add_keyframe(seq, dts_ms)
        track.last_seq, track.last_ms = seq, dts_ms
    assert list(track.pictures) == [(-1, 0), (2, 3)]
    track.end_picture(40)
    track.add_keyframe(6, 40)  # a clock that stands still: a frame came in between
    assert list(track.pictures) == [(-1, 0), (2, 3), (4, 6)]


def test_keyframes_on_a_clock_that_stands_still_are_not_one_picture_for_ever() -> None:
    track = Track(9)
    for seq in range(10 * MAX_PICTURE_MESSAGES + 1):
        track.add_keyframe(seq, min(seq, 1))
        track.last_seq, track.last_ms = seq, min(seq, 1)
    assert len(track.pictures) == 11


def test_keyframes_on_a_clock_that_has_never_moved_are_pictures_of_their_own_until_it_does() -> None:
    track = Track(9)
    for seq in range(3):
        track.add_keyframe(seq, 7)
        track.last_seq, track.last_ms = seq, 7
    assert track.pictures[-1] == (1, 2)
    track.end_picture(47)
    assert list(track.pictures) == [(-1, 0)]


def test_pictures_before_a_long_pause_are_no_places_to_start() -> None:
    track = Track(9)
    for seq in (0, 10, 20, 30):
        track.pictures.append((seq - 1, seq))
    track.add_pause(10, 3000)
    track.add_pause(20, 12_000)
    track.add_pause(30, 2000)
    assert track.pauses == [(20, 12_000), (30, 2000)]
    track.drop_before_pause(10_000)
    assert [start for _, start in track.pictures] == [20, 30]
    track.drop_before(30)
    assert [start for _, start in track.pictures] == [30]
