"""The log of a wire form against a naive one: plain concatenation."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.frame_queue import FrameQueue
from edge.hub.log import LogPlace, StreamLog
from edge.media.frame import ALL_TRACKS, AUDIO, MEDIA, VIDEO, VIDEO_HEADER, Frame


class TextForm:
    """``[delta:payload]``; leaves out what begins with a minus."""

    tracks = ALL_TRACKS

    def new_encoder(self, headers: Sequence[Frame]) -> TextForm:
        return self

    def accepts(self, frame: Frame) -> bool:
        return not frame.payload.startswith(b"-")

    def encode(self, frame: Frame, delta_ms: int) -> tuple[bytes, ...]:
        return (b"[%d:" % delta_ms, frame.payload, b"]")


def test_deltas_count_within_a_track_from_0() -> None:
    queue = FrameQueue()
    for type_id, dts_ms in ((VIDEO, 100), (AUDIO, 90), (VIDEO, 140), (AUDIO, 113), (VIDEO, 140)):
        queue.push(Frame(type_id, dts_ms, b"v" if type_id == VIDEO else b"a"))
    log = StreamLog(queue, TextForm())
    assert log.read(0, log.end) == b"[0:v][0:a][40:v][23:a][0:v]"
    assert log.tracks == 3


def test_what_a_form_leaves_out_counts_for_nothing() -> None:
    queue = FrameQueue()
    for dts_ms, body in ((0, b"a"), (10, b"-"), (30, b"b")):
        queue.push(Frame(VIDEO, dts_ms, body))
    log = StreamLog(queue, TextForm())
    assert log.read(0, log.end) == b"[0:a][30:b]"
    assert log.pieces_of(1) == ()
    assert log.offset_of(1) == log.offset_of(2) == 5
    assert log.seq_at(5) == 2


def test_same_read_gives_the_same_object() -> None:
    queue = FrameQueue()
    queue.push(Frame(VIDEO, 0, b"payload"))
    log = StreamLog(queue, TextForm())
    assert log.read(0, log.end) is log.read(0, log.end)


def test_log_opened_late_begins_with_what_is_held() -> None:
    queue = FrameQueue()
    for n in range(10):
        queue.push(Frame(VIDEO, n, b"%d" % n))
    queue.evict(4)
    log = StreamLog(queue, TextForm())
    assert log.start == 0
    assert log.read(0, log.end).startswith(b"[0:4][1:5]")
    assert log.seq_at(0) == 4


class HeadedForm(TextForm):
    """Bears the headers that were in force before the log began."""

    def __init__(self) -> None:
        self.headers: list[bytes] = []

    def new_encoder(self, headers: Sequence[Frame]) -> HeadedForm:
        self.headers = [header.payload for header in headers]
        return self


def test_encoder_is_told_the_headers_before_its_first_frame() -> None:
    queue = FrameQueue()
    for n, body in enumerate((b"\x17\x00\0\0\0old", b"\x17\x00\0\0\0new")):
        queue.push(Frame(VIDEO, n, body, VIDEO_HEADER))
        queue.push(Frame(VIDEO, n, b"\x17\x01\0\0\0k", MEDIA, is_keyframe=True))
    late, early = HeadedForm(), HeadedForm()
    assert StreamLog(queue, late, 3).seq_at(0) == 3
    assert late.headers == [b"\x17\x00\0\0\0new"]
    StreamLog(queue, early)
    assert early.headers == []


def test_place_tells_what_a_player_needs_there() -> None:
    queue = FrameQueue()
    bodies = (b"\x17\x00\0\0\0one", b"\x17\x01\0\0\0k", b"\x17\x00\0\0\0two", b"\x17\x01\0\0\0k")
    for n, body in enumerate(bodies):
        queue.push(Frame(VIDEO, n * 40, body, MEDIA if n % 2 else VIDEO_HEADER, is_keyframe=bool(n % 2)))
    log = StreamLog(queue, TextForm())
    newcomer, jumped, same = LogPlace(queue, log, 3), LogPlace(queue, log, 3, 1), LogPlace(queue, log, 3, 3)
    assert newcomer.frame is queue[3]
    assert [place.headers for place in (newcomer, jumped, same)] == [[queue[2]], [queue[2]], []]
    assert same.in_force == [queue[2]]
    assert newcomer.encoder is log.encoder
    assert newcomer.clock_of(VIDEO) == 120
    assert [b"".join(pieces) for pieces in newcomer.ahead()] == [b"[40:" + bodies[3] + b"]"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.binary(max_size=6)),
        st.tuples(st.just("sync"), st.none()),
        st.tuples(st.just("evict"), st.integers(1, 5)),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(steps=STEPS, data=st.data())
def test_reads_are_those_of_plain_concatenation(steps, data) -> None:
    queue, form = FrameQueue(), TextForm()
    log = StreamLog(queue, form)
    encoded: list[bytes] = []
    for what, value in steps:
        if what == "push":
            queue.push(Frame(VIDEO, len(encoded), value))
            encoded.append(b"")
        elif what == "sync":
            log.sync()
        elif value <= len(queue.frames):
            log.sync()
            queue.evict(value)
            log.trim()
    log.sync()
    model, ends, last = b"", [0], 0
    held: dict[int, Frame] = {seq: queue[seq] for seq in range(queue.base, queue.end)}
    for seq in sorted(held):
        piece = b"".join(log.pieces_of(seq))
        assert held[seq].payload in piece if form.accepts(held[seq]) else piece == b""
        model += piece
        ends.append(len(model))
        last = seq
    assert log.end - log.start == len(model)
    for number, seq in enumerate(sorted(held)):
        assert log.offset_of(seq) == log.start + ends[number]
    if not model:
        return
    start = data.draw(st.integers(0, len(model) - 1))
    stop = data.draw(st.integers(start + 1, len(model)))
    assert log.read(log.start + start, log.start + stop) == model[start:stop]
    seq = log.seq_at(log.start + start)
    number = seq - queue.base
    assert ends[number] <= start < ends[number + 1]
    assert log.seq_at(log.end) == last + 1 == queue.end
