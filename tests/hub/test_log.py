"""The log of a wire form against a naive one: plain concatenation."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.net
from edge.hub.frame_queue import FrameQueue
from edge.hub.log import LogPlace, StreamLog
from edge.hub.wire_form import WireForm
from edge.media.frame import (
    AUDIO,
    AUDIO_HEADER,
    DATA,
    MEDIA,
    METADATA,
    TRACK_BIT,
    VIDEO,
    VIDEO_HEADER,
    Frame,
)
from edge.media.metadata import encode_metadata
from tests.net.forms import AAC_HEADER_BODY, AVC_HEADER_BODY, FORMS, TextForm, coded_picture


class DeltaForm:
    """``[delta:payload]``; leaves out data."""

    tracks = TRACK_BIT[AUDIO] | TRACK_BIT[VIDEO]

    def accepts(self, frame: Frame) -> bool:
        return frame.type_id != DATA

    def new_encoder(self, headers: Sequence[Frame]) -> DeltaForm:
        return self

    def encode(self, frame: Frame, delta_ms: int) -> tuple[bytes, ...]:
        return (b"[%d:" % delta_ms, frame.payload, b"]")


def test_deltas_count_within_a_track_from_0() -> None:
    queue = FrameQueue()
    for type_id, dts_ms in ((VIDEO, 100), (AUDIO, 90), (VIDEO, 140), (AUDIO, 113), (VIDEO, 140)):
        queue.push(Frame(type_id, dts_ms, b"v" if type_id == VIDEO else b"a"))
    log = StreamLog(queue, DeltaForm())
    assert log.read(0, log.end) == b"[0:v][0:a][40:v][23:a][0:v]"


def test_what_a_form_leaves_out_counts_for_nothing() -> None:
    queue = FrameQueue()
    for dts_ms, type_id, body in ((0, VIDEO, b"a"), (10, DATA, b"-"), (30, VIDEO, b"b")):
        queue.push(Frame(type_id, dts_ms, body))
    log = StreamLog(queue, DeltaForm())
    assert log.read(0, log.end) == b"[0:a][30:b]"
    assert log.pieces_of(1) == ()
    assert log.offset_of(1) == log.offset_of(2) == 5
    assert log.seq_at(5) == 2


def test_same_read_gives_the_same_object() -> None:
    queue = FrameQueue()
    queue.push(Frame(VIDEO, 0, b"payload"))
    log = StreamLog(queue, DeltaForm())
    assert log.read(0, log.end) is log.read(0, log.end)


def test_log_opened_late_begins_with_what_is_held() -> None:
    queue = FrameQueue()
    for n in range(10):
        queue.push(Frame(VIDEO, n, b"%d" % n))
    queue.evict(4)
    log = StreamLog(queue, DeltaForm())
    assert log.start == 0
    assert log.read(0, log.end).startswith(b"[0:4][1:5]")
    assert log.seq_at(0) == 4


class HeadedForm(DeltaForm):
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
    log = StreamLog(queue, DeltaForm())
    newcomer, jumped, same = LogPlace(queue, log, 3), LogPlace(queue, log, 3, 1), LogPlace(queue, log, 3, 3)
    assert newcomer.frame is queue[3]
    assert [place.headers for place in (newcomer, jumped, same)] == [[queue[2]], [queue[2]], []]
    assert same.in_force == [queue[2]]
    assert newcomer.encoder is log.encoder
    assert newcomer.clock_of(VIDEO) == 120
    assert [b"".join(pieces) for pieces in newcomer.ahead()] == [b"[40:" + bodies[3] + b"]"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("picture"), st.integers(0, 90)),
        st.tuples(st.just("keyframe"), st.integers(0, 400)),
        st.tuples(st.just("sound"), st.integers(0, 90)),
        st.tuples(st.just("data"), st.integers(0, 90)),
        st.tuples(st.just("header"), st.integers(0, 1)),
        st.tuples(st.just("odd"), st.binary(max_size=6)),
        st.tuples(st.just("sync"), st.none()),
        st.tuples(st.just("evict"), st.integers(1, 5)),
    ),
    max_size=60,
)


def frame_of(what: str, value: int | bytes, number: int) -> Frame:
    """A frame of a step; they are 15 ms apart."""
    dts_ms = number * 15
    if isinstance(value, bytes):
        return Frame(VIDEO, dts_ms, value)
    if what == "header":
        return (
            Frame(VIDEO, dts_ms, AVC_HEADER_BODY, VIDEO_HEADER)
            if value
            else Frame(AUDIO, dts_ms, AAC_HEADER_BODY, AUDIO_HEADER)
        )
    if what == "sound":
        return Frame(AUDIO, dts_ms, b"\xaf\x01" + b"a" * value)
    if what == "data":
        return Frame(DATA, dts_ms, encode_metadata({"width": float(value), "stereo": True}), METADATA)
    is_keyframe = what == "keyframe"
    return Frame(VIDEO, dts_ms, coded_picture(number, is_keyframe=is_keyframe, size=value), MEDIA, is_keyframe)


def test_place_tells_a_player_that_jumps_only_of_pictures_that_it_has_not_got() -> None:
    queue = FrameQueue()
    queue.push(Frame(VIDEO, 0, coded_picture(1, is_keyframe=True), MEDIA, is_keyframe=True))
    for n in range(10):
        queue.push(Frame(AUDIO, n * 20, b"\xaf\x01a"))
    log = StreamLog(queue, TextForm())
    assert [LogPlace(queue, log, 9, since).pictures for since in (None, 0, 1)] == [[queue[0]], [queue[0]], []]
    assert LogPlace(queue, StreamLog(queue, TextForm(1)), 9).pictures == [], "the form has no pictures"


class Model:
    """All that a form's encoder gives, in one piece: what a log is to be read as."""

    def __init__(self, form: WireForm) -> None:
        self.form, self.encoder = form, form.new_encoder([])
        self.last_ms: dict[int, int] = {}
        self.data, self.ends = b"", [0]

    def push(self, frame: Frame) -> None:
        if self.form.accepts(frame):
            delta_ms = frame.dts_ms - self.last_ms.get(frame.type_id, frame.dts_ms)
            self.last_ms[frame.type_id] = frame.dts_ms
            self.data += b"".join(self.encoder.encode(frame, delta_ms))
        self.ends.append(len(self.data))


@pytest.mark.parametrize("form", FORMS, ids=str)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(steps=STEPS, data=st.data())
def test_reads_are_those_of_plain_concatenation(form: WireForm, steps, data) -> None:
    queue, model = FrameQueue(), Model(form)
    log = StreamLog(queue, form)
    for what, value in steps:
        if what == "sync":
            log.sync()
        elif what != "evict":
            pushed = queue.end
            queue.push(frame_of(what, value, pushed))
            for seq in range(pushed, queue.end):  # a codec that was away brings its header
                model.push(queue[seq])
        elif value <= len(queue.frames):
            log.sync()
            queue.evict(value)
            log.trim()
    log.sync()
    ends = model.ends
    assert (log.start, log.end) == (ends[queue.base], len(model.data))
    for seq in range(queue.base, queue.end):
        assert log.offset_of(seq) == ends[seq]
        assert b"".join(log.pieces_of(seq)) == model.data[ends[seq] : ends[seq + 1]]
    if log.start == log.end:
        return
    start = data.draw(st.integers(log.start, log.end - 1))
    stop = data.draw(st.integers(start + 1, log.end))
    assert log.read(start, stop) == model.data[start:stop]
    seq = log.seq_at(start)
    assert ends[seq] <= start < ends[seq + 1]
    assert log.seq_at(log.end) == queue.end


def test_state_of_an_encoder_belongs_to_one_log() -> None:
    for form in FORMS:
        queues = [FrameQueue(), FrameQueue()]
        logs = [StreamLog(queue, form) for queue in queues]
        for n in range(20):
            for queue in queues:
                queue.push(frame_of("header", n % 2, n) if n < 2 else frame_of("keyframe", 9, n))
                queue.push(frame_of("sound", 9, n))
            for log in logs:
                log.sync()
        first, second = logs
        assert first.end > 0
        assert first.read(0, first.end) == second.read(0, second.end), form


def test_each_form_is_tried_here() -> None:
    """A class of the package that makes encoders is a form."""
    source = Path(edge.net.__file__).parent
    found = {
        node.name
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(part, ast.FunctionDef) and part.name == "new_encoder" for part in node.body)
    }
    assert found <= {type(form).__name__ for form in FORMS}
