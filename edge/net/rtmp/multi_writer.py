"""All streams that one connection writes for itself, in turn, whole messages at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.stream_writer import StreamWriter
from edge.rtmp.chunk_writer import ChunkWriter
from edge.rtmp.events import ResumePoint

if TYPE_CHECKING:
    from edge.hub.stream import Stream

#: One writer's turn, and what may wait in the connection before writers pause.
_TURN_BYTES = 65536
_QUEUE_BYTES = 262144


class MultiWriterOwner(Protocol):
    """The connection that is written to."""

    queued_bytes: int

    def enqueue(self, data: bytes | memoryview) -> None:
        """Queue bytes."""
        ...

    def flush(self) -> bool:
        """Send; False while bytes remain."""
        ...

    def schedule_pump(self) -> None:
        """Call ``pump`` with the next flush."""
        ...

    def writer_finished(self, message_stream_id: int, reason: str) -> None:
        """A stream has ended and all of it is queued."""
        ...

    def now_ms(self) -> int:
        """Monotonic clock."""
        ...

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        """A writer of ``stream`` fell behind and leaves frames out."""
        ...

    def count_first_frame(self, waited_ms: int) -> None:
        """A writer begins to send a viewer media, so long after that one asked."""
        ...

    def note_stuck(self, stream: Stream, message_stream_id: int, first_seq: int, end_seq: int) -> None:
        """These frames it leaves out."""
        ...


class MultiWriter:
    """Fills a connection from its streams while it has room."""

    __slots__ = ("_chunks", "_next", "_owner", "_writers")

    def __init__(self, owner: MultiWriterOwner, chunk_size: int) -> None:
        self._owner = owner
        self._chunks = ChunkWriter(chunk_size)
        self._writers: list[StreamWriter] = []
        self._next = -1  # who had the last turn

    def __len__(self) -> int:
        return len(self._writers)

    @property
    def is_behind(self) -> bool:
        """Some stream has frames that are not queued yet."""
        return any(writer.is_behind for writer in self._writers)

    def open(
        self,
        stream: Stream,
        message_stream_id: int,
        form: RtmpForm,
        *,
        is_hop: bool,
        resume: ResumePoint | None = None,
        timestamp_offset: int = 0,
        place: tuple[int, int] | None = None,
        low_bases: dict[int, int] | None = None,
    ) -> StreamWriter:
        """Begin to write ``stream`` on ``message_stream_id``; ``place``, ``low_bases`` as in ``StreamWriter``."""
        writer = StreamWriter(
            self,
            stream,
            message_stream_id,
            self._chunks,
            form,
            is_hop=is_hop,
            resume=resume,
            timestamp_offset=timestamp_offset,
            place=place,
            low_bases=low_bases,
        )
        self._writers.append(writer)
        self._owner.schedule_pump()
        return writer

    def close(self, writer: StreamWriter) -> None:
        """Stop writing one stream; what is queued goes out."""
        writer.close()
        if writer in self._writers:
            self._writers.remove(writer)

    def close_all(self) -> None:
        """The connection is over."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def writer_has_frames(self) -> None:
        """Some stream has news."""
        self._owner.schedule_pump()

    def _finish_ended(self, writers: list[StreamWriter]) -> None:
        for writer in [writer for writer in writers if writer.is_finished]:
            reason, writer.end_reason = writer.end_reason or "", None
            self._owner.writer_finished(writer.message_stream_id, reason)

    def now_ms(self) -> int:
        """Monotonic clock."""
        return self._owner.now_ms()

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        """A writer fell behind."""
        self._owner.count_left_out(stream, frame_count, jump_count=jump_count)

    def count_first_frame(self, waited_ms: int) -> None:
        """A writer begins to send a viewer media."""
        self._owner.count_first_frame(waited_ms)

    def note_stuck(self, stream: Stream, message_stream_id: int, first_seq: int, end_seq: int) -> None:
        """These frames it leaves out."""
        self._owner.note_stuck(stream, message_stream_id, first_seq, end_seq)

    def pump(self) -> int:
        """Take turns until the queue is full or nobody has anything; returns the calls made."""
        owner = self._owner
        calls = 0
        while owner.queued_bytes < _QUEUE_BYTES:
            writers = self._take_turns(_QUEUE_BYTES - owner.queued_bytes)
            has_left_out = len(writers) < len(self._writers)
            # One that had no turn may have its first frames still to write.
            self._finish_ended(writers)
            if not owner.queued_bytes:
                break
            calls += 1
            if not owner.flush() or not (has_left_out or self.is_behind):
                break
        return calls

    def _take_turns(self, room_bytes: int) -> list[StreamWriter]:
        """Queue what the next writers have, about ``room_bytes`` in all; returns those that had a turn.

        However many there are: what waits here holds up the answers to commands.
        """
        parts: list[bytes | memoryview] = []
        size = 0
        writers = self._writers
        taken: list[StreamWriter] = []
        while len(taken) < len(writers) and size < room_bytes:
            self._next = (self._next + 1) % len(writers)
            writer = writers[self._next]
            taken.append(writer)
            size += writer.fill(parts, _TURN_BYTES)
        if parts:
            self._owner.enqueue(b"".join(parts))
        return taken
