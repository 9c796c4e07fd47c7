"""What the shells of both sides have in common: a connection, its RTMP session, and writers for its streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from edge.net.byte_stream import ByteStream, is_plain
from edge.net.connection import RawConnection
from edge.net.rtmp.multi_writer import MultiWriter
from edge.rtmp.session import Session

if TYPE_CHECKING:
    from edge.hub.stream import Stream
    from edge.net.context import NetContext

SessionType = TypeVar("SessionType", bound=Session)


class RtmpConnection(RawConnection, Generic[SessionType]):
    """Owns a session and watches its deadlines; owns the writers of the streams that go out.

    Subclasses override ``_on_event`` and ``writer_finished``, and feed the
    session in ``on_data``, where what is done per message is their own.
    """

    __slots__ = ("_is_deadline_watched", "_session", "_writers", "is_pump_scheduled")

    def __init__(self, wire: ByteStream, context: NetContext, session: SessionType, peer: str) -> None:
        super().__init__(wire, context, peer)
        self._session = session
        self._writers: MultiWriter | None = None
        self._is_deadline_watched = False
        self.is_pump_scheduled = False

    @property
    def protocol(self) -> str:
        """What it speaks."""
        return "rtmp" if is_plain(self.wire) else "rtmps"

    def now_ms(self) -> int:
        """Monotonic clock."""
        return self.context.now_ms()

    def _on_event(self, event: object) -> None:
        """The session found something out."""
        raise NotImplementedError

    # --- deadlines -----------------------------------------------------------

    def _watch_deadline(self) -> None:
        """Watch the session's next deadline, if it has one; it may have one again with each byte that comes."""
        at_ms = self._session.next_deadline_ms()
        if at_ms is not None:
            self._is_deadline_watched = True
            self.context.deadlines.watch(self, at_ms)

    def next_deadline_ms(self) -> int | None:
        """The session's; None also ends the watch."""
        at_ms = self._session.next_deadline_ms() if self.state == "open" else None
        if at_ms is None:
            self._is_deadline_watched = False
        return at_ms

    def on_deadline(self, now_ms: int) -> None:
        """The peer was too slow with the handshake, a command or a message."""
        self._session.handle_timer(now_ms)
        events = self._session.events
        while events and self.state == "open":
            self._on_event(events.popleft())

    # --- writers -------------------------------------------------------------

    def _open_writers(self, chunk_size: int) -> MultiWriter:
        """The writers of this connection, which it has from the first stream on that needs one."""
        if self._writers is None:
            self._writers = MultiWriter(self, chunk_size)
        return self._writers

    def _close_writers(self) -> None:
        if self._writers is not None:
            self._writers.close_all()
            self._writers = None

    def writer_finished(self, message_stream_id: int, reason: str) -> None:
        """A writer has written everything up to the end of its stream."""
        raise NotImplementedError

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        """A writer of ``stream`` fell behind: counted with the players."""
        self.context.fanout.count_left_out(stream, frame_count, jump_count=jump_count)

    def schedule_pump(self) -> None:
        """A writer has frames."""
        if self.state == "open":
            self.context.fanout.schedule_pump(self)

    def pump(self) -> int:
        """Write what the writers have; returns the calls made."""
        return self._writers.pump() if self._writers is not None and self.state == "open" else 0

    def on_writable(self) -> None:
        """The kernel takes bytes again."""
        if self.flush() and self._writers is not None and self.state == "open":
            self._writers.pump()
