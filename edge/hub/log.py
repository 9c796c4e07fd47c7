"""A stream as bytes: one append-only log per wire form that somebody plays.

The log runs parallel to the frame queue: for each frame it holds the pieces
that go on the wire (a header and the frame's own payload) and the offset at
which they end. Players are offsets into it. What differs between players, a
first message with their own clock and stream id, is not in the log: the wire
form makes it for them (``encode_private``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import partial

from edge.hub.frame_queue import FrameQueue
from edge.hub.wire_form import BulkEncoder, Piece, WireEncoder, WireForm, encode_each
from edge.media.frame import ALL_TRACKS, Frame


class StreamLog:
    """One stream in one wire form.

    Attributes:
        encoder: made its bytes; its state is this log's alone.
        start: offset of the oldest byte held.
        end: offset after the newest.
    """

    __slots__ = (
        "_base",
        "_cache",
        "_encode_all",
        "_ends",
        "_last_dts",
        "_pieces",
        "_queue",
        "_synced",
        "encoder",
        "end",
        "form",
        "start",
    )

    def __init__(self, queue: FrameQueue, form: WireForm, from_seq: int | None = None) -> None:
        """Begin with frame ``from_seq``: nobody will ask for earlier ones."""
        self.form = form
        self._queue = queue
        self._base = self._synced = queue.base if from_seq is None else max(from_seq, queue.base)
        self.encoder: WireEncoder = form.new_encoder([h for h in queue.headers_at(self._base) if form.accepts(h)])
        bulk = self.encoder.encode_all if isinstance(self.encoder, BulkEncoder) else None
        self._encode_all = bulk or partial(encode_each, self.encoder)
        self._pieces: list[tuple[Piece, ...]] = []
        self._ends: list[int] = []
        self._last_dts: dict[int, int] = {}
        self.start = self.end = 0
        self._cache: tuple[int, int, bytes] = (0, 0, b"")
        self.sync()

    def sync(self) -> None:
        """Encode the frames that were pushed since the last call."""
        queue, form, encode_all = self._queue, self.form, self._encode_all
        frames = queue.frames[self._synced - queue.base :]
        if form.tracks == ALL_TRACKS:
            self.end = encode_all(frames, self._last_dts, self._pieces, self._ends, self.end)
        else:
            for frame in frames:
                if form.accepts(frame):
                    self.end = encode_all([frame], self._last_dts, self._pieces, self._ends, self.end)
                else:
                    self._pieces.append(())
                    self._ends.append(self.end)
        self._synced = queue.end

    def trim(self) -> None:
        """Let go of what the queue has evicted."""
        count = self._queue.base - self._base
        if count <= 0:
            return
        if count > len(self._ends):
            self.sync()
        self.start = self._ends[count - 1]
        del self._pieces[:count]
        del self._ends[:count]
        self._base = self._queue.base
        self._cache = (0, 0, b"")

    def seq_at(self, offset: int) -> int:
        """Seq of the message that holds the byte at ``offset`` (the next one if it is the end)."""
        return self._base + bisect_right(self._ends, offset)

    def offset_of(self, seq: int) -> int:
        """Offset of the first byte of message ``seq``."""
        position = seq - self._base
        return self._ends[position - 1] if position > 0 else self.start

    def pieces_of(self, seq: int) -> tuple[Piece, ...]:
        """The shared bytes of message ``seq``; empty for one that this form leaves out."""
        return self._pieces[seq - self._base]

    def read(self, start: int, limit: int) -> bytes:
        """Bytes from ``start`` up to ``limit``; the last answer is kept for the next player."""
        cached = self._cache
        if cached[0] == start and cached[1] == limit:
            return cached[2]
        ends = self._ends
        first = bisect_right(ends, start)
        last = bisect_right(ends, limit - 1)
        begin = ends[first - 1] if first else self.start
        if first == last:
            data = b"".join(self._pieces[first])
        else:
            data = b"".join([piece for pieces in self._pieces[first : last + 1] for piece in pieces])
        if begin != start or len(data) != limit - start:
            data = data[start - begin : limit - begin]
        self._cache = (start, limit, data)
        return data


class LogPlace:
    """A place of a log; see ``Place``."""

    __slots__ = ("_log", "_queue", "_since", "seq")

    def __init__(self, queue: FrameQueue, log: StreamLog, seq: int, since: int | None = None) -> None:
        """Before frame ``seq``, which is held; ``since``: the first frame left out, None for a newcomer."""
        self._queue = queue
        self._log = log
        self._since = since
        self.seq = seq

    @property
    def frame(self) -> Frame:
        """The next frame."""
        return self._queue[self.seq]

    @property
    def headers(self) -> list[Frame]:
        """Headers that the player has not got."""
        if self._since is None:
            return self.in_force
        return self._accepted(self._queue.headers_between(self._since, self.seq))

    @property
    def pictures(self) -> list[Frame]:
        """Pictures of silent tracks that it has not got."""
        return self._accepted(self._queue.pictures_at(self.seq, -1 if self._since is None else self._since))

    @property
    def in_force(self) -> list[Frame]:
        """All headers in force."""
        return self._accepted(self._queue.headers_at(self.seq))

    @property
    def encoder(self) -> WireEncoder:
        """That of the log."""
        return self._log.encoder

    def clock_of(self, type_id: int) -> int:
        """Stamp of a medium's next frame, else of its newest."""
        return self._queue.clock_at(type_id, self.seq)

    def ahead(self) -> Iterator[tuple[Piece, ...]]:
        """The shared messages from here on."""
        return (self._log.pieces_of(seq) for seq in range(self.seq, self._queue.end))

    def _accepted(self, frames: list[Frame]) -> list[Frame]:
        return [frame for frame in frames if self._log.form.accepts(frame)]
