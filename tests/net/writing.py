"""A writer of a stream without a connection, and what to write."""

from __future__ import annotations

from edge.hub.stream import Stream
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.stream_writer import StreamWriter
from edge.rtmp.chunk_writer import ChunkWriter
from edge.rtmp.events import ResumePoint
from tests.net.fakes import Source

CHUNK = 64


class Owner:
    """The connection: a clock and a flag."""

    def __init__(self) -> None:
        self.now = 0
        self.told = 0
        self.first_frames_ms: list[int] = []

    def writer_has_frames(self) -> None:
        self.told += 1

    def now_ms(self) -> int:
        return self.now

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        stream.stats.player_jump_count += jump_count
        stream.stats.player_dropped_count += frame_count

    def count_first_frame(self, waited_ms: int) -> None:
        self.first_frames_ms.append(waited_ms)


def open_writer(source: Source, *, is_hop: bool = False, resume: ResumePoint | None = None, **options) -> StreamWriter:
    form = RtmpForm(CHUNK, options.pop("track_mask", 7))
    return StreamWriter(Owner(), source.stream, 3, ChunkWriter(CHUNK), form, is_hop=is_hop, resume=resume, **options)


def take(writer: StreamWriter, budget: int = 10**9) -> bytes:
    parts: list[bytes | memoryview] = []
    size = writer.fill(parts, budget)
    data = b"".join(parts)
    assert size == len(data)
    return data


def slides(source: Source) -> bytes:
    """A picture, 14 s of sound; returns the picture."""
    source.headers()
    source.video(0, is_keyframe=True)
    slide = source.frames[-1].payload
    for ms in range(0, 14_000, 20):
        source.audio(ms)
    return slide
