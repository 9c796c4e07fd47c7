"""Parts: how long they are, that they fill their segment, and what is in them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge.hls.segment import Segment
from edge.hub.config import HubConfig
from edge.media.frame import AUDIO, VIDEO
from edge.media.mpegts import VIDEO_PID
from tests.harness.mp4_reader import Sample, read_fragment, sequence_number
from tests.harness.ts_demux import demux
from tests.hls.feeding import AAC_MONO_BODY, Hop, Origin, Watched, init_of


def parts_of(watched: Watched) -> list[list[int]]:
    """Durations of the parts of each whole segment."""
    for segment in watched.it.segments:
        assert sum(part.duration_ms for part in segment.parts) == segment.duration_ms
        assert segment.data == b"".join(segment.part_bytes(index) or b"" for index in range(len(segment.parts)))
    return [[part.duration_ms for part in segment.parts] for segment in watched.it.segments]


def samples(segment: Segment, track: int) -> list[Sample]:
    found = []
    for index in range(len(segment.parts)):
        found += read_fragment(segment.part_bytes(index) or b"").get(track, [])
    return found


@pytest.mark.parametrize("has_sound", [True, False])
@pytest.mark.parametrize(
    ("fps", "target_ms"),
    [(25, 300), (30, 300), (29.97, 300), (24, 300), (50, 300), (60, 300), (15, 300), (10, 300), (7, 300)],
)
def test_parts_at_usual_rates(fps: float, target_ms: int, has_sound: bool) -> None:
    """At 29.97 frames a second some parts were 301 ms long.

    The judge sees that none is longer than the target, and none shorter than 85 % but the last.
    """
    origin = Origin()
    watched = Watched(origin.stream, "m4s")
    origin.headers(aac=AAC_MONO_BODY if has_sound else b"")
    origin.run(0, 8100, fps=fps, has_sound=has_sound)
    found = parts_of(watched)
    assert len(found) >= 3 and max(max(each) for each in found) <= target_ms
    assert watched.it.mp4 is not None and watched.it.mp4.part_target_ms == target_ms
    assert watched.low_latency is not None and watched.low_latency.part_target_s == target_ms / 1000
    for each in watched.it.segments:
        assert each.parts[0].is_independent and not any(part.is_independent for part in each.parts[1:])


@pytest.mark.parametrize(("fps", "target_ms"), [(12.5, 240), (8, 250), (5, 200), (4, 250), (2, 500), (1, 1000)])
def test_at_few_frames_a_second_the_target_is_what_the_rate_allows(fps: float, target_ms: int) -> None:
    """Parts of 200 ms are short of 85 % of 300 ms."""
    origin = Origin()
    watched = Watched(origin.stream, "m4s")
    origin.headers(aac=b"")
    origin.run(0, 8100, fps=fps, has_sound=False)
    assert watched.low_latency is not None and watched.low_latency.part_target_s == target_ms / 1000
    assert max(max(each) for each in parts_of(watched)) == target_ms


@pytest.mark.parametrize("fps", [3, 2])
def test_sound_ends_parts_where_pictures_are_further_apart_than_that(fps: int) -> None:
    """Pictures are shown until the next one: a hole makes players wait for a keyframe."""
    origin = Origin()
    watched = Watched(origin.stream, "m4s")
    origin.headers()
    origin.run(0, 8100, fps=fps)
    found = parts_of(watched)
    assert all(255 <= each <= 300 for parts in found for each in parts[:-1])
    for segment in watched.it.segments:
        for one, after in pairwise(samples(segment, 1)):
            assert after.dts - one.dts <= 2 * one.duration


def test_sound_ahead_of_the_pictures() -> None:
    origin = Origin()
    watched = Watched(origin.stream, "m4s")
    origin.headers()
    origin.run(0, 8500, lead_ms=200)
    found = parts_of(watched)
    assert all(255 <= each <= 300 for parts in found for each in parts[:-1])


def test_sound_alone() -> None:
    origin = Origin()
    watched = Watched(origin.stream, "m4s")
    origin.headers(avc=b"")
    origin.run(0, 8500, fps=0)
    found = parts_of(watched)
    assert len(found) >= 3 and all(255 <= each <= 300 for parts in found for each in parts[:-1])
    assert all(part.is_independent for each in watched.it.segments for part in each.parts)


def test_a_gap_makes_one_part_longer() -> None:
    origin = Origin()
    watched = Watched(origin.stream, "m4s", may_grow=True)
    origin.headers()
    origin.run(0, 3000)
    origin.run(3900, 8500)
    found = parts_of(watched)
    assert sorted(each for parts in found for each in parts)[-1] >= 900
    assert sum(map(sum, found)) == sum(segment.duration_ms for segment in watched.it.segments)


def test_pictures_behind_their_sound_leave_no_part_of_no_length() -> None:
    """Sound had ended a part behind the place of the next cut: the last part was as much shorter than nothing."""
    origin = Origin()
    watched = Watched(origin.stream, "m4s", may_grow=True)
    origin.headers()
    for ms in range(0, 9000, 20):
        origin.sound(ms + 700)
        if ms % 500 == 0:
            origin.picture(ms, is_keyframe=ms % 2000 == 0)
    assert all(each > 0 for parts in parts_of(watched) for each in parts)


def test_numbers_of_fragments_rise() -> None:
    origin = Origin()
    watched = Watched(origin.stream, "m4s")
    origin.headers()
    origin.run(0, 6500)
    numbers = []
    for each in watched.it.segments:
        numbers += [sequence_number(each.part_bytes(index) or b"") for index in range(len(each.parts))]
    assert numbers == sorted(set(numbers))


def test_the_last_picture_lasts_as_long_on_nodes_with_another_clock() -> None:
    """The end of a part was taken for a place on the node's own clock."""
    origin = Origin()
    origin.headers()
    origin.run(0, 4000)
    node = Hop(origin)
    node.receive()
    watched = Watched(node.stream, "m4s")
    origin.run(4000, 9000, each=node.receive, has_sound=False)
    epoch = node.stream.epoch
    assert epoch is not None and epoch.shift_ms
    assert watched.whole()
    for segment in watched.whole().values():
        assert {each.duration for each in samples(segment, 1)} == {3600}


def test_frames_that_nothing_can_be_made_of_are_a_gap_in_the_parts() -> None:
    """They were listed as parts of no bytes, and the configuration as one of nothing."""
    origin = Origin()
    watched = Watched(origin.stream, "m4s", may_grow=True)
    origin.headers()
    origin.run(0, 1000)
    for ms in range(1000, 1600, 40):
        origin.push(VIDEO, ms, b"\x2c\x01\0\0\0none")
    origin.run(1600, 2100)
    assert watched.low_latency is not None
    segment = watched.low_latency.segments[0]
    assert any(part.is_gap for part in segment.parts) and not segment.parts[0].is_gap


def test_a_header_behind_the_first_frames_is_in_the_configuration_of_their_segment() -> None:
    """That of the segment before was kept, without the sound."""
    origin = Origin()
    watched = Watched(origin.stream, "m4s")
    origin.headers(aac=b"")
    origin.picture(0, is_keyframe=True)
    origin.picture(40)
    origin.headers(avc=b"")
    origin.run(80, 4500)
    segment = watched.it.segments[0]
    assert samples(segment, 2) and b"mp4a" in init_of(watched.it, segment)


def test_a_segment_in_ts_begins_with_tables_that_name_all_there_is() -> None:
    origin = Origin(HubConfig(hls_fragment_s=0.4))
    watched = Watched(origin.stream, "ts")
    origin.headers(aac=b"")
    for ms in range(0, 3000, 40):
        origin.picture(ms, is_keyframe=ms % 400 == 0)
        origin.push(AUDIO, ms + 20, b"\x2f" + bytes.fromhex("fffb9064") + bytes(100))
    assert len(watched.it.segments) >= 5
    for segment in watched.it.segments:
        found = demux(segment.data or b"")
        assert found.versions == [0] and len(found.streams) == 2
        assert len(found.of(VIDEO_PID)) == 10
