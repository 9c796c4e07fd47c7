"""One play on a connection: what was asked for and how it is being served."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.hub.key import StreamKey, StreamRequest
from edge.rtmp.events import ResumePoint

if TYPE_CHECKING:
    from edge.hub.stream import Stream
    from edge.net.stream_writer import StreamWriter


class PausedReader:
    """Reads nothing for a play that is paused, but hears of the end of its stream; a reader of the stream."""

    __slots__ = ("_on_end", "_stream")

    def __init__(self, stream: Stream, on_end: Callable[[str], None]) -> None:
        self._stream = stream
        self._on_end = on_end
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
        """Our own players stay until the stream ends."""


class Play:
    """A message stream that plays ``stream``.

    Attributes:
        is_hop: the peer is a node of ours.
        is_internal: it does not count as a viewer.
        writer: set while the connection writes several streams.
        paused: set while the client has it paused.
    """

    __slots__ = ("is_hop", "message_stream_id", "paused", "request", "resume", "stream", "writer")

    def __init__(
        self,
        message_stream_id: int,
        request: StreamRequest,
        stream: Stream,
        *,
        is_hop: bool = False,
        resume: ResumePoint | None = None,
    ) -> None:
        self.message_stream_id = message_stream_id
        self.request = request
        self.stream = stream
        self.is_hop = is_hop
        self.resume = resume
        self.paused: PausedReader | None = None
        self.writer: StreamWriter | None = None

    @property
    def is_paused(self) -> bool:
        """The client wants nothing for now."""
        return self.paused is not None

    @property
    def key(self) -> StreamKey:
        """Identity of the stream."""
        return self.request.key

    @property
    def is_internal(self) -> bool:
        """Another node's hop, not a viewer."""
        return self.request.is_internal
