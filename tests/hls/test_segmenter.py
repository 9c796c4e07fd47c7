"""Segments of a stream as its frames come, each playlist on the way judged; and that all nodes make the same ones."""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge.hls import playlist
from edge.hls.config import HlsConfig
from edge.hls.names import SegmentName
from edge.hls.segment import Segment
from edge.hls.segmenter import Segmenter
from edge.hub.config import HubConfig
from edge.media.frame import AUDIO, TRACK_BIT
from edge.media.mpegts import AUDIO_PID, VIDEO_PID
from tests.harness.m3u8 import parse_media
from tests.harness.mp4_reader import read_fragments
from tests.harness.ts_demux import demux
from tests.hls.feeding import (
    AAC_BODY,
    AAC_MONO_BODY,
    AVC_BODY,
    AVC_OTHER_BODY,
    BOTH,
    URIS,
    WALL_MS,
    Hop,
    Origin,
    Watched,
    assert_same,
    init_of,
    sound_body,
)

KINDS = pytest.mark.parametrize("kind", ["ts", "m4s"])


def begun(kind: str, until_ms: int = 9000, config: HlsConfig | None = None, **options: int) -> tuple[Origin, Watched]:
    origin = Origin()
    watched = Watched(origin.stream, kind, config)
    origin.headers()
    origin.run(0, until_ms, **options)
    return origin, watched


@KINDS
def test_segments_of_a_steady_stream(kind: str) -> None:
    _, watched = begun(kind)
    it = watched.it
    assert [(each.name.dts_ms, each.duration_ms, each.wall_ms - WALL_MS) for each in it.segments] == [
        (ms, 2000, ms) for ms in (0, 2000, 4000, 6000)
    ]
    assert it.current is not None and it.current.name.dts_ms == 8000 and it.target_s == 2
    assert watched.classic is not None and [each.duration_s for each in watched.classic.segments] == [2.0] * 4
    assert watched.seen_count >= 4


@KINDS
def test_all_frames_are_in_the_segments(kind: str) -> None:
    _, watched = begun(kind)
    segments = list(watched.it.segments)
    if kind == "ts":
        found = [demux(each.data or b"") for each in segments]
        assert sum(len(one.of(VIDEO_PID)) for one in found) == 200
        assert all(one.of(VIDEO_PID)[0].is_random_access and one.of(AUDIO_PID) for one in found)
    else:
        tracks = [read_fragments(init_of(watched.it, each) + (each.data or b"")) for each in segments]
        assert sum(len(one[1]) for one in tracks) == 200
        assert sum(len(one[2]) for one in tracks) == sum(1 for n in range(1000) if round(n * 1024 / 44.1) < 8000)
        for before, after in pairwise(tracks):
            last = before[1][-1]
            assert last.dts + last.duration == after[1][0].dts, "a hole between segments"


@KINDS
def test_the_window_slides(kind: str) -> None:
    origin, watched = begun(kind, 30_000, HlsConfig(hls_window_s=8))
    assert [each.name.dts_ms for each in watched.it.segments] == [20_000, 22_000, 24_000, 26_000]
    origin.stream.end("over")
    assert watched.classic is not None and watched.classic.is_ended


@KINDS
@pytest.mark.parametrize(("window_s", "kept"), [(8, 2), (12, 2), (14, 1), (20, 1)])
def test_segments_of_the_playlist_before_are_kept(kind: str, window_s: int, kept: int) -> None:
    """Players begin three target durations from the end: of a short window they may want the oldest."""
    _, watched = begun(kind, 40_000, HlsConfig(hls_window_s=window_s))
    first = watched.it.segments[0].name
    names = [SegmentName("e1", first.number - back, first.dts_ms - 2000 * back) for back in (1, 2, 3)]
    assert [watched.it.find(name) is not None for name in names] == [back <= kept for back in (1, 2, 3)]


@KINDS
def test_frames_of_segments_that_are_complete_are_let_go(kind: str) -> None:
    """As many were kept before them as before those that players stand on, which is seconds of a slow stream."""
    origin, watched = begun(kind, 30_000)
    origin.stream.evict()
    oldest, queue = watched.it.oldest_seq(), origin.stream.queue
    assert oldest is not None and queue.end - oldest < 300
    assert oldest - queue.base < 32


@KINDS
def test_where_memory_is_short_the_window_is_what_the_live_edge_needs(kind: str) -> None:
    origin, watched = begun(kind, 30_000, HlsConfig(hls_window_s=30))
    assert len(watched.it.segments) > 10
    origin.stream.is_tight = True
    origin.run(30_000, 34_000)
    assert [each.name.dts_ms for each in watched.it.segments] == [26_000, 28_000, 30_000]


@KINDS
def test_a_short_window_still_lists_three_target_durations(kind: str) -> None:
    """RFC 8216 §6.2.2: of a long segment and short ones after it as many stay as it takes."""
    origin = Origin(HubConfig(hls_fragment_s=1))
    watched = Watched(origin.stream, kind, HlsConfig(hls_window_s=1), may_grow=True)
    origin.headers()
    origin.run(0, 4000, gop_ms=4000)
    origin.run(4000, 30_000, gop_ms=1000)
    assert watched.classic is not None and watched.classic.target_s == 4
    assert watched.classic.duration_s >= 12


@KINDS
def test_the_target_does_not_fall_when_a_last_segment_has_gone(kind: str) -> None:
    """The last frame made it as long as the next target duration, which no cut knew of."""
    origin = Origin()
    watched = Watched(origin.stream, kind, HlsConfig(hls_window_s=4), may_grow=True)
    origin.headers(aac=b"")
    for ms in (0, 1000, 2490):
        origin.picture(ms, is_keyframe=ms == 0)
    origin.begin("e2", WALL_MS + 5000)
    origin.run(0, 30_000, has_sound=False)
    assert watched.classic is not None and watched.classic.target_s >= 3


@KINDS
def test_bytes_held_are_those_of_the_window(kind: str) -> None:
    origin = Origin()
    watched = Watched(origin.stream, kind)
    origin.headers()
    for second in range(0, 60_000, 2000):
        origin.run(second, second + 2000, has_sound=False)
        it = watched.it
        window = sum(each.size for each in it.segments)
        if second >= 30_000:
            assert it.size_bytes <= 1.2 * window + max(each.size for each in it.segments)
    pieces = sum(len(each.data or b"") for each in watched.it.segments)
    assert pieces == sum(each.size for each in watched.it.segments)
    assert it.size_bytes <= 1.2 * pieces


@KINDS
def test_a_publisher_comes_after_another(kind: str) -> None:
    origin, watched = begun(kind, 4100)
    origin.begin("e2", WALL_MS + 10_000)
    origin.headers()
    origin.run(0, 4500)
    dates = [each.wall_ms - WALL_MS for each in watched.it.segments]
    assert dates == [0, 2000, 4000, 10_000, 12_000]
    assert watched.classic is not None
    assert [each.is_discontinuity for each in watched.classic.segments] == [False, False, False, True, False]
    assert [each.name.epoch for each in watched.it.segments] == ["e1"] * 3 + ["e2"] * 2


@KINDS
def test_dates_do_not_go_back_when_a_publisher_was_faster_than_time(kind: str) -> None:
    """It sent 4 s in one, as at the start of a file, and its next try began a second later."""
    origin, watched = begun(kind, 4100)
    origin.begin("e2", WALL_MS + 2000)
    origin.headers()
    origin.run(0, 4500)
    assert watched.classic is not None and len(watched.classic.segments) == 5


@KINDS
def test_the_last_segment_is_complete_when_the_publisher_leaves(kind: str) -> None:
    origin, watched = begun(kind, 5000)
    count = len(watched.it.segments)
    origin.stream.announce_unpublished("gone")
    assert len(watched.it.segments) == count + 1 and watched.it.current is None
    assert watched.it.segments[-1].duration_ms == 1006
    origin.begin("e2", WALL_MS + 9000)
    origin.headers()
    origin.run(0, 3000)
    origin.stream.end("over")
    origin.stream.end("over")
    assert watched.it.is_ended and watched.classic is not None and watched.classic.is_ended
    late = Watched(origin.stream, kind)
    assert late.it.is_ended


@KINDS
def test_new_headers_just_before_a_cut_are_for_what_comes_after_it(kind: str) -> None:
    """The segment in progress had no part yet: it got the configuration of the publisher after its own."""
    origin, watched = begun(kind, 2100)
    origin.begin("e2", WALL_MS + 10_000)
    origin.headers(AVC_OTHER_BODY, AAC_MONO_BODY)
    origin.run(0, 2500)
    before, last, after = list(watched.it.segments)
    if kind == "m4s":
        assert before.init == last.init != after.init
    assert last.data is not None and last.duration_ms == 103
    alone = Origin()
    alone_watched = Watched(alone.stream, kind)
    alone.headers()
    alone.run(0, 2100)
    alone.stream.end("")
    assert alone_watched.it.segments[-1].data == last.data


@KINDS
def test_other_headers_in_mid_stream_begin_a_discontinuity(kind: str) -> None:
    origin, watched = begun(kind, 5000)
    origin.headers(AVC_OTHER_BODY)
    origin.run(5000, 9000, gop_ms=1000)
    assert watched.classic is not None
    flags = [(each.name.dts_ms, each.is_discontinuity) for each in watched.it.segments]
    assert flags[:4] == [(0, False), (2000, False), (4000, False), (5000, True)]
    if kind == "m4s":
        assert len({each.init for each in watched.it.segments}) == 2
        assert watched.it.mp4 is not None and len(watched.it.mp4.inits) == 2


@KINDS
def test_the_same_headers_again_change_nothing(kind: str) -> None:
    origin = Origin()
    watched = Watched(origin.stream, kind)
    for ms in range(0, 9000, 2000):
        origin.headers()
        origin.run(ms, min(ms + 2000, 9000))
    once = Origin()
    other = Watched(once.stream, kind)
    once.headers()
    for ms in range(0, 9000, 2000):
        once.run(ms, min(ms + 2000, 9000))
    assert [each.data for each in watched.it.segments] == [each.data for each in other.it.segments]


def test_configurations_that_no_segment_needs_are_forgotten() -> None:
    origin = Origin()
    watched = Watched(origin.stream, "m4s", HlsConfig(hls_window_s=6))
    for ms in range(0, 40_000, 4000):
        origin.headers(AVC_BODY if ms % 8000 else AVC_OTHER_BODY, AAC_BODY if ms < 20_000 else AAC_MONO_BODY)
        origin.run(ms, ms + 4000)
    assert watched.it.mp4 is not None and len(watched.it.mp4.inits) == 2


@KINDS
def test_one_medium_of_a_stream(kind: str) -> None:
    origin = Origin()
    watched = Watched(origin.stream, kind, tracks=TRACK_BIT[AUDIO])
    both = Watched(origin.stream, kind)
    origin.headers()
    origin.run(0, 9000)
    assert [each.name for each in watched.it.segments] == [each.name for each in both.it.segments]
    data = watched.it.segments[1].data or b""
    if kind == "ts":
        assert not demux(data).of(VIDEO_PID)
    else:
        assert set(read_fragments(init_of(watched.it, watched.it.segments[1]) + data)) == {2}


@KINDS
def test_a_stream_of_which_nothing_can_be_used_lists_nothing(kind: str) -> None:
    origin = Origin()
    watched = Watched(origin.stream, kind)
    origin.run(0, 9000)
    assert not watched.it.listed() and watched.it.size_bytes == 0


@KINDS
def test_a_segment_with_lost_frames_is_a_gap(kind: str) -> None:
    origin = Origin()
    watched = Watched(origin.stream, kind)
    origin.headers()
    origin.run(0, 5000)
    assert origin.stream.epoch is not None
    origin.stream.epoch.next_index += 3
    origin.run(5000, 9500)
    assert watched.classic is not None
    assert [each.is_gap for each in watched.classic.segments] == [False, False, True, False]
    lost = watched.it.segments[2]
    assert lost.data is None and watched.it.find(lost.name) is lost and lost.part_bytes(0) is None


@KINDS
def test_a_segment_whose_end_was_lost_with_the_connection_is_a_gap(kind: str) -> None:
    """It was taken for whole when the first frame after the loss was of a later one."""
    origin = Origin(HubConfig(log_retain_ms=0, gop_cache_max_bytes=1000))
    node = Hop(origin)
    watched, whole = Watched(node.stream, kind, may_grow=True), Watched(origin.stream, kind)
    origin.headers()
    origin.run(0, 5000, each=node.receive)
    origin.run(5000, 9000, each=lambda: None)
    node.connect(origin)
    origin.run(9000, 13_500, each=node.receive)
    good = whole.whole()
    for name, segment in watched.whole().items():
        assert segment.data == good[name].data and segment.duration_ms == good[name].duration_ms, name
    assert len(watched.whole()) >= 1


def test_fill_lists_what_another_node_has_made() -> None:
    origin = Origin()
    first = Watched(origin.stream, "ts")
    origin.headers()
    origin.run(0, 7000)
    late = Watched(origin.stream, "ts", may_grow=True)
    late.it.can_fetch = True
    known = list(late.it.segments)
    lacking = []
    for each in first.it.segments:
        one = Segment(each.name, each.wall_ms, each.discontinuity, each.target_s, duration_ms=each.duration_ms)
        one.is_elsewhere = True
        lacking.append(one)
    late.it.fill(lacking)
    listed = [str(each.name) for each in late.it.listed()]
    assert listed == [str(each.name) for each in first.it.segments] and len(listed) >= len(known)
    late.classic = None
    late.it.fill([])
    assert late.classic is not None and not any(each.is_gap for each in late.classic.segments)


def test_closed_segmenters_are_told_nothing() -> None:
    origin, watched = begun("ts", 3000)
    watched.it.close()
    watched.it.close()
    count = watched.seen_count
    origin.run(3000, 9000)
    assert watched.seen_count == count and watched.it not in origin.stream.readers


def test_what_is_ahead() -> None:
    _, watched = begun("m4s", 5000)
    current = watched.it.current
    assert current is not None
    numbers = range(current.name.number - 1, current.name.number + 3)
    assert [watched.it.is_ahead(current.name._replace(number=each)) for each in numbers] == [False, True, True, False]
    assert watched.it.init("0" * 16) is None and Watched(Origin().stream, "ts").it.init("") is None


# --- at all nodes ----------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("lead_ms", [0, 200, -200])
def test_all_nodes_make_the_same_segments(kind: str, lead_ms: int) -> None:
    """Of two more nodes one has played something else before, so that its clock is another; one begins late."""
    origin = Origin()
    far = Hop(origin)
    watched = [Watched(origin.stream, kind), Watched(far.stream, kind)]
    origin.headers()
    origin.run(0, 7300, lead_ms=lead_ms, each=far.receive)
    late = Hop(far)
    late.receive()
    watched.append(Watched(late.stream, kind))

    def receive() -> None:
        far.receive()
        late.receive()

    origin.run(7300, 16_000, lead_ms=lead_ms, each=receive)
    shifts = {each.it.stream.epoch.shift_ms for each in watched if each.it.stream.epoch is not None}
    assert len(shifts) == 2
    assert assert_same(watched[0], watched[1]) >= 7
    assert assert_same(watched[0], watched[2]) >= 3
    names = [str(each.name) for each in watched[0].it.segments]
    assert str(watched[2].it.segments[-1].name) == names[-1]


@KINDS
@pytest.mark.parametrize("is_late", [False, True])
def test_a_node_that_begins_at_a_cut(kind: str, is_late: bool) -> None:
    """It makes its segment, though sound behind the keyframe is from before it, where the node's clock begins."""
    origin = Origin()
    first = Watched(origin.stream, kind)
    origin.headers()
    origin.run(0, 4000)
    origin.picture(4000, is_keyframe=True)
    node = Hop(origin)
    node.receive()
    second = Watched(node.stream, kind)
    for ms in range(3990 if is_late else 4010, 8200, 20):
        origin.sound(ms)
        if ms % 40 == 30:
            origin.picture(ms + 10, is_keyframe=(ms + 10) % 2000 == 0)
        node.receive()
    assert assert_same(first, second) == 2
    assert str(second.it.segments[0].name) == str(first.it.segments[2].name)


def test_mp3_is_in_the_first_tables_at_all_nodes() -> None:
    """It has no header: a node that began with the keyframe knew of it later than those before it."""
    origin = Origin()
    first = Watched(origin.stream, "ts")
    origin.headers(aac=b"")

    def run(from_ms: int, until_ms: int) -> None:
        for ms in range(from_ms, until_ms, 40):
            origin.picture(ms, is_keyframe=ms % 2000 == 0)
            origin.push(AUDIO, ms, b"\x2f" + bytes.fromhex("fffb9064") + bytes(100))
            if node is not None:
                node.receive()

    node: Hop | None = None
    run(0, 4000)
    origin.picture(4000, is_keyframe=True)
    node = Hop(origin)
    node.receive()
    second = Watched(node.stream, "ts")
    run(4000, 8500)
    assert assert_same(first, second) >= 2
    for each in second.it.segments:
        assert demux(each.data or b"").versions == [0]


# --- work in pieces -----------------------------------------------------------------


@KINDS
def test_a_segmenter_that_begins_takes_what_there_is_piece_by_piece(kind: str) -> None:
    origin = Origin()
    origin.stream.retention.claim()
    origin.headers()
    origin.run(0, 12_000)
    asked: list[Segmenter] = []
    late = Watched(origin.stream, kind, on_work=asked.append)
    assert asked == [late.it] and not late.it.segments and not late.it.has_caught_up
    count = 1
    while late.it.work():
        count += 1
    assert late.it.has_caught_up and count >= len(late.it.segments) >= 3
    late.it.close()
    assert not late.it.work()


def test_frames_without_parts_wait_for_the_next_segment() -> None:
    """A keyframe is seen at once; what else begins a segment a little later."""
    origin = Origin()
    asked: list[Segmenter] = []
    watched = Watched(origin.stream, "ts", on_work=asked.append)
    watched.it.work()
    origin.headers()
    origin.run(0, 100)
    while asked:
        asked.pop().work()
    origin.run(100, 2000, has_sound=False)
    assert not asked and watched.it.current is not None
    origin.picture(2000, is_keyframe=True)
    assert asked.pop() is watched.it and watched.it.work() is False
    assert [each.name.dts_ms for each in watched.it.segments] == [0]
    origin.headers(AVC_OTHER_BODY)
    origin.picture(3000)
    assert asked == [watched.it]


# --- TS -----------------------------------------------------------------------------


def test_counters_begin_anew_in_each_segment_and_say_so() -> None:
    _, watched = begun("ts")
    for segment in watched.it.segments:
        data, first = segment.data or b"", {}
        for start in range(0, len(data), 188):
            packet = data[start : start + 188]
            first.setdefault((packet[1] & 31) << 8 | packet[2], packet)
        assert len(first) == 4
        for pid, packet in first.items():
            assert packet[3] & 0x20 and packet[4] and packet[5] & 0x80, f"PID {pid} says nothing of a jump"
            assert packet[3] & 15 == (0 if packet[3] & 0x10 else 15), f"PID {pid}"


def test_times_go_on_from_segment_to_segment() -> None:
    _, watched = begun("ts")
    times = [pes.dts for each in watched.it.segments for pes in demux(each.data or b"").of(VIDEO_PID)]
    assert times == [63_000 + n * 3600 for n in range(200)]
    bodies = [pes.data for each in watched.it.segments for pes in demux(each.data or b"").of(AUDIO_PID)]
    assert b"".join(bodies).count(bytes(20)) >= 340 and sound_body(1)[2:10] not in bodies
    assert parse_media(playlist.classic(watched.it, URIS)) == watched.classic and BOTH == 3
