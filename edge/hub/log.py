"""A stream as bytes: one append-only log per wire form that somebody plays.

The log runs parallel to the frame queue: for each frame it holds the pieces
that go on the wire (a header and the frame's own payload) and the offset at
which they end. Players are offsets into it. What differs between players, a
first message with their own clock and stream id, is not in the log: the wire
form makes it for them (``encode_private``).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol

from edge.hub.frame_queue import FrameQueue
from edge.media.frame import TRACK_BIT, Frame

Piece = bytes | memoryview


class WireForm(Protocol):
    """How frames look to one kind of player; registered by a transport, unknown to the hub."""

    #: True where messages are relative to their track's previous one, so that
    #: a player's first message of each track must be made for it alone.
    needs_priming: bool

    def accepts(self, frame: Frame) -> bool:
        """False for media that this form leaves out (audio-only, video-only)."""
        ...

    def encode(self, frame: Frame, delta_ms: int) -> tuple[Piece, ...]:
        """Bytes shared by all players; ``delta_ms`` counts from the track's previous frame."""
        ...


class StreamLog:
    """One stream in one wire form.

    Attributes:
        start: offset of the oldest byte held.
        end: offset after the newest.
        tracks: bits of all tracks that ever appeared.
    """

    __slots__ = (
        "_base",
        "_cache",
        "_ends",
        "_last_dts",
        "_pieces",
        "_queue",
        "_synced",
        "end",
        "form",
        "start",
        "tracks",
    )

    def __init__(self, queue: FrameQueue, form: WireForm, from_seq: int | None = None) -> None:
        """Begin with frame ``from_seq``: nobody will ask for earlier ones."""
        self.form = form
        self._queue = queue
        self._base = self._synced = queue.base if from_seq is None else max(from_seq, queue.base)
        self._pieces: list[tuple[Piece, ...]] = []
        self._ends: list[int] = []
        self._last_dts: dict[int, int] = {}
        self.start = self.end = 0
        self.tracks = 0
        self._cache: tuple[int, int, bytes] = (0, 0, b"")
        self.sync()

    def sync(self) -> None:
        """Encode the frames that were pushed since the last call."""
        queue, form = self._queue, self.form
        frames, last_dts, end = queue.frames, self._last_dts, self.end
        for position in range(self._synced - queue.base, len(frames)):
            frame = frames[position]
            if not form.accepts(frame):
                self._pieces.append(())
                self._ends.append(end)
                continue
            type_id = frame.type_id
            dts_ms = frame.dts_ms
            pieces = form.encode(frame, dts_ms - last_dts.get(type_id, dts_ms))
            last_dts[type_id] = dts_ms
            self.tracks |= TRACK_BIT[type_id]
            for piece in pieces:
                end += len(piece)
            self._pieces.append(pieces)
            self._ends.append(end)
        self._synced = queue.end
        self.end = end

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
