"""The shell around a server session: a client that publishes, plays, or both."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial

from edge.errors import ProtocolError
from edge.hub.hop import HopReceiver
from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.net.accepted import Accepted
from edge.net.context import RECEIVE_BYTES
from edge.net.lines import Lines
from edge.net.liveness import Liveness, Verdict
from edge.net.poller import BROKEN, END
from edge.net.rtmp.arriving import ArrivingConnection
from edge.net.rtmp.asked import Asked
from edge.net.rtmp.may import client_of
from edge.net.rtmp.play import RtmpPlay
from edge.net.rtmp.service import RtmpService, resume_info, waiting_info
from edge.net.rtmp.status import play_status, publish_status
from edge.net.system import unacknowledged_bytes
from edge.rtmp.events import (
    ClockAsked,
    ClockTold,
    ConnectRequested,
    MayAsked,
    MediaChosen,
    MediaReceived,
    Noticed,
    PauseRequested,
    PlayEnded,
    PlayRequested,
    PublishEnded,
    PublishRequested,
    RequestRefused,
    SessionEnded,
    WhyAnswered,
    WhyAsked,
)
from edge.rtmp.server import ServerSession
from edge.service.admission import Asking
from edge.service.grants import Play, Publish
from edge.service.hiding import hide_query
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from edge.service.trace_context import parse_trace_context

logger = logging.getLogger(__name__)
lines = Lines(__name__)

#: Least that is read at once, whatever the parse budget.
_MIN_READ_BYTES = 4096


class RtmpServerConnection(ArrivingConnection):
    """One accepted RTMP connection.

    Attributes:
        asked: what waits for its answer, None while nothing has ever had to.
        feeds: message stream id -> what was granted, and who takes its media.
    """

    __slots__ = (
        "_is_held",
        "_liveness",
        "_noticed",
        "_rate_mark",
        "_read_for_chunk_size",
        "asked",
        "feeds",
    )

    def __init__(self, accepted: Accepted, rtmp: RtmpService, session: ServerSession | None = None) -> None:
        context = rtmp.context
        session = session or ServerSession(
            rtmp.config, entropy=context.entropy, now_ms=context.now_ms(), edge_id=rtmp.service.service_id
        )
        super().__init__(accepted.wire, rtmp, session, str(accepted.address))
        self.asked: Asked | None = None
        self.feeds: dict[int, tuple[Publish, Publisher[Stream] | HopReceiver]] | None = None
        self._liveness: Liveness | None = None
        self._noticed: set[str] | None = None
        self._is_held = False
        self._rate_mark = (0, 0)
        self._read_for_chunk_size = 0
        self._watch_deadline()

    def __str__(self) -> str:
        play = self.plays.only
        if play is not None and not self.feeds:  # as nearly all, and for each two lines are logged
            return f"[c{self.number} {self.peer} {self.service.log_prefix}play {play.key}]"
        purpose = f"{self.role} {self._carried}".rstrip()
        return f"[c{self.number} {self.peer} {self.service.log_prefix}{purpose}]"

    @property
    def is_publishing(self) -> bool:
        """It feeds at least one stream."""
        return bool(self.feeds)

    @property
    def is_feeding(self) -> bool:
        """The end of what it publishes may be on its way."""
        return self.is_publishing

    @property
    def role(self) -> str:
        """``publish``, ``play``, ``publish+play`` or ``idle``."""
        if self.feeds:
            return "publish+play" if self.plays else "publish"
        return "play" if self.plays else "idle"

    @property
    def keys(self) -> list[str]:
        """The streams it publishes, then those it plays, for people."""
        published = [str(publish.stream.key) for publish in self.publishes()]
        return [*published, *(str(play.key) for play in self.plays.values())]

    def publishes(self) -> list[Publish]:
        """What it publishes now."""
        return [feed[0] for feed in (self.feeds or {}).values()]

    @property
    def _carried(self) -> str:
        """The stream it carries, or how many: a line about one of several names it itself."""
        count = len(self.feeds or ()) + len(self.plays)
        return f"{count} streams" if count > 1 else "".join(self.keys)

    def is_publish_kept_alive(self, now_ms: int, limit_ms: int) -> bool:
        """Whether bytes still come of a message under way, which has a deadline of its own.

        Or of a node of ours that forwards a silent publisher: it answers pings, and decides itself.
        """
        is_expected = self.is_hop or self._session.is_amid_message
        return is_expected and now_ms - self.last_read_ms <= limit_ms

    @property
    def service_name(self) -> str:
        """The service that it reached."""
        return self.service.name

    def is_silent_publisher_gone(self, now_ms: int, quiet_ms: int, answer_ms: int) -> bool:
        """Look whether the client, which sends no media, is still there; asks it now and then by a ping."""
        if self._liveness is None:
            self._liveness = Liveness()
        verdict = self._liveness.judge(
            now_ms,
            last_read_ms=self.last_read_ms,
            has_acknowledged=not self.queued_bytes and unacknowledged_bytes(self.wire.sock) == 0,
            quiet_ms=quiet_ms,
            answer_ms=answer_ms,
        )
        if verdict is Verdict.ASK:
            self._session.send_ping(now_ms)
            self.send_session()
        return verdict is Verdict.GONE

    def is_over_rate(self, now_ms: int, limit_kbps: int) -> bool:
        """Whether more than ``limit_kbps`` came since the last window of a second ended."""
        elapsed_ms = now_ms - self._rate_mark[0]
        if elapsed_ms < 1000:
            return False
        bits = (self.received_bytes - self._rate_mark[1]) * 8
        was_first, self._rate_mark = self._rate_mark[0] == 0, (now_ms, self.received_bytes)
        return not was_first and bits > limit_kbps * elapsed_ms

    def shut_down(self, why: str) -> None:
        """Tell each stream of the client why, then close."""
        self._tell_closed([*(self.feeds or ()), *self.plays], why)
        self.close_gracefully("shutdown")

    def kick(self, why: str) -> None:
        """As ``shut_down``; the streams that it publishes end, as if it had ended them itself."""
        carried = [*(self.feeds or ()), *self.plays]
        for message_stream_id in list(self.feeds or ()):
            self._end_feed(message_stream_id, Reason.KICKED.value)
        self._tell_closed(carried, why)
        self.close_gracefully("kicked")

    def _tell_closed(self, message_stream_ids: list[int], why: str) -> None:
        for message_stream_id in message_stream_ids:
            self._session.end_stream(message_stream_id, "NetConnection.Connect.Closed", why)
        self.send_session()

    # --- bytes in ------------------------------------------------------------

    def _read_once(self) -> int:
        """Nothing while what came before is still being worked off: its end would overtake it."""
        if self._is_held or (self.asked is not None and self.asked.is_reading_put_off):
            return 0
        return super()._read_once()

    @property
    def _is_reading_put_off(self) -> bool:
        """A publish waits for its answer, and whatever the client may send is media of it."""
        return self.asked is not None and self.asked.is_reading_put_off

    def next_deadline_ms(self) -> int | None:
        """None while it is not read: what is still to come of a message is not late by the client's fault."""
        if self._is_reading_put_off:
            self._is_deadline_watched = False
            return None
        return super().next_deadline_ms()

    @property
    def _reads(self) -> int:
        if self._is_reading_put_off:
            return END
        # Nor is the end of a publisher that is read on a tick to wait for two of them.
        return super()._reads | (END if self.feeds and not self._is_polled else 0)

    def on_gone(self, events: int) -> None:
        """A client that has gone is not waited for, unless it has left media whose end is behind them."""
        if not self._is_reading_put_off:
            super().on_gone(events)
        elif events & BROKEN or self._is_at_end():
            self.on_lost(None)
        else:
            self.context.poller.modify(self.fd, self._writes)

    def _is_at_end(self) -> bool:
        """Nothing is left to read, and nothing will come."""
        try:
            return not self.wire.peek(1)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def on_data(self, data: bytes) -> None:
        """Bytes of the client."""
        session, feeds = self._session, self.feeds
        session.receive_data(data, self.last_read_ms)
        if session.events or not feeds:
            self._work_off()
            return
        # As nearly all that publishers send: media, which the feed has got already.
        for feed in feeds.values():
            feed[1].commit()
        if session.has_output:
            self.send_session()
        if not self._is_deadline_watched and session.is_amid_message:
            self._watch_deadline()
        if session.in_chunk_size != self._read_for_chunk_size:
            self._limit_reads(session.in_chunk_size)

    def _work_off(self) -> None:
        """Act on what the session has found; of requests, no more than one turn of the loop has time for."""
        session = self._session
        now = self.last_read_ms
        events = session.events
        feeds = self.feeds
        budget_us, until_ns = self.context.config.parse_budget_us, 0
        while events:
            event = events.popleft()
            if feeds and type(event) is MediaReceived:
                feed = feeds.get(event.message_stream_id)
                if feed is not None:
                    feed[1].push(event.type_id, event.wire_timestamp, event.payload, now)
                elif self.asked is not None:
                    self._hold_media(event)
                continue
            self._on_event(event)
            feeds = self.feeds
            if self.state != "open":
                return
            now_ns = time.monotonic_ns()
            if not until_ns:
                until_ns = now_ns + budget_us * 1000
            elif budget_us > 0 and now_ns >= until_ns and events:
                self._hold()
                break
        if feeds:
            for feed in feeds.values():
                feed[1].commit()
        self.send_session()
        if not self._is_deadline_watched:
            self._watch_deadline()
        if session.in_chunk_size != self._read_for_chunk_size:
            self._limit_reads(session.in_chunk_size)

    def _hold(self) -> None:
        """Go on in the next turn, and read nothing until then: a few bytes may ask for much work."""
        self._is_held = True
        self.poll_reads(False)
        self.context.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_held = False  # also to discard what still comes, when it has been closed meanwhile
        if self.state != "open":
            return
        try:
            self._work_off()
        except Exception:
            self.failed_internally()
        if not self._is_held and not self._is_reading_put_off:
            self.poll_reads(True)

    def _limit_reads(self, chunk_size: int) -> None:
        """A chunk costs about a microsecond to parse, whatever its size: read less from a peer of tiny ones."""
        self._read_for_chunk_size = chunk_size
        budget_us = self.context.config.parse_budget_us
        self.read_limit = (
            min(max(chunk_size * budget_us, _MIN_READ_BYTES), RECEIVE_BYTES) if budget_us else RECEIVE_BYTES
        )

    def _on_event(self, event: object) -> None:
        action = _ACTIONS.get(type(event))
        if action is not None:
            getattr(self, action)(event)

    def _on_publish_ended(self, event: PublishEnded) -> None:
        self._withdraw(event.message_stream_id)
        self._end_feed(event.message_stream_id, event.why)

    def _on_play_ended(self, event: PlayEnded) -> None:
        self._withdraw(event.message_stream_id)
        self._end_play(event.message_stream_id)

    def _on_refused(self, event: RequestRefused) -> None:
        self.context.counters[f"error_{event.reason}_count"] += 1
        text = "%s refused reason=%s %s"
        self.context.counters.log_limited(logging.INFO, event.reason, text, self, event.reason, event.detail)
        self.context.counters.tell_fault(ProtocolError(event.detail, reason=event.reason), self.peer)

    def _on_may_asked(self, event: MayAsked) -> None:
        """Another node asks whether a client of its own may."""
        node = client_of(self.number, self.peer, self.server_url, is_proven=self.is_proven)

        def reply(code: str, words: str) -> None:
            if self.state == "open":
                self._session.answer_may(event.number, code, words)
                self.send_session()

        self.rtmp.may_desk.answer(node, event, reply)

    def _on_notice(self, event: Noticed) -> None:
        self.context.counters.notice(event.reason)
        if self._noticed is None:
            self._noticed = set()
        if event.reason not in self._noticed:
            self._noticed.add(event.reason)
            self.context.counters.log_limited(
                logging.INFO, event.reason, "%s ignored reason=%s %s", self, event.reason, event.detail
            )

    def _on_session_ended(self, event: SessionEnded) -> None:
        error = event.error
        if error is not None:
            self.context.counters.report(error, str(self), peer=self.peer)
        self.send_session()
        self.close_gracefully(error.reason if error is not None else "ended")

    def _go_on_late(self) -> None:
        self.last_read_ms = self.context.now_ms()  # what came meanwhile is not to look older than the answer
        if self.state == "open" and not self._is_held:
            self._go_on()

    def _refuse(self, reason: str, detail: str = "", level: int = logging.INFO) -> None:
        """Count a refused request, and log ``detail``; the connection ends unless its peer multiplexes."""
        self.context.counters[f"error_{reason}_count"] += 1
        if detail:
            text = "%s refused reason=%s %s"
            self.context.counters.log_limited(level, reason, text, self, reason, detail, cause=reason)
        self.send_session()
        if self._session.should_close_on_error:
            self.close_gracefully(reason)

    # --- answers that come later ---------------------------------------------

    def _wait_for(self, message_stream_id: int, asking: Asking, *, is_publish: bool) -> None:
        """Nothing when it was answered at once. A publish's media wait with it: here, or unread with the client."""
        if not asking.is_open:
            return
        if self.asked is None:
            self.asked = Asked()
        is_alone = not self.feeds and not self.plays and not self.asked
        self.asked.add(message_stream_id, asking, is_publish=is_publish, is_alone=is_alone)
        if self._is_reading_put_off:
            self.poll_reads(False)

    def _hold_media(self, event: MediaReceived) -> None:
        if self.asked is not None:
            self.asked.hold(event.message_stream_id, event.type_id, event.wire_timestamp, event.payload)

    def _withdraw(self, message_stream_id: int) -> None:
        """The client has ended what it asked for, or asks for something else in its place."""
        if self.asked is not None:
            self.asked.withdraw(message_stream_id)

    def _answer(self, message_stream_id: int, act: Callable[[], None]) -> None:
        """Act on an answer; on a late one within the bounds of this connection, and then on what came meanwhile."""
        asked = self.asked
        if asked is None or message_stream_id not in asked:
            act()
            return
        held = asked.answered(message_stream_id)
        self.last_read_ms = self.context.now_ms()  # what comes now is not to look older than the answer
        try:
            act()
            feed = self.feeds.get(message_stream_id) if self.feeds else None
            if feed is not None:
                for type_id, wire_timestamp, payload in held:
                    feed[1].push(type_id, wire_timestamp, payload, self.last_read_ms)
            if self.state == "open":
                self._work_off()
        except Exception:
            self.failed_internally()
        if not self._is_held and not self._is_reading_put_off:
            self.poll_reads(True)

    # --- publish -------------------------------------------------------------

    def _on_publish(self, event: PublishRequested) -> None:
        self._withdraw(event.message_stream_id)
        name = self.service.resolve(event.stream_name, self.server_url, is_play=False)
        if isinstance(name, Refusal):
            self.service.tell_bad_name(event.stream_name, self.server_url, name, self)
            return self._refuse_publish(event, name)
        trace, message_stream_id = parse_trace_context(*event.trace), event.message_stream_id
        request = PublishRequest(self, name, event.hops, event.is_lost, trace)

        def answered(answer: Publish | Refusal) -> None:
            self._answer(message_stream_id, partial(self._on_publish_answer, event, answer))

        asking = self.service.publish(request, answered, self.last_read_ms)
        self._wait_for(message_stream_id, asking, is_publish=True)

    def _on_publish_answer(self, event: PublishRequested, answer: Publish | Refusal) -> None:
        if isinstance(answer, Refusal):
            return self._refuse_publish(event, answer)
        publisher, stream = answer.publisher, answer.stream
        answer.owner = self
        if self.feeds is None:
            self.feeds = {}
        taker: Publisher[Stream] | HopReceiver = self._receiver(publisher) if publisher.is_hop else publisher
        self.feeds[event.message_stream_id] = (answer, taker)
        self._deliver_media()
        self.rtmp.ingest.publishers.add(self)
        self._session.accept_publish(event.request_id, resume_info(stream) if publisher.is_hop else {})
        lines.info("%s publish started key=%s", str(self), stream.key)

    def _receiver(self, publisher: Publisher[Stream]) -> HopReceiver:
        return HopReceiver(publisher, on_lost=Stream.announce_lost, peer_clock=self.peer_clock())

    def _deliver_media(self) -> None:
        """The media of an only publish need not become events first."""
        feeds = self.feeds or {}
        if len(feeds) == 1:
            ((message_stream_id, feed),) = feeds.items()
            self._session.deliver_media(message_stream_id, feed[1].push_all)
        else:
            self._session.deliver_media(0, None)

    def _refuse_publish(self, event: PublishRequested, refusal: Refusal) -> None:
        code, description, word = publish_status(refusal)
        self._session.reject_publish(event.request_id, code, description)
        if refusal.reason is not Reason.BAD_NAME:
            text = "%s publish refused reason=%s %s"
            if refusal.is_of_a_gate:  # whoever guesses must not fill the log
                log_limited = self.context.counters.log_limited
                log_limited(logging.WARNING, word, text, self, word, refusal.detail, cause=word)
            else:
                logger.warning(text, self, word, refusal.detail, extra={"cause": word})
        self._refuse(word, refusal.detail if refusal.reason is Reason.BAD_NAME else "")

    def publish_stopped(self, publish: Publish, refusal: Refusal) -> None:
        """The publish may not go on: end it, and say why."""
        for message_stream_id, feed in list((self.feeds or {}).items()):
            if feed[0] is publish:
                code, description, word = publish_status(refusal)
                self.note_stopped(hide_query(refusal.detail, publish.name.query))
                self._end_feed(message_stream_id, word)
                self._session.end_stream(message_stream_id, code, description)
                self._refuse(word)

    def _end_feed(self, message_stream_id: int, why: str, *, is_loss: bool = False) -> None:
        label = str(self)
        feed = self.feeds.pop(message_stream_id, None) if self.feeds else None
        if feed is None:
            return
        publish, receiver = feed
        self._deliver_media()
        receiver.commit()
        key = publish.stream.key
        lines.info("%s publish ended key=%s why=%s received=%d", label, key, why, self.received_bytes)
        self.service.end_publish(publish, self.context.now_ms(), is_loss=is_loss, why=why)
        if not self.feeds:
            self.rtmp.ingest.publishers.discard(self)
            self.poll_reads(True)

    # --- play ----------------------------------------------------------------

    def _on_play(self, event: PlayRequested) -> None:
        session, service = self._session, self.service
        self._withdraw(event.message_stream_id)
        name = service.resolve(event.stream_name, self.server_url, is_play=True)
        if isinstance(name, Refusal):
            service.tell_bad_name(event.stream_name, self.server_url, name, self, is_play=True)
            code, description, word = play_status(name)
            session.reject_play(event.request_id, code, description)
            return self._refuse(word, name.detail)
        old = self.plays.get(event.message_stream_id)
        is_running = old is not None and not old.is_paused and old.stream.end_reason is None
        if old is not None and old.key == name.key and is_running:
            session.accept_play(event.request_id)
            return
        if old is not None:
            self._end_play(event.message_stream_id)
        trace, message_stream_id = parse_trace_context(*event.trace), event.message_stream_id
        request = PlayRequest(self, name, event.hops, event.resume, trace)

        def answered(answer: Play | Refusal) -> None:
            self._answer(message_stream_id, partial(self._on_play_answer, event, answer))

        asking = service.play(request, answered, self.last_read_ms)
        self._wait_for(message_stream_id, asking, is_publish=False)

    def _on_play_answer(self, event: PlayRequested, answer: Play | Refusal) -> None:
        session, message_stream_id = self._session, event.message_stream_id
        if isinstance(answer, Refusal):
            code, description, word = play_status(answer)
            if answer.is_of_a_gate:
                session.reject_play(event.request_id, code, description)
                # A node of ours comes again: somebody has to see to it.
                level = logging.WARNING if self.is_hop else logging.INFO
                return self._refuse(word, answer.detail, level)
            session.accept_play(event.request_id)
            session.end_stream(message_stream_id, code, description)
            return self._refuse(word)
        answer.owner = self
        play = RtmpPlay(message_stream_id, answer, resume=event.resume)
        self.plays.add(play)
        info = None
        if play.is_hop:
            info = waiting_info(self.service.standing(play.stream, has_run=event.resume is not None))
        session.accept_play(event.request_id, info)
        lines.info("%s play started key=%s", str(self), play.key)
        self._start_play(play)

    # --- the end -------------------------------------------------------------

    def on_lost(self, error: OSError | None) -> None:
        """The client closed, or the connection broke; within the handshake that is worth a count."""
        if self.state == "open" and error is None:
            self._session.receive_eof()
            ended = self._session.events[-1:]
            if ended and isinstance(ended[0], SessionEnded) and ended[0].error is not None:
                self.context.counters.report(ended[0].error, str(self), peer=self.peer)
        super().on_lost(error)

    def on_closed(self, why: str) -> None:
        """Give back what the connection held."""
        if self.asked is not None:
            self.asked.withdraw_all()
        for message_stream_id in list(self.feeds or ()):
            self._end_feed(message_stream_id, why, is_loss=True)
        for message_stream_id in list(self.plays):
            self._end_play(message_stream_id)
        self._close_writers()
        self.rtmp.ingest.publishers.discard(self)
        self._withdraw_connect(why)
        self._close_why()
        logger.debug("%s closed why=%s", self, why)


#: What is done about an event.
_ACTIONS: dict[type, str] = {
    PlayRequested: "_on_play",
    PublishRequested: "_on_publish",
    ConnectRequested: "_on_connect",
    MediaReceived: "_hold_media",
    PublishEnded: "_on_publish_ended",
    PlayEnded: "_on_play_ended",
    PauseRequested: "_on_pause",
    MediaChosen: "_on_media_chosen",
    Noticed: "_on_notice",
    RequestRefused: "_on_refused",
    ClockAsked: "_on_clock_asked",
    ClockTold: "_on_clock_told",
    MayAsked: "_on_may_asked",
    WhyAsked: "_on_why_asked",
    WhyAnswered: "_on_why_answered",
    SessionEnded: "_on_session_ended",
}
