"""What the shells of both sides have in common: a connection, its RTMP session, and writers for its streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from edge.hub.peer_clock import PeerClock
from edge.net.byte_stream import ByteStream, is_plain
from edge.net.connection import RawConnection
from edge.net.rtmp.may_talk import MayTalk
from edge.net.rtmp.multi_writer import MultiWriter
from edge.net.rtmp.why import WhyDesk, WhyTalk
from edge.rtmp.events import ClockAsked, ClockTold, MayAnswered, MayAsked, WhyAnswered, WhyAsked
from edge.rtmp.may import MaySession
from edge.service.insight import Question

if TYPE_CHECKING:
    from edge.hub.stream import Stream
    from edge.net.context import NetContext

SessionType = TypeVar("SessionType", bound=MaySession)


class RtmpConnection(RawConnection, Generic[SessionType]):
    """Owns a session and watches its deadlines; owns the writers of the streams that go out.

    Subclasses override ``_on_event`` and ``writer_finished``, and feed the
    session in ``on_data``, where what is done per message is their own.

    Attributes:
        why_desk: answers the peer why a stream plays or does not; None where nobody does.
    """

    __slots__ = (
        "_is_deadline_watched",
        "_mays",
        "_peer_clock",
        "_session",
        "_whys",
        "_writers",
        "is_pump_scheduled",
        "why_desk",
    )

    def __init__(self, wire: ByteStream, context: NetContext, session: SessionType, peer: str) -> None:
        super().__init__(wire, context, peer)
        self._session = session
        self._writers: MultiWriter | None = None
        self._peer_clock: PeerClock | None = None
        self._whys: WhyTalk | None = None
        self._mays: MayTalk | None = None
        self.why_desk: WhyDesk | None = None
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
        """The session found something out: here, what nodes of ours have to say to each other."""
        match event:
            case ClockAsked():
                self._on_clock_asked(event)
            case ClockTold():
                self._on_clock_told(event)
            case WhyAsked():
                self._on_why_asked(event)
            case WhyAnswered():
                self._on_why_answered(event)
            case MayAnswered() if self._mays is not None:
                self._mays.take_answer(event)

    def send_session(self) -> None:
        """Send what the session has queued."""
        raise NotImplementedError

    # --- why a stream plays or does not ---------------------------------------

    def ask_why(self, question: Question, answered: Callable[[str | None], None]) -> bool:
        """Ask the peer; ``answered`` gets its text, or None when the connection ends. False where it answers none."""
        if self.state != "open" or not self._session.peer_knows_why:
            return False
        if self._whys is None:
            self._whys = WhyTalk()
        number, key = self._whys.ask(answered), question.key
        names = key.vhost, key.app, key.stream_name
        self._session.ask_why(number, *names, hops=question.hops, within_ms=question.within_ms)
        self.send_session()
        return True

    def _on_why_asked(self, event: WhyAsked) -> None:
        if self._whys is None:
            self._whys = WhyTalk()
        desk, reply = self.why_desk, partial(self._reply_why, event.number)
        if desk is None or not self._whys.may_answer(self.context.now_ms()):
            reply("")
        else:
            desk.answer(event, reply)

    def _reply_why(self, number: int, text: str) -> None:
        if self.state == "open":
            self._session.answer_why(number, text)
            self.send_session()

    def _on_why_answered(self, event: WhyAnswered) -> None:
        if self._whys is not None:
            self._whys.take_answer(event.number, event.text)

    def _close_why(self) -> None:
        if self._whys is not None:
            self._whys.close()
        if self._mays is not None:
            self._mays.close()

    # --- whether a client may ---------------------------------------------------

    @property
    def open_question_count(self) -> int:
        """Questions about clients that the peer has not answered."""
        return len(self._mays) if self._mays is not None else 0

    def ask_may(self, asked: MayAsked, answered: Callable[[MayAnswered | None], None]) -> int | None:
        """Ask about a client; ``answered`` gets None when the connection ends. The number, None of a peer that cannot.

        The number of ``asked`` is given here.
        """
        if self.state != "open" or not self._session.peer_knows_may:
            return None
        if self._mays is None:
            self._mays = MayTalk()
        number = self._mays.ask(answered)
        self._session.ask_may(replace(asked, number=number))
        self.send_session()
        return number

    def give_up_may(self, number: int) -> None:
        """Nobody waits for that answer any more."""
        if self._mays is not None:
            self._mays.give_up(number)

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

    # --- the peer's clock ----------------------------------------------------

    def peer_clock(self) -> PeerClock | None:
        """That of a node of ours, asked from the first call on; None of any other, or an older one of ours."""
        if self._peer_clock is None and self._session.peer_tells_clock:
            self._peer_clock = PeerClock(self.context.clock_us, self._ask_clock)
            self._peer_clock.keep()
        return self._peer_clock

    def _ask_clock(self, now_us: int) -> None:
        self._session.tell_clock(now_us)
        self.send_session()

    def _on_clock_asked(self, event: ClockAsked) -> None:
        self._session.tell_clock(event.sent_us, self.context.clock_us())

    def _on_clock_told(self, event: ClockTold) -> None:
        if self._peer_clock is not None:
            self._peer_clock.told(event.sent_us, event.peer_us)

    # --- writers -------------------------------------------------------------

    def _open_writers(self, chunk_size: int) -> MultiWriter:
        """The writers of this connection, which it has from the first stream on that needs one."""
        if self._writers is None:
            self._writers = MultiWriter(self, chunk_size)
        return self._writers

    def _close_writers(self) -> None:
        """The connection is over: nothing is written any more, and nothing asked."""
        if self._peer_clock is not None:
            self._peer_clock.close()
        if self._writers is not None:
            self._writers.close_all()
            self._writers = None

    def writer_finished(self, message_stream_id: int, reason: str) -> None:
        """A writer has written everything up to the end of its stream."""
        raise NotImplementedError

    @property
    def has_more_to_send(self) -> bool:
        """Of its writers too."""
        is_behind = self._writers is not None and self._writers.is_behind
        return super().has_more_to_send or (is_behind and self.state == "open")

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        """A writer of ``stream`` fell behind: counted with the players."""
        self.context.fanout.count_left_out(stream, frame_count, jump_count=jump_count)

    def count_first_frame(self, waited_ms: int) -> None:
        """A writer begins to send a viewer media."""
        self.context.first_frame.observe(waited_ms)

    def note_stuck(self, stream: Stream, message_stream_id: int, first_seq: int, end_seq: int) -> None:
        """These frames it leaves out."""
        stream.note_stuck(self.peer, message_stream_id, first_seq, end_seq)

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
