"""Where segments begin, and that nodes which begin later count as those before them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hub.config import HubConfig
from edge.hub.cuts import CutCounter, rule_of
from edge.hub.frame_queue import FrameQueue
from edge.media.cut_rule import CutRule
from edge.media.frame import AUDIO, MEDIA, METADATA, VIDEO, VIDEO_HEADER, Epoch, Frame
from tests.hub.frames import data, header, inter, key, sound

WALL_MS = 1_796_000_000_000


class Fed:
    """A queue that is filled as a stream fills it, and its counter."""

    def __init__(self, rule: CutRule | None = None) -> None:
        self.queue = FrameQueue()
        self.counter = CutCounter(rule or CutRule())
        self.epoch = Epoch("e1", started_wall_ms=WALL_MS)

    def push(self, *frames: Frame) -> None:
        for frame in frames:
            frame.epoch = self.epoch
            if frame.kind == MEDIA:
                frame.index = self.epoch.next_index
                self.epoch.next_index += 1
            self.queue.push(frame)

    def begin(self, epoch_id: str, wall_ms: int = WALL_MS) -> None:
        self.epoch = Epoch(epoch_id, started_wall_ms=wall_ms)

    @property
    def begins_ms(self) -> list[int]:
        """Stamps of the cuts, less that of the first."""
        self.counter.catch_up(self.queue)
        first = self.counter.cuts[0].dts_ms
        return [cut.dts_ms - first for cut in self.counter.cuts]


def pictures(begin_ms: int, end_ms: int, group_ms: int, step_ms: int = 40) -> list[Frame]:
    return [(key if ms % group_ms == 0 else inter)(ms) for ms in range(begin_ms, end_ms, step_ms)]


@pytest.mark.parametrize(
    ("what", "frames", "rule", "begins_ms"),
    [
        ("groups of the length of a segment", pictures(0, 8001, 2000), CutRule(), [0, 2000, 4000, 6000, 8000]),
        ("shorter groups", pictures(0, 6001, 1000), CutRule(), [0, 2000, 4000, 6000]),
        ("groups that do not fit", pictures(0, 9001, 1200), CutRule(), [0, 2400, 4800, 7200]),
        ("long groups", pictures(0, 15001, 5000), CutRule(), [0, 5000, 10000, 15000]),
        ("no second keyframe", pictures(0, 17001, 10**9), CutRule(), [0, 8000, 16000]),
        (
            "no second keyframe, none is waited for",
            pictures(0, 5001, 10**9),
            CutRule(2000, 1, 4, False),
            [0, 1960, 3920],
        ),
        ("all keyframes", pictures(0, 4001, 40), CutRule(), [0, 1960, 3920]),
        ("later than its length", pictures(0, 8001, 2000), CutRule(2000, 1.5), [0, 4000, 8000]),
        ("sound alone", [sound(ms) for ms in range(0, 4100, 20)], CutRule(), [0, 1960, 3920]),
        ("stamps a little early", [key(0), key(1999), key(3998)], CutRule(), [0, 1999, 3998]),
        ("much data", [key(0, 600), inter(40, 600), inter(80, 600)], CutRule(max_bytes=1000), [0, 40, 80]),
        ("one stamp for all", [key(0, 600), inter(0, 600), key(0, 600)], CutRule(max_bytes=1000), [0]),
        (
            "a picture stands still",
            [key(0), *(sound(ms) for ms in range(0, 12_000, 20))],
            CutRule(),
            [0, 1960, 3920, 5880, 7840, 9800, 11760],
        ),
        (
            "the camera goes off",
            [*pictures(0, 2500, 1000), *(sound(ms) for ms in range(2500, 8100, 20))],
            CutRule(),
            [0, 2000, 3960, 5920, 7880],
        ),
        (
            "sound first",
            [*(sound(ms) for ms in range(0, 200, 20)), *pictures(200, 4500, 200)],
            CutRule(),
            [0, 2000, 4000],
        ),
    ],
)
def test_cuts(what: str, frames: list[Frame], rule: CutRule, begins_ms: list[int]) -> None:
    fed = Fed(rule)
    fed.push(*frames)
    assert fed.begins_ms == begins_ms, what
    numbers = [cut.number for cut in fed.counter.cuts]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert all(cut.wall_ms == WALL_MS + cut.dts_ms - frames[0].dts_ms for cut in fed.counter.cuts)


def test_how_often_it_counts_changes_nothing() -> None:
    frames = [*pictures(0, 9000, 1200), *pictures(9000, 20_000, 10**9)]
    at_once, each = Fed(), Fed()
    at_once.push(*frames)
    for frame in pictures(0, 9000, 1200) + pictures(9000, 20_000, 10**9):
        each.push(frame)
        each.counter.catch_up(each.queue)
    assert at_once.begins_ms == each.begins_ms


class OneByOne(CutCounter):
    """Looks at each frame."""

    def _skip(self, queue: FrameQueue, seq: int) -> int:
        return seq


@given(
    steps=st.lists(st.tuples(st.sampled_from("kppaaaadhgn"), st.integers(0, 700), st.integers(0, 400)), max_size=150),
    lot=st.integers(1, 120),
    rule=st.sampled_from([CutRule(), CutRule(max_bytes=2000), CutRule(600), CutRule(600, 1, 2, False)]),
)
def test_frames_that_are_stepped_over_count_as_those_that_are_looked_at(
    steps: list[tuple[str, int, int]], lot: int, rule: CutRule
) -> None:
    in_lots, each = Fed(rule), Fed(rule)
    each.counter = OneByOne(rule)
    for fed in (in_lots, each):
        ms = 0
        for number, (what, passed_ms, size) in enumerate([("k", 0, 0), *steps, ("a", 0, 0)]):
            ms += passed_ms
            if what == "n":
                fed.begin(f"e{number}", WALL_MS + ms)
            elif what == "g":  # one is missing
                fed.epoch.next_index += 1
            elif what == "h":
                fed.push(header(str(number).encode(), dts_ms=ms))
            else:
                fed.push({"k": key(ms, size), "p": inter(ms, size), "a": sound(ms), "d": data(ms)}[what])
            if number % lot == 0:
                fed.counter.catch_up(fed.queue)
        fed.counter.catch_up(fed.queue)

    def facts(counter: CutCounter) -> list[tuple[object, ...]]:
        return [(cut.seq, cut.number, cut.dts_ms, cut.is_whole, cut.is_discontinuity) for cut in counter.cuts]

    assert facts(in_lots.counter) == facts(each.counter)
    end = in_lots.queue.end
    assert in_lots.counter.state_at(in_lots.queue, end) == each.counter.state_at(each.queue, end)


def test_frames_between_keyframes_are_counted_together_when_old_ones_go_once_in_two_seconds() -> None:
    looked_at = 0

    class Watched(Epoch):
        def origin_ms(self, frame: Frame) -> int:
            nonlocal looked_at
            looked_at += 1
            return super().origin_ms(frame)

    fed = Fed()
    fed.epoch = Watched("e1", started_wall_ms=WALL_MS)
    frames = [*pictures(0, 60_000, 2000), *(sound(ms) for ms in range(0, 60_000, 23))]
    for number, frame in enumerate(sorted(frames, key=lambda frame: frame.dts_ms)):
        fed.push(frame)
        if number % 130 == 0:
            fed.counter.catch_up(fed.queue)
    assert fed.begins_ms == list(range(0, 60_000, 2000))
    assert looked_at < len(frames) / 20


@pytest.mark.parametrize("what", ["headers", "keyframes", "gaps", "a header behind them"])
def test_no_frame_is_looked_at_once_for_each_behind_it(what: str) -> None:
    looked_at = 0

    class Watched(list[Frame]):
        def __getitem__(self, place):  # type: ignore[no-untyped-def]
            nonlocal looked_at
            looked_at += len(range(len(self))[place]) if isinstance(place, slice) else 1
            return super().__getitem__(place)

    fed = Fed()
    fed.push(key(0), *(sound(ms) if ms % 3 else inter(ms) for ms in range(2000)))
    fed.counter.catch_up(fed.queue)
    for ms in range(2000, 4000):
        if what == "headers":
            fed.push(header(str(ms).encode(), dts_ms=ms))
        fed.epoch.next_index += what == "gaps"
        fed.push(key(ms) if what == "keyframes" else sound(ms) if ms % 3 else inter(ms))
    fed.push(header(kind=METADATA), sound(4000))
    fed.queue.frames = Watched(fed.queue.frames)
    fed.counter.catch_up(fed.queue)
    assert 0 < looked_at < 5 * 2000


def test_another_publish_begins_a_discontinuity_and_goes_on_counting() -> None:
    fed = Fed()
    fed.push(*pictures(0, 3000, 1000))
    fed.begin("e2", WALL_MS + 60_000)
    fed.push(*pictures(3000, 6000, 1000))
    fed.counter.catch_up(fed.queue)
    first, second, third, fourth = fed.counter.cuts
    assert [cut.number - first.number for cut in (second, third, fourth)] == [1, 2, 3]
    assert (second.is_discontinuity, third.is_discontinuity, fourth.is_discontinuity) == (False, True, False)
    assert [cut.discontinuity - first.discontinuity for cut in (second, third, fourth)] == [0, 1, 1]
    assert third.wall_ms == WALL_MS + 60_000


def test_another_configuration_begins_a_discontinuity() -> None:
    fed = Fed()
    fed.push(header(b"a"), *pictures(0, 2900, 1000))
    fed.push(header(b"b", dts_ms=3000), *pictures(3000, 4000, 1000))
    fed.counter.catch_up(fed.queue)
    assert [(cut.dts_ms, cut.is_discontinuity) for cut in fed.counter.cuts] == [(0, False), (2000, False), (3000, True)]


def test_headers_at_the_beginning_belong_to_it() -> None:
    fed = Fed()
    fed.push(header(b"a"), key(0), inter(40), header(b"late sound", VIDEO_HEADER, 80), inter(80), inter(120))
    assert fed.begins_ms == [0]


def test_the_target_grows_with_the_longest_segment() -> None:
    fed = Fed()
    fed.push(*pictures(0, 20_001, 5000))
    fed.counter.catch_up(fed.queue)
    assert [cut.target_s for cut in fed.counter.cuts] == [2, 5, 5, 5, 5]


def test_cuts_of_frames_that_are_gone_are_forgotten_but_for_the_one_in_force() -> None:
    fed = Fed()
    fed.push(*pictures(0, 10_000, 2000))
    fed.counter.catch_up(fed.queue)
    fed.counter.evict(120)  # in the third segment
    assert [cut.dts_ms for cut in fed.counter.cuts] == [4000, 6000, 8000]


def copies(frames: Iterable[Frame], epochs: dict[str, Epoch], shift_ms: int) -> list[Frame]:
    """The frames as a node has them whose clock is another."""
    found = []
    for frame in frames:
        assert frame.epoch is not None
        epoch = epochs.setdefault(
            frame.epoch.id, Epoch(frame.epoch.id, shift_ms, started_wall_ms=frame.epoch.started_wall_ms)
        )
        copy = Frame(
            frame.type_id, frame.dts_ms + shift_ms, frame.payload, frame.kind, frame.is_keyframe, epoch, frame.index
        )
        found.append(copy)
    return found


STEPS = st.lists(
    st.tuples(st.sampled_from("kpaahn"), st.integers(0, 300), st.integers(0, 400)), min_size=30, max_size=200
)


@given(
    steps=STEPS,
    place=st.floats(0, 1),
    shift_ms=st.integers(0, 10_000),
    max_bytes=st.sampled_from([20_000, 50_000_000]),
    lot=st.integers(1, 50),
)
def test_a_node_that_begins_anywhere_cuts_as_the_origin_does(
    steps: list[tuple[str, int, int]], place: float, shift_ms: int, max_bytes: int, lot: int
) -> None:
    rule = CutRule(600, 1.0, 4.0, True, max_bytes, 100)
    origin = Fed(rule)
    dts_ms = 0
    for what, passed_ms, size in steps:
        dts_ms += passed_ms
        if what == "n":
            origin.begin(f"e{dts_ms}x{len(origin.queue.frames)}", WALL_MS + dts_ms)
        elif what == "h":
            origin.push(header(bytes(str(dts_ms), "ascii"), VIDEO_HEADER, dts_ms))
        else:
            body = {"k": b"\x17\x01", "p": b"\x27\x01", "a": b"\xaf\x01"}[what] + bytes(size)
            origin.push(Frame(AUDIO if what == "a" else VIDEO, dts_ms, body, MEDIA, what == "k"))
    origin.counter.catch_up(origin.queue)
    media = [seq for seq in range(origin.queue.end) if origin.queue[seq].kind == MEDIA]
    if not media:
        return
    begin = media[int(place * (len(media) - 1))]
    told = origin.queue[begin]
    state = origin.counter.state_at(origin.queue, begin)
    assert state is not None and told.epoch is not None
    later = CutCounter(CutRule(50_000))
    later.adopt(told.epoch.id, told.index, state)
    queue, epochs = FrameQueue(), {}
    # The sender begins with the headers in force; of further publishes its mark tells anew.
    epoch = None
    for seq in range(begin, origin.queue.end):
        frame = origin.queue[seq]
        if frame.kind == MEDIA and frame.epoch is not epoch:
            epoch = frame.epoch
            at = origin.counter.state_at(origin.queue, seq)
            assert at is not None and epoch is not None
            later.adopt(epoch.id, frame.index, at)
        queue.push(copies([frame], epochs, shift_ms)[0])
        if not seq % lot:
            later.catch_up(queue)
    later.catch_up(queue)

    def facts(counter: CutCounter, since: int) -> list[tuple[object, ...]]:
        return [
            (cut.number, cut.dts_ms, cut.wall_ms, cut.discontinuity, cut.is_discontinuity, cut.target_s)
            for cut in counter.cuts
            if cut.number >= since
        ]

    assert facts(later, state.number) == facts(origin.counter, state.number)
    assert later.cuts[0].is_whole == (state.size_bytes == 0)
    assert all(cut.is_whole for cut in list(later.cuts)[1:])


def test_a_segment_of_which_frames_are_missing_is_not_whole() -> None:
    fed = Fed()
    fed.push(*pictures(0, 1000, 1000))
    fed.epoch.next_index += 3
    fed.push(*pictures(1000, 5000, 1000))
    fed.counter.catch_up(fed.queue)
    assert [cut.is_whole for cut in fed.counter.cuts] == [False, True, True]


def test_dates_do_not_go_back_when_a_publisher_was_faster_than_time() -> None:
    fed = Fed()
    fed.push(*pictures(0, 4100, 2000))
    fed.begin("e2", WALL_MS + 1000)
    fed.push(*pictures(4100, 5000, 2000))
    fed.counter.catch_up(fed.queue)
    assert [cut.wall_ms - WALL_MS for cut in fed.counter.cuts] == [0, 2000, 4000, 4100]
    state = fed.counter.state_at(fed.queue, fed.queue.end)
    assert state is not None and state.began_ms == 4100


def test_a_segment_whose_end_is_missing_is_not_whole() -> None:
    """The next frame that came was of a later segment, of which a mark told."""
    fed, later = Fed(), Fed()
    fed.push(*pictures(0, 9000, 2000))
    state = fed.counter.state_at(fed.queue, 150)
    assert state is not None
    later.push(*pictures(0, 3000, 2000))
    later.counter.catch_up(later.queue)
    later.counter.adopt("e1", 150, state)
    later.epoch.next_index = 150
    later.push(*pictures(6000, 9000, 2000))
    later.counter.catch_up(later.queue)
    assert [(cut.dts_ms, cut.is_whole) for cut in later.counter.cuts] == [
        (0, True),
        (2000, False),
        (6000, True),
        (8000, True),
    ]


def test_parts_are_no_longer_than_segments() -> None:
    assert rule_of(HubConfig(hls_fragment_s=1, hls_part_ms=5000)).part_ms == 1000


def test_node_that_begins_behind_frames_which_are_gone_has_not_the_whole_segment() -> None:
    """Its first part was said to last from the beginning of the segment, in which nothing was."""
    fed = Fed()
    fed.push(*pictures(0, 3200, 1000))
    fed.counter.catch_up(fed.queue)
    fed.queue.evict(fed.queue.keyframes[-1] - fed.queue.base)
    fed.counter.evict(fed.queue.base)
    state = fed.counter.state_at(fed.queue, fed.queue.base)
    assert state is not None and (state.dts_ms, state.picture_ms) == (2000, 2000) and state.size_bytes > 0
