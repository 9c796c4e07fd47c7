"""Streams written message by message: towards nodes of ours, and for connections with several streams."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.config import HubConfig
from edge.hub.hop import HopReceiver
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, DATA, MEDIA, VIDEO, VIDEO_HEADER, Epoch
from edge.media.mark import decode_mark
from edge.rtmp.events import ResumePoint
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY, Source, decode
from tests.net.writing import CHUNK, open_writer, slides, take


class Node:
    """The far end of a hop; keeps its stream over several connections."""

    def __init__(self) -> None:
        self.stream = Stream(StreamKey("_", "live", "s"), HubConfig(), 0)
        self.publisher = Publisher(self.stream, "up", 0, is_hop=True)
        self.stream.feed.see(self.publisher, 0)

    def receive(self, data: bytes) -> None:
        hop = HopReceiver(self.publisher)
        for message in decode(data, CHUNK):
            hop.push(message.type_id, message.wire_timestamp, message.payload, 0)

    @property
    def resume(self) -> ResumePoint | None:
        epoch = self.stream.epoch
        return ResumePoint(epoch.id, epoch.next_index) if epoch is not None else None

    @property
    def bodies(self) -> list[bytes]:
        return [frame.payload for frame in self.stream.queue.frames if frame.kind == MEDIA]


def test_begins_with_headers_at_the_newest_keyframe_and_0() -> None:
    source = Source()
    source.headers()
    source.run(15, from_ms=500_000)
    writer = open_writer(source)
    messages = decode(take(writer), CHUNK)
    assert [m.payload for m in messages[1:3]] == [VIDEO_HEADER_BODY, AUDIO_HEADER_BODY]
    assert {m.message_stream_id for m in messages} == {3}
    start = source.stream.queue.keyframes[-1]
    frames = source.frames[start:]
    assert [m.payload for m in messages[3:]] == [frame.payload for frame in frames]
    assert [m.wire_timestamp for m in messages[3:]] == [frame.dts_ms - frames[0].dts_ms for frame in frames]


@pytest.mark.parametrize("offset", [16_770_000, -60_000, 2**32 - 500])
def test_timestamp_offset(offset: int) -> None:
    source = Source()
    writer = open_writer(source, timestamp_offset=offset)
    source.run(1)
    data = take(writer)
    source.run(200, from_ms=40)
    wanted = [(frame.dts_ms + offset) & 0xFFFFFFFF for frame in source.frames]
    assert [m.wire_timestamp for m in decode(data + take(writer), CHUNK)] == wanted


def test_filter_leaves_a_medium_out() -> None:
    source = Source()
    source.headers()
    source.run(5)
    assert VIDEO not in {m.type_id for m in decode(take(open_writer(source, track_mask=5)), CHUNK)}


def test_budget_is_kept_to_whole_messages() -> None:
    source = Source()
    source.run(20)
    writer = open_writer(source)
    whole, pieces = b"", []
    while data := take(writer, 100):
        pieces.append(data)
        assert len(data) < 100 + 60
        whole += data
        assert sum(len(m.payload) for m in decode(whole, CHUNK)) > len(whole) * 0.6
    assert len(pieces) > 3
    assert not writer.is_behind
    assert [m.payload for m in decode(whole, CHUNK)] == [f.payload for f in source.frames[-20:]]


def test_hop_names_its_frames_with_one_mark() -> None:
    source = Source()
    source.headers()
    source.run(5, from_ms=10_000)
    messages = decode(take(open_writer(source, is_hop=True)), CHUNK)
    marks = [decode_mark(m.payload) for m in messages if m.type_id == DATA and decode_mark(m.payload)]
    assert [(m.epoch, m.index, m.dts_ms) for m in marks if m is not None] == [("e1", 0, 0)]
    node = Node()
    node.receive(take(open_writer(source, is_hop=True)))
    assert node.bodies == [frame.payload for frame in source.frames if frame.kind == MEDIA]


def test_headers_that_a_new_publisher_left_unchanged_stay_in_force_along_a_chain() -> None:
    source, middle, last = Source(), Node(), Node()
    source.headers()
    source.run(3)
    first = open_writer(source, is_hop=True)
    middle.receive(take(first))
    second = open_writer(middle, is_hop=True)
    last.receive(take(second))
    source.stream.begin_publish(source.publisher, Epoch("e2"), 0)
    source.headers()
    source.run(3, from_ms=120)
    for is_cut in (False, True):
        if is_cut:
            source.stream.begin_publish(source.publisher, Epoch("e3"), 0)
            source.headers()
            source.run(3, from_ms=240)
            first = open_writer(source, is_hop=True, resume=middle.resume)
            second = open_writer(middle, is_hop=True, resume=last.resume)
        middle.receive(take(first))
        last.receive(take(second))
        for node in (middle, last):
            headers = node.stream.queue.headers_at(node.stream.queue.end)
            assert [frame.payload[:2] for frame in headers] == [b"\x02\x00", b"\x17\x00", b"\xaf\x00"]
    assert last.bodies == [frame.payload for frame in source.frames if frame.kind == MEDIA]
    queue = last.stream.queue
    assert sum(frame.kind == VIDEO_HEADER for frame in queue.frames) == 1, "an unchanged header was sent again"


def test_hop_marks_a_new_epoch() -> None:
    source = Source()
    source.run(3)
    node, writer = Node(), open_writer(source, is_hop=True)
    node.receive(take(writer))
    source.stream.begin_publish(source.publisher, Epoch("e2"), 0)
    source.run(3, from_ms=0)
    node.receive(take(writer))
    assert node.bodies == [frame.payload for frame in source.frames]
    assert node.stream.epoch is not None
    assert (node.stream.epoch.id, node.stream.epoch.next_index) == ("e2", 6)
    dts = [frame.dts_ms for frame in node.stream.queue.frames if frame.type_id == VIDEO]
    assert dts == sorted(dts)


def test_resume_that_is_gone_begins_anew_with_a_mark() -> None:
    source = Source()
    source.run(25)
    writer = open_writer(source, is_hop=True, resume=ResumePoint("other", 5))
    node = Node()
    node.receive(take(writer))
    start = source.stream.queue.keyframes[-1]
    assert node.bodies == [frame.payload for frame in source.frames[start:]]


def test_node_that_holds_nothing_is_given_headers_and_what_came_well_before_the_frame() -> None:
    source = Source()
    source.headers()
    open_writer(source, is_hop=True).close()  # another node has played it
    source.run(200, gop=10)
    epoch = source.stream.epoch
    assert epoch is not None
    first = ResumePoint(epoch.id, epoch.next_index - 5, is_fresh=True)
    node = Node()
    writer = open_writer(source, is_hop=True, resume=first)
    node.receive(take(writer))
    queue = node.stream.queue
    frames = [frame for frame in queue.frames if frame.kind == MEDIA]
    assert frames[0].is_keyframe and frames[-1].index == epoch.next_index - 1
    assert 2000 <= frames[-5].dts_ms - frames[0].dts_ms <= 2000 + 10 * 40
    assert [frame.index for frame in frames] == list(range(frames[0].index, epoch.next_index))
    assert {f.payload for f in queue.headers_at(queue.end)} == {
        f.payload for f in source.stream.queue.headers_at(source.stream.queue.end)
    }
    source.run(2, from_ms=200 * 40, gop=10)
    assert not any(message.payload[1:2] == b"\x00" for message in decode(take(writer), CHUNK)), "headers sent again"


@pytest.mark.parametrize("resume", [None, ResumePoint("e1", 7)])
def test_node_that_waited_for_the_first_frame_gets_all_of_a_burst(resume: ResumePoint | None) -> None:
    """What a push had held back comes at once: along a chain each would begin at its newest keyframe."""
    source, node = Source(), Node()
    writer = open_writer(source, is_hop=True, resume=resume)
    assert take(writer) == b""
    source.headers()
    source.video(0)
    source.run(35, from_ms=40)
    node.receive(take(writer))
    first = 1 if resume is None else resume.next_index
    frames = [frame for frame in source.frames if frame.kind == MEDIA]
    assert node.bodies == [frame.payload for frame in frames[first:]]


def test_player_that_waited_for_the_first_frame_begins_at_the_newest_keyframe_of_a_burst() -> None:
    source = Source()
    writer = open_writer(source)
    source.run(35)
    start = source.stream.queue.keyframes[-1]
    assert [m.payload for m in decode(take(writer), CHUNK)] == [frame.payload for frame in source.frames[start:]]


def test_eviction_takes_a_writer_that_lags_to_a_keyframe() -> None:
    source = Source(HubConfig(max_cached_frames=40))
    source.run(5)
    writer = open_writer(source)
    data = take(writer)
    source.run(100, from_ms=200)
    assert source.stream.stats.player_jump_count
    messages = decode(data + take(writer), CHUNK)
    bodies = [m.payload for m in messages]
    assert bodies[:10] == [frame.payload for frame in source.frames[:10]]
    assert messages[10].payload[0] == 0x17
    assert bodies[-1] == source.frames[-1].payload
    assert source.stream.stats.player_dropped_count == len(source.frames) - len(bodies)
    times = [m.wire_timestamp for m in messages]
    assert times == sorted(times)


def test_writer_behind_by_more_than_the_queue_length_jumps() -> None:
    source = Source(HubConfig(queue_length_s=1))
    source.run(5)
    writer = open_writer(source)
    take(writer)
    source.run(100, from_ms=200)
    messages = decode(take(writer), CHUNK)
    assert source.stream.stats.player_jump_count == 1
    assert messages[0].payload[0] == 0x17 if messages[0].type_id == VIDEO else True
    assert len(messages) < 40


def test_end_comes_after_the_last_frame() -> None:
    source = Source()
    source.run(5)
    writer = open_writer(source)
    take(writer, 1)
    source.stream.end("over")
    assert not writer.is_finished
    take(writer)
    assert writer.is_finished
    assert writer.end_reason == "over"


@pytest.mark.parametrize("is_hop", [True, False])
def test_publishers_end_is_passed_on_to_nodes_at_once(is_hop: bool) -> None:
    source = Source()
    source.run(2)
    writer = open_writer(source, is_hop=is_hop)
    take(writer)
    source.stream.announce_unpublished("left")
    assert writer.is_finished is is_hop


@pytest.mark.parametrize("is_back", [False, True])
def test_loss_of_the_publisher_is_told_behind_the_last_frame_unless_it_is_back(is_back: bool) -> None:
    source = Source()
    source.run(30)
    writer, publisher = open_writer(source, is_hop=True), source.stream.publisher
    source.stream.feed.leave(source.stream.publisher)
    source.stream.feed.grace_until_ms = 1
    writer.tell_lost()
    messages = decode(take(writer, 1), CHUNK)
    assert len(messages) < 10, "the frames come first"
    if is_back:
        source.stream.feed.see(publisher, 0)
    messages = decode(take(writer), CHUNK)
    mark = decode_mark(messages[-1].payload) if messages[-1].type_id == DATA else None
    last = source.frames[-1]
    if is_back:
        assert mark is None
    else:
        assert mark is not None and (mark.index, mark.is_lost) == (last.index + 1, True)
        assert messages[-2].payload == last.payload
    assert take(writer) == b""


@pytest.mark.parametrize("count", [0, 5])
def test_loss_is_told_to_a_node_that_has_all_there_is(count: int) -> None:
    """It was cut off in a silence and has come back, and nothing was written since."""
    source = Source()
    source.run(count)
    epoch = source.stream.epoch
    assert epoch is not None
    writer = open_writer(source, is_hop=True, resume=ResumePoint(epoch.id, epoch.next_index))
    assert take(writer) == b""
    source.stream.feed.leave(source.stream.publisher)
    source.stream.feed.grace_until_ms = 1
    writer.tell_lost()
    (message,) = decode(take(writer), CHUNK)
    mark = decode_mark(message.payload)
    assert mark is not None and (mark.epoch, mark.index, mark.is_lost) == (epoch.id, epoch.next_index, True)


def test_loss_is_told_to_nodes_of_ours_only() -> None:
    source = Source()
    source.run(3)
    writer = open_writer(source)
    take(writer)
    source.stream.feed.leave(source.stream.publisher)
    source.stream.feed.grace_until_ms = 1
    writer.tell_lost()
    assert take(writer) == b""


def test_closed_writer_reads_no_more() -> None:
    source = Source()
    writer = open_writer(source)
    writer.close()
    writer.close()
    assert source.stream.readers == []


def test_waits_for_a_keyframe_of_a_video_stream() -> None:
    source = Source()
    source.video(0)
    writer = open_writer(source)
    assert take(writer) == b""
    source.video(40, is_keyframe=True)
    assert len(decode(take(writer), CHUNK)) == 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("frames"), st.integers(1, 12)),
            st.tuples(st.just("fill"), st.sampled_from([1, 100, 10**6])),
            st.tuples(st.just("cut"), st.integers(0, 400)),
            st.tuples(st.just("header"), st.integers(0, 3)),
        ),
        max_size=40,
    )
)
def test_U1_cut_and_resumed_hop_loses_and_doubles_nothing(steps) -> None:
    source, node, clock = Source(), Node(), 0
    source.headers()
    source.run(3)
    clock = 120
    writer, wire = open_writer(source, is_hop=True), b""
    for what, value in [*steps, ("fill", 10**6), ("cut", 10**6), ("fill", 10**9), ("cut", 10**9)]:
        if what == "frames":
            source.run(value, from_ms=clock, gop=8)
            clock += value * 40
        elif what == "header":
            source.push(VIDEO, clock, VIDEO_HEADER_BODY + b"%d" % value)
        elif what == "fill":
            wire += take(writer, value)
        else:
            node.receive(wire[: len(wire) - min(value, len(wire)) if value < 10**5 else None])
            writer.close()
            writer, wire = open_writer(source, is_hop=True, resume=node.resume), b""
    first = next((n for n, f in enumerate(source.frames) if f.payload == node.bodies[0]), 0)
    kept = [(f.payload, f.kind) for f in source.frames[first:] if f.kind == MEDIA]
    assert node.bodies == [body for body, _ in kept]
    node_headers = {f.payload for f in node.stream.queue.headers_at(node.stream.queue.end)}
    assert node_headers == {f.payload for f in source.stream.queue.headers_at(source.stream.queue.end)}
    ours = [f.dts_ms for f in node.stream.queue.frames if f.kind == MEDIA]
    theirs = [f.dts_ms for f in source.frames[first:] if f.kind == MEDIA]
    assert [a - ours[0] for a in ours] == [b - theirs[0] for b in theirs]


def test_writer_placed_far_back_in_a_long_group_is_not_late_for_that() -> None:
    source = Source(HubConfig(queue_length_s=5))
    source.run(250, step_ms=200, gop=999)
    for is_hop in (False, True):
        writer, data = open_writer(source, is_hop=is_hop), b""
        while part := take(writer, 600):
            data += part
        assert source.stream.stats.player_jump_count == 0
        bodies = [m.payload for m in decode(data, CHUNK) if m.type_id != DATA]
        assert bodies == [frame.payload for frame in source.frames]


@pytest.mark.parametrize("is_hop", [False, True])
def test_late_writer_stays_where_no_better_place_is_ahead(is_hop: bool) -> None:
    source = Source(HubConfig(queue_length_s=2))
    source.run(5)
    writer = open_writer(source, is_hop=is_hop)
    data = take(writer)
    for n in range(100):
        source.video(200 + n * 200)
    data += take(writer)
    assert source.stream.stats.player_jump_count == 0
    bodies = [m.payload for m in decode(data, CHUNK) if m.type_id != DATA]
    assert bodies == [frame.payload for frame in source.frames]


@pytest.mark.parametrize("factor", [44.1 / 48, 0.0, 2.0], ids=["slow", "frozen", "double"])
@pytest.mark.parametrize("odd", ["sound", "picture"])
@pytest.mark.parametrize("is_hop", [False, True])
def test_writers_in_step_get_all_of_both_tracks_whatever_their_clocks_do(factor, odd: str, is_hop: bool) -> None:
    source = Source(HubConfig(queue_length_s=2))
    writers = {open_writer(source, is_hop=is_hop): b""}
    for n in range(2500):
        stamp = int(n * 40 * factor)
        source.audio(stamp if odd == "sound" else n * 40)
        source.video(stamp if odd == "picture" else n * 40, is_keyframe=n % 50 == 0)
        if n == 2480:
            writers[open_writer(source, is_hop=is_hop)] = b""
        for writer in writers:
            writers[writer] += take(writer, 200)
    assert source.stream.stats.player_jump_count == 0
    everything = [frame.payload for frame in source.frames]
    for writer, data in writers.items():
        messages = [m for m in decode(data + take(writer), CHUNK) if m.type_id != DATA]
        bodies = [m.payload for m in messages]
        assert bodies == everything[everything.index(bodies[0]) :]
        for type_id in (AUDIO, VIDEO):
            times = [m.wire_timestamp for m in messages if m.type_id == type_id]
            assert times == sorted(times)


def test_newcomer_to_slides_gets_the_present_one() -> None:
    source = Source()
    slide = slides(source)
    messages = decode(take(open_writer(source)), CHUNK)
    assert [(m.payload, m.wire_timestamp) for m in messages if m.type_id == VIDEO][1:] == [(slide, 0)]
    assert messages[-1].payload == source.frames[-1].payload


def test_node_that_comes_to_slides_gets_the_present_one_and_no_frame_twice() -> None:
    source, nodes = Source(), [Node(), Node(), Node()]
    slide = slides(source)
    writers = [open_writer(source, is_hop=True)]
    nodes[0].receive(take(writers[0]))
    for up, down in ((0, 1), (1, 2)):
        assert nodes[up].resume is not None
        stream_of = type("Up", (), {"stream": nodes[up].stream})()
        writers.append(open_writer(stream_of, is_hop=True))
        nodes[down].receive(take(writers[-1]))
    for node in nodes:
        queue = node.stream.queue
        assert node.bodies == [source.frames[-1].payload]
        start = queue.start_seq(HubConfig())
        assert start is not None
        assert [frame.payload for frame in queue.pictures_at(start)] == [slide]
        assert node.stream.stats.gap_count == node.stream.stats.duplicate_count == 0
    cut = open_writer(source, is_hop=True, resume=nodes[0].resume)
    source.audio(14_000)
    source.video(14_010, is_keyframe=True)
    nodes[0].receive(take(cut))
    assert nodes[0].bodies == [frame.payload for frame in source.frames[-3:]]
    fresh = ResumePoint("e1", source.epoch.next_index - 2, is_fresh=True)
    other = Node()
    other.receive(take(open_writer(source, is_hop=True, resume=fresh)))
    assert other.bodies[-2:] == nodes[0].bodies[-2:]


# --- how long frames have been on their way -------------------------------------------


def delays_of(data: bytes) -> list[tuple[int, int]]:
    """Index and time at the first node, by each mark that tells a delay."""
    marks = [decode_mark(m.payload) for m in decode(data, CHUNK) if m.type_id == DATA]
    return [(mark.index, mark.delay.began_us) for mark in marks if mark is not None and mark.delay is not None]


def time_next(source: Source) -> None:
    """The next frame is the one of this second that is timed."""
    source.stream.tick(source.now_ms)


def test_delay_stands_before_the_timed_frame_and_bears_no_cut() -> None:
    source = Source(HubConfig(hls=True))
    source.run(5)
    writer = open_writer(source, is_hop=True)
    writer.tells_delay = True
    begun = take(writer)
    time_next(source)
    source.clock_us += 5
    source.video(200)
    came_us = source.clock_us
    source.clock_us += 1000
    source.video(240)
    data = begun + take(writer)
    assert delays_of(data) == [(10, came_us)]
    marks = [decode_mark(m.payload) for m in decode(data, CHUNK) if m.type_id == DATA]
    assert [(mark.index, mark.cut is None) for mark in marks if mark is not None] == [(0, False), (10, True)]
    messages = decode(data, CHUNK)
    at = next(n for n, m in enumerate(messages) if m.type_id == DATA and n)
    assert messages[at + 1].payload == source.frames[10].payload
    node = Node()
    node.receive(data)
    assert node.bodies == [frame.payload for frame in source.frames if frame.kind == MEDIA]
    assert node.stream.stats.gap_count == node.stream.stats.duplicate_count == 0


@pytest.mark.parametrize("is_hop", [True, False])
def test_older_node_or_another_server_is_told_no_delays(is_hop: bool) -> None:
    source = Source()
    source.run(2)
    writer = open_writer(source, is_hop=is_hop)
    data = take(writer)
    time_next(source)
    source.run(2, from_ms=80)
    data += take(writer)
    assert source.stream.delay.figures is not None
    assert delays_of(data) == []
    assert len([m for m in decode(data, CHUNK) if m.type_id == DATA]) == is_hop


def test_what_was_held_for_a_newcomer_is_not_late() -> None:
    source = Source()
    source.run(3)
    time_next(source)
    source.run(3, from_ms=120)
    writer = open_writer(source, is_hop=True)
    writer.tells_delay = True
    data = take(writer)
    source.run(3, from_ms=240)
    assert delays_of(data + take(writer)) == []
    time_next(source)
    source.run(1, from_ms=360)
    assert len(delays_of(data + take(writer))) == 1


def test_peer_that_is_behind_is_told_of_one_timed_frame_after_the_other() -> None:
    source = Source()
    source.run(1)
    writer = open_writer(source, is_hop=True)
    writer.tells_delay = True
    data = take(writer)
    told: list[int] = []
    for second in range(4):
        time_next(source)
        source.clock_us += 1_000_000
        source.video(1000 + second * 40, size=500)
        told.append(source.clock_us)
        data += take(writer, 100)  # about a frame for two that come
        source.video(1020 + second * 40, size=500)
    data += take(writer)
    times = [began_us for _, began_us in delays_of(data)]
    assert times == sorted(set(times)) and set(times) <= set(told)
    assert len(times) >= 2


def test_delay_is_not_told_where_another_mark_comes_first() -> None:
    source = Source()
    source.run(2)
    writer = open_writer(source, is_hop=True)
    writer.tells_delay = True
    data = take(writer)
    time_next(source)
    source.stream.begin_publish(source.publisher, Epoch("e2"), 0)
    source.video(0, is_keyframe=True)
    data += take(writer)
    assert source.stream.delay.figures is not None
    assert delays_of(data) == []
    time_next(source)
    source.video(40)
    assert len(delays_of(data + take(writer))) == 1


def test_first_frame_of_a_viewer_is_counted_once() -> None:
    source = Source()
    writer = open_writer(source)
    writer.asked_ms = 5
    owner = writer._owner
    owner.now = 105
    take(writer)
    assert owner.first_frames_ms == []
    source.run(2)
    take(writer)
    source.run(2, from_ms=80)
    take(writer)
    assert owner.first_frames_ms == [100]
