"""A player by WebSocket, after the handshake: pings and the close are answered, the rest is passed over (RFC 6455)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.net.log_connection import LogConnection
from edge.net.ws_frames import GOING_AWAY, NORMAL, ClientFrames, Closing, Ping, close_frame, pong_frame
from edge.service.grants import Play
from edge.service.service import Service

if TYPE_CHECKING:
    from edge.net.byte_stream import ByteStream
    from edge.net.context import NetContext

#: Some clients say every few seconds that they are there: what they say counts for so long.
_TALK_MS = 10_000


class WsConnection(LogConnection):
    """Serves one play whose form puts each message into a frame."""

    __slots__ = ("_frames", "_talk_since_ms")

    def __init__(
        self, wire: ByteStream, context: NetContext, *, peer: str, protocol: str, service: Service, play: Play
    ) -> None:
        super().__init__(wire, context, peer=peer, protocol=protocol, service=service, play=play)
        self._frames = ClientFrames()
        self._talk_since_ms = self.created_ms

    def on_data(self, data: bytes) -> None:
        """Answer the last of the pings that came together (§5.5.3), and the close with our own."""
        now = self.last_read_ms
        if now - self._talk_since_ms > _TALK_MS:
            self._talk_since_ms, self._talk_bytes = now, 0
        self.count_talk(len(data))
        events = self._frames.receive_data(data)
        pings = [event for event in events if isinstance(event, Ping)]
        if pings:
            self.send_private(pong_frame(pings[-1].payload))
        if events and isinstance(events[-1], Closing):
            self._finish("closed by the peer", close_frame(events[-1].answer))

    def last_words(self, *, is_over: bool) -> bytes:
        """A close that tells the end of a broadcast from that of the play (§7.4.1)."""
        return close_frame(NORMAL if is_over else GOING_AWAY)
