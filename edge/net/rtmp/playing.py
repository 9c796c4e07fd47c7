"""The playing half of a server connection.

A connection that plays exactly one stream and is no node of ours reads the
shared log (``net/fan``); any other is written by ``StreamWriter``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from edge.errors import ProtocolError
from edge.net.byte_stream import ByteStream
from edge.net.fan.player import Player, limit_kernel_queue
from edge.net.lines import Lines
from edge.net.rtmp.connection import RtmpConnection
from edge.net.rtmp.form import RtmpForm
from edge.net.rtmp.opening import RtmpOpening, RtmpPlayer
from edge.net.rtmp.play import PausedReader, Plays, RtmpPlay
from edge.net.rtmp.status import NOT_FOUND, play_status
from edge.net.track_filter import AUDIO_BIT, VIDEO_BIT
from edge.rtmp.events import MediaChosen, PauseRequested
from edge.rtmp.server import ServerSession
from edge.service.grants import NOT_SERVED, Play, Served
from edge.service.hiding import hide_query
from edge.service.refusal import Refusal
from edge.service.service import Service

if TYPE_CHECKING:
    from edge.net.rtmp.service import RtmpService

lines = Lines(__name__)


class PlayingConnection(RtmpConnection[ServerSession]):
    """Serves the plays of one connection, each from the shared log or by a writer; subclasses grant them.

    Attributes:
        plays: message stream id -> what it plays.
        player: the shared-log player, when there is one.
    """

    __slots__ = ("_last_pump_ms", "player", "plays", "rtmp")

    def __init__(self, wire: ByteStream, rtmp: RtmpService, session: ServerSession, peer: str) -> None:
        super().__init__(wire, rtmp.context, session, peer)
        self.rtmp = rtmp
        self.why_desk = rtmp.why_desk
        self.plays = Plays()
        self.player: RtmpPlayer | None = None
        self._last_pump_ms = 0

    @property
    def service(self) -> Service:
        """Who grants what the client asks for."""
        return self.rtmp.service

    @property
    def is_publishing(self) -> bool:
        """It feeds streams too."""
        raise NotImplementedError

    def total_sent_bytes(self) -> int:
        """Bytes the kernel has taken, those of the shared log included."""
        return self.sent_bytes + (self.player.sent_bytes if self.player is not None else 0)

    def behind_bytes(self) -> int:
        """What the player has not got yet."""
        return self.player.behind_bytes if self.player is not None else 0

    def last_active_ms(self) -> int:
        """When bytes last went in or out."""
        player = self.player
        return max(self.last_read_ms, player.last_active_ms if player is not None else 0, self._last_pump_ms)

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
        if player is not None and player.fan is not None:
            player.fan.send_private(player, data)
        else:
            self.send(data)

    # --- plays ---------------------------------------------------------------

    def _start_play(self, play: RtmpPlay) -> None:
        """Put ``play`` on the shared log, or on writers when the connection carries more than that."""
        limit_kernel_queue(self.wire.sock, play.stream)
        is_alone = len(self.plays) == 1 and not self.is_publishing and self._writers is None
        is_alone = is_alone and not play.is_hop and not play.hears_errors_only
        if is_alone and self.queued_bytes == 0:
            data = self._session.data_to_send()
            play.form = self._form(play)
            opening = RtmpOpening.of(play.stream, play.form, play.message_stream_id)
            self.player = RtmpPlayer(self, self.direct_send, opening, head=data)
            self.player.asked_ms = play.take_asked_ms()
            self.context.fanout.attach(self.player, play.stream, play.form)
            return
        self._use_writers()

    def _use_writers(self) -> None:
        """Have all plays that are not paused written; the one on the shared log goes on where it stands."""
        opening = self.player.opening if self.player is not None else None
        place = self._leave_shared_log(self.plays.get(opening.message_stream_id) if opening is not None else None)
        self.send_session()
        writers = self._open_writers(self._session.out_chunk_size)
        for play in self.plays.values():
            if play.writer is not None or play.is_paused:
                continue
            moved = opening if opening is not None and opening.message_stream_id == play.message_stream_id else None
            if play.form is None or moved is None:
                play.form = self._form(play)
            play.writer = writers.open(
                play.stream,
                play.message_stream_id,
                play.form,
                is_hop=play.is_hop,
                resume=play.resume,
                timestamp_offset=play.stream.config.timestamp_offset,
                place=place if moved is not None else None,
                low_bases=moved.low_bases if place is not None and moved is not None else None,
            )
            play.writer.is_told_early = play.is_hop or play.hears_errors_only
            play.writer.asked_ms = play.take_asked_ms()
            if play.is_hop:
                play.writer.tells_delay = self._session.peer_tells_clock
                play.writer.pass_via = partial(self._tell_via, play.message_stream_id)
                play.writer.pass_loss = partial(self._tell_lost, play.message_stream_id)

    def _on_media_chosen(self, event: MediaChosen) -> None:
        """Leave a medium out from now on, or send it again; a play that is paused begins anew with what is wanted.

        Nodes of ours never ask for it, and are always sent all.
        """
        play = self.plays.get(event.message_stream_id)
        if play is None or play.is_paused or play.is_hop:
            return
        if play.writer is None:
            self._use_writers()
        if play.writer is not None:
            play.form = self._form(play)
            play.writer.change_form(play.form)

    def _tell_via(self, message_stream_id: int, via: tuple[str, ...]) -> None:
        self._session.notify_via(message_stream_id, via)
        self.send_session()

    def _tell_lost(self, message_stream_id: int) -> None:
        self._session.notify_lost(message_stream_id)
        self.send_session()

    def _form(self, play: RtmpPlay) -> RtmpForm:
        name = play.grant.name
        has_audio, has_video = self._session.media_choice(play.message_stream_id)
        return self.rtmp.forms_of(self._session.out_chunk_size).choose(
            only_audio=name.only_audio, only_video=name.only_video, has_audio=has_audio, has_video=has_video
        )

    def _leave_shared_log(self, play: RtmpPlay | None) -> tuple[int, int] | None:
        """Stop reading the shared log; returns the next frame's seq and the player's clock, for a writer to go on.

        ``play``: the one that has read it.
        """
        player, self.player = self.player, None
        if player is None or player.fan is None:
            return None
        log, base_ms = player.fan.log, player.opening.base_ms
        has_begun = base_ms is not None and player.waiting_since_ms is None
        rest = player.leave()
        if play is not None:
            play.grant.passed_bytes += player.stream_bytes + (len(rest) if player.has_begun else 0)
        place = (log.seq_at(player.offset), base_ms or 0) if has_begun else None
        self.sent_bytes += player.sent_bytes
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

    def _pause(self, play: RtmpPlay) -> None:
        """Stop, but stay to hear of the end; of a stream that has ended, the rest is waived."""
        message_stream_id, stream = play.message_stream_id, play.stream
        self._stop_reading(play)
        self.service.pause_play(play.grant)
        play.paused = PausedReader(
            stream,
            lambda reason: self._finish_play(message_stream_id, reason),
            is_told_early=play.hears_errors_only,
        )
        if stream.end_reason is not None:
            self._finish_play(message_stream_id, stream.end_reason)

    def _stop_reading(self, play: RtmpPlay) -> None:
        if play.paused is not None:
            play.paused.close()
            play.paused = None
        player = self.player
        if player is not None and player.opening.message_stream_id == play.message_stream_id:
            self._leave_shared_log(play)
            if self.state == "open":  # whoever closes flushes, or has nobody to send to
                self.flush()
        if play.writer is not None and self._writers is not None:
            play.grant.passed_bytes += play.writer.written_bytes
            self._writers.close(play.writer)
            play.writer = None

    def _end_play(self, message_stream_id: int) -> None:
        label = str(self)
        play = self.plays.pop(message_stream_id)
        if play is None:
            return
        self._stop_reading(play)
        lines.info("%s play ended key=%s sent=%d", label, play.key, self.total_sent_bytes())
        self.service.end_play(play.grant, self.context.now_ms())

    # --- owner of grants -------------------------------------------------------

    def served(self, play: Play) -> Served:
        """How far it has come; while it is paused nothing comes next."""
        played = self._played(play)
        form = played.form if played is not None else None
        if played is None or form is None:
            return NOT_SERVED._replace(sent_bytes=play.passed_bytes)
        player, writer = self.player, played.writer
        sent_bytes, next_seq, first_seq, jumps = play.passed_bytes, None, None, 0
        if writer is not None:
            sent_bytes, next_seq, first_seq = sent_bytes + writer.written_bytes, writer.next_seq, writer.first_seq
        elif player is not None and player.opening.message_stream_id == played.message_stream_id:
            sent_bytes, next_seq, first_seq = sent_bytes + player.stream_bytes, player.next_seq, player.first_seq
            jumps = player.jump_count
        has_video, has_audio = bool(form.tracks & VIDEO_BIT), bool(form.tracks & AUDIO_BIT)
        return Served(sent_bytes, next_seq, has_video, has_audio, first_seq, jumps)

    def _played(self, grant: Play) -> RtmpPlay | None:
        """What plays by ``grant``; None when that has been given back."""
        return next((play for play in self.plays.values() if play.grant is grant), None)

    def play_has_nothing_yet(self, play: Play, *, is_known: bool) -> None:
        """A foreign upstream has nothing for what the node said so far; viewers wait."""
        played = self._played(play)
        if played is not None and played.is_hop:
            self._session.notify_nothing_yet(played.message_stream_id, is_known=is_known)
            self.send_session()

    def play_stopped(self, play: Play, refusal: Refusal) -> None:
        """The play may not go on: end it, in the words of whoever says so."""
        played = self._played(play)
        if played is None:
            return
        self.note_stopped(hide_query(refusal.detail, play.query))
        self._end_play(played.message_stream_id)
        if self.state != "open":
            return
        code, description, word = play_status(refusal)
        self.context.counters[f"error_{word}_count"] += 1
        self._session.end_stream(played.message_stream_id, code, description)
        self.send_session()
        if self._session.should_close_on_error and not self.plays and not self.is_publishing:
            self.close_gracefully(word)

    # --- owner of players and writers ----------------------------------------

    def play_finished(self, player: Player, reason: str) -> None:
        """A shared-log player has got everything up to the end of its stream."""
        if self.player is player:
            self._finish_play(self.player.opening.message_stream_id, reason)

    def writer_finished(self, message_stream_id: int, reason: str) -> None:
        """A writer has written everything up to the end of its stream."""
        self._finish_play(message_stream_id, reason)

    def _finish_play(self, message_stream_id: int, reason: str) -> None:
        play = self.plays.get(message_stream_id)
        self._end_play(message_stream_id)
        if self.state != "open" or play is None:
            return
        if play.stream.epoch is None:
            self._session.end_stream(message_stream_id, NOT_FOUND, reason)
        else:
            self._session.notify_unpublish(message_stream_id, reason)
        self.send_session()
        if self._session.should_close_on_error and not self.plays and not self.is_publishing:
            self.close_gracefully("stream ended")

    def send_failed(self, error: OSError) -> None:
        """The socket of a player is gone."""
        self.on_lost(error)

    def close_slow(self, detail: str) -> None:
        """The client takes too little of what is sent to it."""
        self.context.counters.report(ProtocolError(detail, reason="slow_player"), str(self), peer=self.peer)
        for play in self.plays.values():
            self.service.chronicle.too_slow(play.grant, detail)
        self.abort("slow_player")

    def pump(self) -> int:
        """Write what the writers have, which is activity; returns the calls made."""
        if self.state != "open" or self._writers is None:
            return 0
        self._last_pump_ms = self.context.now_ms()
        return self._writers.pump()

    def on_writable(self) -> None:
        """The kernel takes bytes again."""
        player = self.player
        if player is not None and player.fan is not None:
            if not self.queued_bytes or self.flush():
                player.fan.on_writable(player)
        else:
            super().on_writable()
