"""One play on a connection: what was asked for and how it is being served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.hub.key import StreamKey, StreamRequest
from edge.rtmp.events import ResumePoint

if TYPE_CHECKING:
    from edge.hub.stream import Stream
    from edge.net.stream_writer import StreamWriter


class Play:
    """A message stream that plays ``stream``.

    Attributes:
        is_hop: the peer is a node of ours.
        is_internal: it does not count as a viewer.
        writer: set while the connection writes several streams.
    """

    __slots__ = ("is_hop", "is_paused", "message_stream_id", "request", "resume", "stream", "writer")

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
        self.is_paused = False
        self.writer: StreamWriter | None = None

    @property
    def key(self) -> StreamKey:
        """Identity of the stream."""
        return self.request.key

    @property
    def is_internal(self) -> bool:
        """Another node's hop, not a viewer."""
        return self.request.is_internal
