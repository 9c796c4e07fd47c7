"""Several streams on one connection: whole messages in turn, bounded, each to its end."""

from __future__ import annotations

from edge.hub.config import HubConfig
from edge.hub.stream import Stream
from edge.media.frame import MEDIA
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.multi_writer import MultiWriter
from tests.net.fakes import Source, decode

CHUNK = 128


class Wire:
    """The connection; ``room`` is what the kernel still takes, None for all."""

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.queue = b""
        self.sent = b""
        self.scheduled = 0
        self.largest = 0
        self.finished: list[tuple[int, str]] = []
        self.left_out: list[tuple[Stream, int, int]] = []
        self.multi: MultiWriter | None = None

    @property
    def queued_bytes(self) -> int:
        return len(self.queue)

    def enqueue(self, data: bytes | memoryview) -> None:
        self.queue += data
        self.largest = max(self.largest, len(self.queue))

    def flush(self) -> bool:
        count = len(self.queue) if self.room is None else min(self.room, len(self.queue))
        if self.room is not None:
            self.room -= count
        self.sent, self.queue = self.sent + self.queue[:count], self.queue[count:]
        return not self.queue

    def schedule_pump(self) -> None:
        self.scheduled += 1

    def writer_finished(self, message_stream_id: int, reason: str) -> None:
        self.finished.append((message_stream_id, reason))

    def now_ms(self) -> int:
        return 0

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        self.left_out.append((stream, frame_count, jump_count))


def begin(count: int) -> tuple[Wire, MultiWriter, list[Source]]:
    wire, sources = Wire(), [Source() for _ in range(count)]
    multi = MultiWriter(wire, CHUNK)
    for number, source in enumerate(sources):
        source.number = number * 100_000
        source.headers()
        source.run(3)
        multi.open(source.stream, number + 1, RtmpForm(CHUNK), is_hop=False)
    return wire, multi, sources


def received(wire: Wire, message_stream_id: int) -> list[bytes]:
    return [m.payload for m in decode(wire.sent, CHUNK) if m.message_stream_id == message_stream_id]


def test_each_stream_arrives_whole_on_its_own_message_stream() -> None:
    wire, multi, sources = begin(3)
    assert wire.scheduled == len(multi) == 3
    assert multi.pump() == 1
    for round_ in range(5):
        for source in sources:
            source.run(2, from_ms=120 + round_ * 80, size=300)
        multi.pump()
    for number, source in enumerate(sources):
        got = received(wire, number + 1)
        wanted = [frame.payload for frame in source.frames]
        assert got == wanted
    assert multi.pump() == 0


def test_Q4_blocked_connection_holds_a_bounded_amount() -> None:
    wire, multi, sources = begin(2)
    multi.pump()
    wire.room = 0
    for round_ in range(50):
        for source in sources:
            source.run(1, from_ms=120 + round_ * 40, size=20_000)
        multi.pump()
    assert wire.largest < 2 * 262144 + 65536
    wire.room = None
    wire.flush()
    while multi.pump():
        pass
    for number, source in enumerate(sources):
        assert received(wire, number + 1) == [frame.payload for frame in source.frames]


def test_more_streams_than_message_numbers_apart_share_chunk_streams_cleanly() -> None:
    wire, sources = Wire(), [Source(), Source()]
    multi = MultiWriter(wire, CHUNK)
    for message_stream_id, source in zip((1, 513), sources, strict=True):
        multi.open(source.stream, message_stream_id, RtmpForm(CHUNK), is_hop=False)
    for n in range(10):
        for source in sources:
            source.run(1, from_ms=n * 40, gop=1)
            multi.pump()
    for message_stream_id, source in zip((1, 513), sources, strict=True):
        assert received(wire, message_stream_id) == [frame.payload for frame in source.frames]


def test_end_is_told_once_behind_the_last_message() -> None:
    wire, multi, sources = begin(2)
    multi.pump()
    wire.room = 0
    sources[0].run(3, from_ms=120, size=100_000)
    sources[0].stream.end("over")
    multi.pump()
    assert wire.finished == []
    wire.room = None
    wire.flush()
    while multi.pump():
        pass
    multi.pump()
    assert wire.finished == [(1, "over")]
    assert received(wire, 1) == [frame.payload for frame in sources[0].frames]


def test_closed_writers_leave_their_streams() -> None:
    _, multi, sources = begin(3)
    writer = multi._writers[0]
    multi.close(writer)
    multi.close(writer)
    assert sources[0].stream.readers == []
    multi.close_all()
    assert [source.stream.readers for source in sources] == [[], [], []]
    assert len(multi) == 0


def test_hop_and_player_may_share_a_connection() -> None:
    wire, source = Wire(), Source(HubConfig())
    multi = MultiWriter(wire, CHUNK)
    source.run(3)
    multi.open(source.stream, 1, RtmpForm(CHUNK), is_hop=True)
    multi.open(source.stream, 2, RtmpForm(CHUNK), is_hop=False)
    multi.pump()
    bodies = [frame.payload for frame in source.frames if frame.kind == MEDIA]
    assert received(wire, 1)[1:] == received(wire, 2) == bodies


def test_frames_that_a_writer_leaves_out_are_told_to_the_connection() -> None:
    wire, multi, (source,) = begin(1)
    multi.count_left_out(source.stream, 7, jump_count=1)
    assert wire.left_out == [(source.stream, 7, 1)]


def test_U7_bursts_of_many_streams_at_once_do_not_fill_the_connection() -> None:
    """It would be closed as one whose answers are not read, and all its streams with it."""
    wire, sources = Wire(room=0), [Source() for _ in range(60)]
    multi = MultiWriter(wire, CHUNK)
    for number, source in enumerate(sources):
        source.number = number * 100_000
        source.run(10, size=20_000)
        multi.open(source.stream, number + 1, RtmpForm(CHUNK), is_hop=False)
    sources[-1].stream.end("over")
    multi.pump()
    assert wire.largest < 2 * 262144
    assert wire.finished == []
    wire.room = None
    wire.flush()
    multi.pump()
    for number, source in enumerate(sources):
        assert received(wire, number + 1) == [frame.payload for frame in source.frames]
    assert wire.largest < 2 * 262144
    assert wire.finished == [(60, "over")]
