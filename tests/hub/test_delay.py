"""Delays of timed frames: at the first node, over hops, and out to players."""

from __future__ import annotations

import pytest

from edge.hub.config import HubConfig
from edge.hub.delay import DelayFigures, DelayHistograms, Lateness, StreamDelay
from edge.hub.hop import HopReceiver
from edge.hub.key import StreamKey
from edge.hub.peer_clock import PeerClock
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import AUDIO, DATA, VIDEO, Epoch
from edge.media.mark import MAX_DELAY_US, MAX_DELAYS, Mark, MarkDelay

HOUR_US = 3_600_000_000
KEY, INTER = b"\x17\x01\0\0\0", b"\x27\x01\0\0\0"


class Clock:
    """Microseconds that only the test moves."""

    def __init__(self, now_us: int = 50 * HOUR_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


class First:
    """The node to which a stream is published."""

    def __init__(self, *, is_local: bool = True, config: HubConfig | None = None) -> None:
        self.clock, self.node = Clock(), DelayHistograms()
        self.delay = StreamDelay(self.clock, self.node)
        self.stream = Stream(StreamKey("_", "live", "s"), config or HubConfig(), 0, delay=self.delay)
        self.publisher = Publisher(self.stream, "1.2.3.4:5", 0)
        if is_local:
            self.publisher.epoch = Epoch("e1")
        self.stream.begin_publish(self.publisher, Epoch("e1"), 0)
        self.number = 0

    def take(self, stamp_ms: int, *, after_ms: int = 0, type_id: int = VIDEO) -> None:
        """A frame comes."""
        self.clock.now_us += after_ms * 1000
        head = KEY if self.number == 0 else INTER
        self.number += 1
        payload = head + b"x" if type_id == VIDEO else b"\xaf\x01x" if type_id == AUDIO else b"\x02\x00\x01d"
        self.publisher.push(type_id, stamp_ms, payload, 0)
        self.publisher.commit()

    @property
    def figures(self) -> DelayFigures:
        assert self.delay.figures is not None
        return self.delay.figures


def test_one_frame_a_second_is_timed_and_no_other() -> None:
    first = First()
    for second in range(5):
        first.stream.tick(second * 1000)
        for n in range(25):
            first.take(second * 1000 + n * 40, after_ms=40)
        assert first.delay.seq == 25 * second
    assert first.delay.histograms.ingest.count == first.node.ingest.count == 5
    assert first.delay.histograms.total.count == 0
    assert first.figures == DelayFigures(0.0, (), 0.0, None, True)


def test_nothing_is_timed_without_a_clock() -> None:
    stream = Stream(StreamKey("_", "live", "s"), HubConfig(), 0)
    publisher = Publisher(stream, "", 0)
    stream.begin_publish(publisher, Epoch("e1"), 0)
    stream.tick(0)
    publisher.push(VIDEO, 0, KEY + b"x", 0)
    publisher.commit()
    stream.delay.note_flush()
    assert stream.delay.figures is None
    assert stream.delay.now_us() is None


def test_a_look_that_brings_nothing_times_nothing() -> None:
    first = First()
    first.take(0)
    first.stream.tick(1000)
    first.publisher.commit()  # a part of a message has come
    assert first.delay.figures is None
    first.clock.now_us += 500_000
    first.take(40)
    assert first.delay.seq == 1
    assert first.delay.timed is not None and first.delay.timed.came_us == first.clock.now_us


def test_data_is_not_timed() -> None:
    first = First()
    first.take(0)
    first.stream.tick(1000)
    first.take(40, type_id=DATA)
    assert first.delay.figures is None
    first.take(40, type_id=AUDIO)
    assert first.delay.seq == first.stream.queue.end - 1


def test_stream_of_a_foreign_upstream_is_not_measured_whole() -> None:
    first = First(is_local=False)
    first.stream.tick(0)
    first.take(0)
    assert not first.figures.is_whole


@pytest.mark.parametrize(
    ("after_ms", "ingest_ms"),
    [
        ([0, 1000, 1000], [0, 0, 0]),
        ([0, 1000, 1300, 700], [0, 0, 300, 0]),
        # A beginning that was itself held up is compared with what comes on time later.
        ([0, 700, 1000, 1200], [0, 0, 0, 200]),
    ],
)
def test_ingest_is_how_much_later_than_the_most_punctual_a_frame_comes(
    after_ms: list[int], ingest_ms: list[int]
) -> None:
    first, found = First(), []
    for second, pause_ms in enumerate(after_ms):
        first.stream.tick(second * 1000)
        first.take(second * 1000, after_ms=pause_ms)
        found.append(first.figures.ingest_ms)
    assert found == ingest_ms


def test_lateness_forgets_what_is_more_than_two_minutes_old_and_other_publishes() -> None:
    lateness = Lateness()
    assert lateness.note("e1", 0, 0) == 0
    found = [lateness.note("e1", n * 1000, n * 1_000_000 + 500_000) for n in range(1, 200)]
    assert found[:60] == [500_000] * 60
    assert found[120:] == [0] * 79
    assert lateness.note("e2", 5, 99_000_000) == 0
    assert lateness.note("e2", 5, 99_000_000 + 2 * MAX_DELAY_US) == MAX_DELAY_US


def test_flush_is_counted_for_the_stream_and_the_node() -> None:
    first = First()
    first.delay.note_flush()
    first.stream.tick(0)
    first.take(0)
    first.clock.now_us += 110_000
    first.delay.note_flush()
    assert first.figures.flush_ms == 110
    assert first.delay.histograms.flush.total == first.node.flush.total == 110
    first.stream.tick(1000)
    first.take(40)
    assert first.figures.flush_ms is None


@pytest.mark.parametrize(
    ("hop_us", "is_taken"),
    [(0, True), (-900, True), (-2_000_000, False), (HOUR_US, False), (MAX_DELAY_US, True), (MAX_DELAY_US + 1, False)],
)
def test_hop_is_what_the_neighbours_figures_leave(hop_us: int, is_taken: bool) -> None:
    clock, node = Clock(), DelayHistograms()
    delay = StreamDelay(clock, node)
    way = MarkDelay(clock.now_us - 30_000 - hop_us, 4000, (10_000, 20_000))
    delay.receive(7, clock.now_us, way)
    if not is_taken:
        assert delay.figures is None and node.total.count == 0
        return
    total_ms = max(30_000 + hop_us, 0) / 1000
    assert delay.figures == DelayFigures(4.0, (10.0, 20.0, max(hop_us, 0) / 1000), total_ms, None, True)
    assert [histogram.count for histogram in delay.histograms.hops] == [1, 1, 1]
    assert [histogram.count for histogram in node.hops] == [0, 0, 1]  # the others are other nodes' to count
    assert (delay.histograms.ingest.count, node.ingest.count, node.total.count) == (1, 0, 1)


def test_way_without_an_end_is_not_followed() -> None:
    delay = StreamDelay(Clock(), None)
    delay.receive(7, 1000, MarkDelay(0, 0, (0,) * MAX_DELAYS))
    assert delay.figures is None


def test_histograms_of_several_services_merge() -> None:
    one, other = DelayHistograms(), DelayHistograms()
    one.hop(1).observe(1)
    other.hop(2).observe(2)
    other.total.observe(3)
    one.merge(other)
    assert [(hop.count, hop.total) for hop in one.hops] == [(1, 1), (1, 2)]
    assert one.total.total == 3


# --- over a hop -----------------------------------------------------------------------


class Second:
    """A node of ours behind the first; its clock shows ``ahead_us`` more, and it knows by how much."""

    def __init__(self, ahead_us: int = HOUR_US, *, config: HubConfig | None = None, knows_clock: bool = True) -> None:
        self.clock, self.node = Clock(50 * HOUR_US + ahead_us), DelayHistograms()
        self.delay = StreamDelay(self.clock, self.node)
        self.stream = Stream(StreamKey("_", "live", "s"), config or HubConfig(), 0, delay=self.delay)
        self.publisher = Publisher(self.stream, "up", 0, is_hop=True)
        self.stream.see(self.publisher, 0)
        self.asked: list[int] = []
        peer = PeerClock(self.clock, self.asked.append)
        if knows_clock:
            peer.keep()
            peer.told(self.asked[0], self.clock.now_us - ahead_us)
        self.hop = HopReceiver(self.publisher, peer_clock=peer)
        self.hop.push(DATA, 0, Mark("e1", 0, 0, 0).encode(), 0)

    def frame(self, number: int) -> None:
        self.hop.push(VIDEO, number * 40, (KEY if number % 10 == 0 else INTER) + b"%d" % number, 0)

    def mark(self, index: int, delay: MarkDelay, epoch: str = "e1") -> None:
        self.hop.push(DATA, index * 40, Mark(epoch, index, index * 40, 0, delay=delay).encode(), 0)


def test_timed_frame_is_here_when_it_is_committed_not_when_its_mark_comes() -> None:
    node, sent_us = Second(), 50 * HOUR_US
    node.frame(0)
    node.hop.commit()
    node.mark(1, MarkDelay(sent_us))
    node.hop.commit()
    assert node.delay.figures is None
    node.clock.now_us += 25_000
    node.frame(1)
    node.frame(2)
    node.hop.commit()
    assert node.delay.figures == DelayFigures(0.0, (25.0,), 25.0, None, True)
    assert node.delay.seq == 1
    assert node.delay.timed is not None and node.delay.timed.began_us == sent_us + HOUR_US


@pytest.mark.parametrize(
    "what",
    [
        "no answer yet",
        "a duplicate",
        "another publish",
        "another publish in its place",
        "another frame",
        "muted meanwhile",
        "a clock gone mad",
    ],
)
def test_what_cannot_be_told_is_left_out(what: str) -> None:
    node = Second(knows_clock=what != "no answer yet")
    way = MarkDelay(50 * HOUR_US if what != "a clock gone mad" else 1)
    for number in range(5):
        node.frame(number)
    node.hop.commit()
    if what == "a duplicate":
        node.hop.push(DATA, 0, Mark("e1", 2, 80, 0).encode(), 0)
        node.mark(2, way)
        node.frame(2)
    elif what == "another publish":
        node.mark(5, way, "e2")
        node.frame(5)
    elif what == "another publish in its place":
        node.mark(5, way)
        node.hop.push(DATA, 200, Mark("e2", 5, 200, 0).encode(), 0)
        node.frame(5)
    elif what == "another frame":
        node.mark(6, way)
        node.frame(6)
    else:
        node.mark(5, way)
        node.frame(5)
    if what == "muted meanwhile":
        node.publisher.is_active = False
    node.hop.commit()
    assert node.delay.figures is None
    assert node.asked  # so that the next one can be told


def test_node_whose_neighbour_tells_delays_begins_none_of_its_own() -> None:
    node = Second()
    node.stream.tick(0)
    for number in range(5):
        node.frame(number)
    node.hop.commit()
    assert node.delay.figures is None
    HopReceiver(node.publisher)  # an older node of ours follows
    node.stream.tick(1000)
    hop = HopReceiver(node.publisher)
    hop.push(DATA, 0, Mark("e1", 5, 200, 0).encode(), 0)
    hop.push(VIDEO, 200, INTER + b"5", 0)
    hop.commit()
    assert node.delay.figures == DelayFigures(0.0, (), 0.0, None, False)


@pytest.mark.parametrize("fragment_s", [0.4, 2])
def test_delays_in_marks_change_neither_frames_nor_cuts(fragment_s: float) -> None:
    found = []
    for is_timed in (False, True):
        node = Second(config=HubConfig(hls=True, hls_fragment_s=fragment_s))
        for number in range(200):
            if is_timed and number % 7 == 3:
                node.mark(number, MarkDelay(50 * HOUR_US))
            node.frame(number)
            node.hop.commit()
            node.clock.now_us += 40_000
        queue, cuts = node.stream.queue, node.stream.cuts
        assert cuts is not None
        cuts.catch_up(queue)
        frames = [(frame.index, frame.dts_ms, frame.payload) for frame in queue.frames]
        begins = [(cut.seq, cut.number, cut.dts_ms, cut.wall_ms, cut.discontinuity, cut.is_whole) for cut in cuts.cuts]
        found.append((frames, begins, node.stream.cut_at(queue.end - 1), node.stream.stats.gap_count))
        assert (node.delay.figures is not None) is is_timed
    assert found[0] == found[1]
    assert found[0][1][-1][1] >= 3  # the number of the last cut
