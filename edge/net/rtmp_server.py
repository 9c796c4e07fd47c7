"""The shell around a server session: a client that publishes, plays, or both.

A connection that plays exactly one stream and is no node of ours reads the
shared log (``fan.py``); any other is written by ``StreamWriter``.
"""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import TYPE_CHECKING

from edge.errors import ProtocolError, StreamBusyError
from edge.hub.hop import HopReceiver
from edge.hub.key import BadNameError, TcUrl, parse_tc_url
from edge.hub.publisher import Publisher
from edge.net.connection import RECEIVE_BYTES, RawConnection
from edge.net.multi_writer import MultiWriter
from edge.net.play import PausedReader, Play, Plays
from edge.net.player import Player
from edge.net.rtmp_form import RtmpForm
from edge.rtmp.events import (
    ConnectRequested,
    MediaReceived,
    Noticed,
    PauseRequested,
    PlayEnded,
    PlayRequested,
    PublishEnded,
    PublishRequested,
    SessionEnded,
)
from edge.rtmp.server import ServerSession

if TYPE_CHECKING:
    from edge.net.service import RtmpService

logger = logging.getLogger(__name__)

#: Least that is read at once, whatever the parse budget.
_MIN_READ_BYTES = 4096
#: Unsent bytes that the kernel may hold for a player: at least this, or half a second of its stream.
_MIN_NOTSENT_BYTES = 65536
_TCP_NOTSENT_LOWAT = 25

_NOT_FOUND = "NetStream.Play.StreamNotFound"
_BAD_NAME = "NetStream.Publish.BadName"


class RtmpServerConnection(RawConnection):
    """One accepted RTMP connection.

    Attributes:
        feeds: message stream id -> publisher or hop receiver.
        plays: message stream id -> what it plays.
        player: the shared-log player, when there is one.
    """

    __slots__ = (
        "_is_deadline_watched",
        "_noticed",
        "_read_for_chunk_size",
        "_session",
        "_tc_url",
        "_writers",
        "feeds",
        "is_pump_scheduled",
        "last_pump_ms",
        "player",
        "plays",
        "rate_mark",
        "service",
    )

    def __init__(self, sock: socket.socket, service: RtmpService) -> None:
        super().__init__(sock, service.context)
        self.service = service
        self._session = ServerSession(
            service.rtmp,
            entropy=service.context.entropy,
            now_ms=self.created_ms,
            edge_id=service.service_id,
        )
        self._tc_url: TcUrl | None = None
        self.feeds: dict[int, tuple[Publisher, Publisher | HopReceiver]] | None = None
        self.plays = Plays()
        self.player: Player | None = None
        self._writers: MultiWriter | None = None
        self._noticed: set[str] | None = None
        self.is_pump_scheduled = False
        self.last_pump_ms = 0
        self.rate_mark = (0, 0)
        self._is_deadline_watched = False
        self._read_for_chunk_size = 0
        self._watch_deadline()

    @property
    def session(self) -> ServerSession:
        """The protocol state."""
        return self._session

    def __str__(self) -> str:
        return f"[c{self.number} {self.peer} {f'{self.role} {self.key_text}'.strip()}]"

    @property
    def role(self) -> str:
        """``publish``, ``play`` or ``idle``."""
        return "publish" if self.feeds else "play" if self.plays else "idle"

    @property
    def key_text(self) -> str:
        """The first stream it publishes or plays, for people."""
        for feed in (self.feeds or {}).values():
            return str(feed[0].stream.key)
        for play in self.plays.values():
            return str(play.key)
        return ""

    def total_sent_bytes(self) -> int:
        """Bytes the kernel has taken, those of the shared log included."""
        return self.sent_bytes + (self.player.log_bytes if self.player is not None else 0)

    def last_active_ms(self) -> int:
        """When bytes last went in or out."""
        player = self.player
        if player is not None and player.slot is not None and not player.is_blocked:
            newest = player.slot.fan.stream.publisher
            return max(self.last_read_ms, newest.last_media_ms if newest is not None else 0)
        return max(self.last_read_ms, player.progress_ms if player is not None else 0, self.last_pump_ms)

    def is_publish_kept_alive(self, now_ms: int, limit_ms: int) -> bool:
        """A node of ours that forwards a silent publisher answers pings; it decides itself."""
        return bool(self._session.peer_edge_id) and now_ms - self.last_read_ms <= limit_ms

    def is_over_rate(self, now_ms: int, limit_kbps: int) -> bool:
        """Whether more than ``limit_kbps`` came since the last window of a second ended."""
        elapsed_ms = now_ms - self.rate_mark[0]
        if elapsed_ms < 1000:
            return False
        bits = (self.received_bytes - self.rate_mark[1]) * 8
        was_first, self.rate_mark = self.rate_mark[0] == 0, (now_ms, self.received_bytes)
        return not was_first and bits > limit_kbps * elapsed_ms

    def shut_down(self) -> None:
        """The server stops: tell the client why, then close."""
        for message_stream_id in [*(self.feeds or ()), *self.plays]:
            self._session.end_stream(message_stream_id, "NetConnection.Connect.Closed", "Shutdown: server is stopping")
        self.send_session()
        self.close_gracefully("shutdown")

    # --- bytes in ------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        """Bytes of the client."""
        session = self._session
        now = self.last_read_ms
        session.receive_data(data, now)
        events = session.events
        feeds = self.feeds
        while events:
            event = events.popleft()
            if feeds and type(event) is MediaReceived:
                feed = feeds.get(event.message_stream_id)
                if feed is not None:
                    feed[1].push(event.type_id, event.wire_timestamp, event.payload, now)
                continue
            self._on_event(event)
            feeds = self.feeds
            if self.state != "open":
                return
        if feeds:
            for feed in feeds.values():
                feed[1].commit()
        self.send_session()
        if not self._is_deadline_watched:
            self._watch_deadline()
        if session.in_chunk_size != self._read_for_chunk_size:
            self._limit_reads(session.in_chunk_size)

    def _limit_reads(self, chunk_size: int) -> None:
        """A chunk costs about a microsecond to parse, whatever its size: read less from a peer of tiny ones."""
        self._read_for_chunk_size = chunk_size
        budget_us = self.context.config.parse_budget_us
        self.read_limit = (
            min(max(chunk_size * budget_us, _MIN_READ_BYTES), RECEIVE_BYTES) if budget_us else RECEIVE_BYTES
        )

    def send_session(self) -> None:
        """Send what the session has queued, at a message boundary of whatever else goes out."""
        data = self._session.data_to_send()
        if not data:
            return
        config, player = self.context.config, self.player
        held = self.queued_bytes + (len(player.tail) if player is not None and player.tail else 0)
        if held > min(config.max_player_buffer_bytes, config.socket_max_unwritten_bytes):
            self.close_slow(f"{held} bytes of answers are not being read")
            return
        if self.player is not None and self.player.fan is not None:
            self.player.fan.send_private(self.player, data)
        else:
            self.enqueue(data)
            if not self._is_write_wanted:
                self.flush()

    def _on_event(self, event: object) -> None:
        if isinstance(event, PlayRequested):
            self._on_play(event)
        elif isinstance(event, PublishRequested):
            self._on_publish(event)
        elif isinstance(event, ConnectRequested):
            self._on_connect(event)
        elif isinstance(event, PublishEnded):
            self._end_feed(event.message_stream_id, event.why)
        elif isinstance(event, PlayEnded):
            self._end_play(event.message_stream_id)
        elif isinstance(event, PauseRequested):
            self._on_pause(event)
        elif isinstance(event, Noticed):
            self._on_notice(event)
        elif isinstance(event, SessionEnded):
            self._on_session_ended(event.error)

    def _on_notice(self, event: Noticed) -> None:
        self.context.notice(event.reason)
        if self._noticed is None:
            self._noticed = set()
        if event.reason not in self._noticed:
            self._noticed.add(event.reason)
            self.context.log_limited(
                logging.INFO, event.reason, "%s ignored reason=%s %s", self, event.reason, event.detail
            )

    def _on_session_ended(self, error: ProtocolError | None) -> None:
        if error is not None:
            self.context.report(error, str(self))
        self.send_session()
        self.close_gracefully(error.reason if error is not None else "ended")

    # --- connect -------------------------------------------------------------

    def _on_connect(self, event: ConnectRequested) -> None:
        self._tc_url = parse_tc_url(event.tc_url, event.app)
        if self.service.is_draining:
            self._session.reject_connect(event.request_id, "Shutdown: server is stopping")
            self.send_session()
            self.close_gracefully("draining")
            return
        self._session.accept_connect(event.request_id)

    def _refuse(self, reason: str) -> None:
        """Count a refused request; the connection ends unless its peer multiplexes."""
        self.context.counters[f"error_{reason}_count"] += 1
        self.send_session()
        if self._session.should_close_on_error:
            self.close_gracefully(reason)

    # --- publish -------------------------------------------------------------

    def _on_publish(self, event: PublishRequested) -> None:
        session, service = self._session, self.service
        now = self.last_read_ms
        try:
            if self._tc_url is None:
                raise BadNameError("not connected")
            request = service.resolve(event.stream_name, self._tc_url, is_play=False)
        except BadNameError as error:
            session.reject_publish(event.request_id, _BAD_NAME, f"bad_name: {error}")
            return self._refuse("bad_name")
        message_stream_id = event.message_stream_id
        is_hop = bool(session.peer_edge_id)
        try:
            claim = service.registry.claim_publisher(
                service.publish_key(request.key),
                self.peer,
                now,
                query=request.query,
                hops=event.hops,
                is_hop=is_hop,
                on_stopped=lambda code, text, reason: self._stop_feed(message_stream_id, code, text, reason),
            )
        except StreamBusyError as error:
            session.reject_publish(event.request_id, _BAD_NAME, f"StreamBusy: {error.detail}")
            logger.warning("%s publish refused reason=stream_busy %s", self, error.detail)
            return self._refuse("stream_busy")
        publisher = claim.publisher
        if self.feeds is None:
            self.feeds = {}
        self.feeds[message_stream_id] = (publisher, HopReceiver(publisher) if is_hop else publisher)
        service.publishers.add(self)
        info: dict[str, object] = {}
        epoch = publisher.stream.epoch
        if is_hop and epoch is not None:
            info = {"epoch": epoch.id, "nextIndex": epoch.next_index}
        session.accept_publish(event.request_id, info)
        if claim.replaced is not None:
            self._replaced(claim.replaced, publisher)
        logger.info("%s publish started key=%s", self, publisher.stream.key)
        if service.registry.on_published is not None:
            service.registry.on_published(publisher.stream)

    def _replaced(self, old: Publisher, new: Publisher) -> None:
        logger.warning("publisher %s of key=%s replaced by %s", old.peer, new.stream.key, new.peer)
        if self.service.hub.stop_kickedoff_publisher and old.on_stopped is not None:
            old.on_stopped(_BAD_NAME, f"Kicked: Replaced by publisher from {new.peer}", "kicked")

    def _stop_feed(self, message_stream_id: int, code: str, description: str, reason: str) -> None:
        self._end_feed(message_stream_id, reason)
        self._session.end_stream(message_stream_id, code, description)
        self._refuse(reason)

    def _end_feed(self, message_stream_id: int, why: str, *, is_loss: bool = False) -> None:
        feed = self.feeds.pop(message_stream_id, None) if self.feeds else None
        if feed is None:
            return
        feed[1].commit()
        publisher = feed[0]
        key = publisher.stream.key
        text = "[c%d %s publish %s] publish ended why=%s received=%d"
        logger.info(text, self.number, self.peer, key, why, self.received_bytes)
        self.service.registry.release_publisher(
            publisher, self.context.now_ms(), f"publisher on key={key} is gone", is_loss=is_loss
        )
        if not self.feeds:
            self.service.publishers.discard(self)
            self.poll_reads(True)

    def end_publish(self, publisher: Publisher, code: str, description: str, reason: str) -> None:
        """Stop a publisher of this connection for a reason of ours."""
        for message_stream_id, feed in list((self.feeds or {}).items()):
            if feed[0] is publisher:
                self._stop_feed(message_stream_id, code, description, reason)

    # --- play ----------------------------------------------------------------

    def _on_play(self, event: PlayRequested) -> None:
        session, service = self._session, self.service
        try:
            if self._tc_url is None:
                raise BadNameError("not connected")
            request = service.resolve(event.stream_name, self._tc_url, is_play=True)
        except BadNameError as error:
            session.reject_play(event.request_id, _NOT_FOUND, f"bad_name: {error}")
            return self._refuse("bad_name")
        old = self.plays.get(event.message_stream_id)
        if old is not None and old.key == request.key and not old.is_paused:
            session.accept_play(event.request_id)
            return
        if old is not None:
            self._end_play(event.message_stream_id)
        is_hop = bool(session.peer_edge_id)
        found = service.stream_for_play(request, event.hops, self.last_read_ms, is_hop=is_hop, resume=event.resume)
        if isinstance(found, str):
            session.accept_play(event.request_id)
            session.end_stream(event.message_stream_id, _NOT_FOUND, found)
            return self._refuse("not_found")
        session.accept_play(event.request_id, service.waiting_info(found) if is_hop else None)
        play = Play(event.message_stream_id, request, found, is_hop=is_hop, resume=event.resume)
        self.plays.add(play)
        service.registry.add_player(found, is_internal=play.is_internal)
        logger.info("%s play started key=%s", self, request.key)
        self._start_play(play)

    def _limit_kernel_queue(self, play: Play) -> None:
        """Else the kernel becomes the queue: megabytes, which is a minute of most streams."""
        stats = play.stream.stats
        limit = max(_MIN_NOTSENT_BYTES, (stats.video_bps + stats.audio_bps) // 2)
        self.sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, limit)

    def _start_play(self, play: Play) -> None:
        """Put ``play`` on the shared log, or on writers when the connection carries more than that."""
        self._limit_kernel_queue(play)
        is_alone = len(self.plays) == 1 and not self.feeds and not play.is_hop and self._writers is None
        if is_alone and self.queued_bytes == 0:
            data = self._session.data_to_send()
            self.player = Player(self, self.sock.send, play.message_stream_id)
            self.player.tail = data or None
            self.context.fanout.attach(self.player, play.stream, self._form(play))
            return
        moved = self.player.message_stream_id if self.player is not None else 0
        place = self._leave_shared_log()
        self.send_session()
        if self._writers is None:
            self._writers = MultiWriter(self, self.service.rtmp.rtmp_server_chunk_size)
        for other in self.plays.values():
            if other.writer is None and not other.is_paused:
                other.writer = self._writers.open(
                    other.stream,
                    other.message_stream_id,
                    self._form(other),
                    is_hop=other.is_hop,
                    resume=other.resume,
                    timestamp_offset=self.context.fanout.timestamp_offset,
                    place=place if other.message_stream_id == moved else None,
                )
                if other.is_hop:
                    other.writer.on_via = partial(self._tell_via, other.message_stream_id)

    def _tell_via(self, message_stream_id: int, via: tuple[str, ...]) -> None:
        self._session.notify_via(message_stream_id, via)
        self.send_session()

    def _form(self, play: Play) -> RtmpForm:
        return self.service.forms.choose(only_audio=play.request.only_audio, only_video=play.request.only_video)

    def _leave_shared_log(self) -> tuple[int, int] | None:
        """Stop reading the shared log; returns the next frame's seq and the player's clock, for a writer to go on."""
        player, self.player = self.player, None
        if player is None or player.fan is None:
            return None
        fan = player.fan
        if player.position >= 0 and player.slot is not None:
            player.slot.take_out(player)
        rest = (bytes(player.tail) if player.tail else b"") or fan.rest_of_message(player)
        has_begun = player.base_ms is not None and player.waiting_since_ms is None
        place = (fan.log.seq_at(player.offset), player.base_ms or 0) if has_begun else None
        fan.remove(player)
        self.sent_bytes += player.log_bytes - len(rest)
        if rest:
            self.enqueue(rest)
        return place

    def _on_pause(self, event: PauseRequested) -> None:
        play = self.plays.get(event.message_stream_id)
        if play is not None and event.is_paused and not play.is_paused:
            self._pause(play)
        elif play is not None and play.paused is not None and not event.is_paused:
            play.paused.close()
            play.paused = None
            if event.needs_answer:
                self._session.answer_pause(event.message_stream_id, False)
            self._start_play(play)
            return
        if event.needs_answer:
            self._session.answer_pause(event.message_stream_id, event.is_paused)

    def _pause(self, play: Play) -> None:
        """Stop, but stay to hear of the end; of a stream that has ended, the rest is waived."""
        message_stream_id, stream = play.message_stream_id, play.stream
        self._stop_reading(play)
        play.paused = PausedReader(stream, lambda reason: self._finish_play(message_stream_id, reason))
        if stream.end_reason is not None:
            self._finish_play(message_stream_id, stream.end_reason)

    def _stop_reading(self, play: Play) -> None:
        if play.paused is not None:
            play.paused.close()
            play.paused = None
        if self.player is not None and self.player.message_stream_id == play.message_stream_id:
            self._leave_shared_log()
            self.flush()
        if play.writer is not None and self._writers is not None:
            self._writers.close(play.writer)
            play.writer = None

    def _end_play(self, message_stream_id: int) -> None:
        play = self.plays.pop(message_stream_id)
        if play is None:
            return
        self._stop_reading(play)
        text = "[c%d %s play %s] play ended sent=%d"
        logger.info(text, self.number, self.peer, play.key, self.total_sent_bytes())
        self.service.registry.remove_player(play.stream, self.context.now_ms(), is_internal=play.is_internal)

    # --- owner of players and writers ----------------------------------------

    def now_ms(self) -> int:
        """Monotonic clock."""
        return self.context.now_ms()

    def play_finished(self, player: Player, reason: str) -> None:
        """A shared-log player has got everything up to the end of its stream."""
        self._finish_play(player.message_stream_id, reason)

    def writer_finished(self, message_stream_id: int, reason: str) -> None:
        """A writer has written everything up to the end of its stream."""
        self._finish_play(message_stream_id, reason)

    def _finish_play(self, message_stream_id: int, reason: str) -> None:
        play = self.plays.get(message_stream_id)
        self._end_play(message_stream_id)
        if self.state != "open" or play is None:
            return
        if play.stream.epoch is None:
            self._session.end_stream(message_stream_id, _NOT_FOUND, reason)
        else:
            self._session.notify_unpublish(message_stream_id, reason)
        self.send_session()
        if self._session.should_close_on_error and not self.plays and not self.feeds:
            self.close_gracefully("stream ended")

    def send_failed(self, error: OSError) -> None:
        """The socket of a player is gone."""
        self.on_lost(error)

    def close_slow(self, detail: str) -> None:
        """A player made no progress for too long."""
        self.context.report(ProtocolError(detail, reason="slow_player"), str(self))
        self.abort("slow_player")

    def schedule_pump(self) -> None:
        """A writer has frames."""
        if self.state == "open":
            self.context.fanout.schedule_pump(self)

    def pump(self) -> int:
        """Write what the writers have."""
        if self.state != "open" or self._writers is None:
            return 0
        self.last_pump_ms = self.context.now_ms()
        return self._writers.pump()

    def on_writable(self) -> None:
        """The kernel takes bytes again."""
        player = self.player
        if player is not None and player.fan is not None:
            if not self.queued_bytes or self.flush():
                player.fan.on_writable(player)
        elif self.flush() and self._writers is not None and self.state == "open":
            self._writers.pump()

    # --- the end -------------------------------------------------------------

    def on_lost(self, error: OSError | None) -> None:
        """The client closed, or the connection broke; within the handshake that is worth a count."""
        if self.state == "open" and error is None:
            self._session.receive_eof()
            ended = self._session.events[-1:]
            if ended and isinstance(ended[0], SessionEnded) and ended[0].error is not None:
                self.context.report(ended[0].error, str(self))
        super().on_lost(error)

    def on_closed(self, why: str) -> None:
        """Give back what the connection held."""
        for message_stream_id in list(self.feeds or ()):
            self._end_feed(message_stream_id, why, is_loss=True)
        for message_stream_id in list(self.plays):
            self._end_play(message_stream_id)
        if self._writers is not None:
            self._writers.close_all()
            self._writers = None
        self.service.publishers.discard(self)
        logger.debug("%s closed why=%s", self, why)

    # --- deadlines -----------------------------------------------------------

    def _watch_deadline(self) -> None:
        at_ms = self._session.next_deadline_ms()
        if at_ms is not None:
            self._is_deadline_watched = True
            self.context.watch_deadline(self, at_ms)

    def next_deadline_ms(self) -> int | None:
        """The session's; None also ends the watch."""
        at_ms = self._session.next_deadline_ms() if self.state == "open" else None
        if at_ms is None:
            self._is_deadline_watched = False
        return at_ms

    def on_deadline(self, now_ms: int) -> None:
        """The peer was too slow with a handshake, a command or a message."""
        self._session.handle_timer(now_ms)
        events = self._session.events
        while events and self.state == "open":
            self._on_event(events.popleft())
