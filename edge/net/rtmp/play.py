"""One play on a connection: what was asked for and how it is being served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edge.hub.key import StreamKey
from edge.hub.reader import QuietReader
from edge.rtmp.events import ResumePoint
from edge.service.grants import Play

if TYPE_CHECKING:
    from edge.hub.stream import Stream
    from edge.net.rtmp.form import RtmpForm
    from edge.net.rtmp.stream_writer import StreamWriter


class PausedReader(QuietReader):
    """Reads nothing for a play that is paused, but hears of the end of its stream; a reader of the stream."""

    __slots__ = ("_is_told_early", "_on_end", "_stream")

    def __init__(self, stream: Stream, on_end: Callable[[str], None], *, is_told_early: bool = False) -> None:
        self._stream = stream
        self._on_end = on_end
        self._is_told_early = is_told_early
        stream.readers.append(self)

    def close(self) -> None:
        """Stop listening."""
        if self in self._stream.readers:
            self._stream.readers.remove(self)

    def on_frames(self) -> None:
        """They are not for this player."""

    def on_evict(self, base: int) -> None:
        """It will begin anew."""

    def on_end(self, reason: str) -> None:
        """Nothing is left to go on with."""
        self._on_end(reason)

    def on_unpublished(self, reason: str) -> None:
        """Our own players stay until the stream ends, but for those whose clients run a clock of their own."""
        if self._is_told_early:
            self._on_end(reason)


class RtmpPlay:
    """A message stream that plays what was granted.

    Attributes:
        grant: the right to, which ends with this.
        resume: where a node of ours stopped before it came.
        writer: set while the connection writes several streams, and once the client has switched a medium on or off.
        paused: set while the client has it paused.
        form: what it is being sent, None before it began.
        asked_ms: when a viewer asked for it, until it has begun; 0 from then on, and for a node of ours.
    """

    __slots__ = ("asked_ms", "form", "grant", "message_stream_id", "paused", "resume", "stream", "writer")

    def __init__(self, message_stream_id: int, grant: Play, *, resume: ResumePoint | None = None) -> None:
        self.message_stream_id = message_stream_id
        self.grant = grant
        self.stream: Stream = grant.stream
        self.resume = resume
        self.paused: PausedReader | None = None
        self.writer: StreamWriter | None = None
        self.form: RtmpForm | None = None
        self.asked_ms = 0 if grant.client.is_hop else grant.asked_ms

    @property
    def is_paused(self) -> bool:
        """The client wants nothing for now."""
        return self.paused is not None

    def take_asked_ms(self) -> int:
        """``asked_ms``, for what is sent first; who goes on after a pause has not just asked."""
        asked_ms, self.asked_ms = self.asked_ms, 0
        return asked_ms

    @property
    def key(self) -> StreamKey:
        """What was asked for."""
        return self.grant.key

    @property
    def is_hop(self) -> bool:
        """The peer is a node of ours."""
        return self.grant.client.is_hop

    @property
    def hears_errors_only(self) -> bool:
        """The peer multiplexes streams and is no node of ours."""
        return self.grant.hears_errors_only


class Plays:
    """The plays of one connection by message stream id.

    Nearly every connection has one; only those with several pay for a dictionary.
    """

    __slots__ = ("_first", "_more")

    def __init__(self) -> None:
        self._first: RtmpPlay | None = None
        self._more: dict[int, RtmpPlay] | None = None

    def __len__(self) -> int:
        return (self._first is not None) + (len(self._more) if self._more else 0)

    def __iter__(self) -> Iterator[int]:
        return iter([play.message_stream_id for play in self.values()])

    def values(self) -> list[RtmpPlay]:
        """All plays, as they are now."""
        first = [self._first] if self._first is not None else []
        return [*first, *self._more.values()] if self._more else first

    @property
    def only(self) -> RtmpPlay | None:
        """The play, where there is one and no other."""
        return self._first if not self._more else None

    def get(self, message_stream_id: int) -> RtmpPlay | None:
        """The play on a message stream, or None."""
        first = self._first
        if first is not None and first.message_stream_id == message_stream_id:
            return first
        return self._more.get(message_stream_id) if self._more else None

    def add(self, play: RtmpPlay) -> None:
        """Take in a play; its message stream has none."""
        if self._first is None:
            self._first = play
            return
        if self._more is None:
            self._more = {}
        self._more[play.message_stream_id] = play

    def pop(self, message_stream_id: int) -> RtmpPlay | None:
        """Take out the play on a message stream; None when there is none."""
        play = self.get(message_stream_id)
        if play is not None and play is self._first:
            self._first = None
        elif play is not None and self._more is not None:
            del self._more[message_stream_id]
        return play
