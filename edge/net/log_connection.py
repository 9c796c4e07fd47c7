"""A connection that plays one shared log and does nothing else: what it reads only shows whether somebody is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ProtocolError
from edge.hub.wire_form import Opening, WireForm
from edge.net.connection import RawConnection
from edge.net.fan.player import Player, limit_kernel_queue
from edge.net.lines import Lines
from edge.service.grants import NOT_SERVED, Play, Served
from edge.service.refusal import Refusal
from edge.service.service import Service

if TYPE_CHECKING:
    from edge.net.byte_stream import ByteStream
    from edge.net.context import NetContext

lines = Lines(__name__)

#: A player has nothing to say. What it says all the same is thrown away, up to here.
MAX_IDLE_TALK_BYTES = 65536


class LogConnection(RawConnection):
    """Serves one play from the shared log of ``form`` until the stream, the play or the connection ends.

    Attributes:
        play: the grant, which ends with this.
        player: its place in the log.
    """

    __slots__ = ("_head_bytes", "_is_given_back", "_protocol", "_service", "_talk_bytes", "play", "player")

    def __init__(
        self,
        wire: ByteStream,
        context: NetContext,
        *,
        peer: str,
        protocol: str,
        service: Service,
        play: Play,
    ) -> None:
        """Take over ``wire`` and ``play``; ``start`` sends the first bytes."""
        super().__init__(wire, context, peer)
        self._service = service
        self._protocol = protocol
        self._talk_bytes = 0
        self._head_bytes = 0
        self._is_given_back = False
        self.play = play
        self.player: Player | None = None
        play.owner = self

    def start(self, head: bytes, form: WireForm, opening: Opening) -> None:
        """Send ``head`` and then the stream; what the stream has, at once."""
        limit_kernel_queue(self.wire.sock, self.play.stream)
        lines.info("%s play started key=%s", str(self), self.play.key)
        self.player = Player(self, self.direct_send, opening)
        self.player.tail = head
        self.player.asked_ms = self.play.asked_ms
        self._head_bytes = len(head)
        self.context.fanout.attach(self.player, self.play.stream, form)

    # --- as others see it -----------------------------------------------------

    def __str__(self) -> str:
        return f"[c{self.number} {self.peer} {self._service.log_prefix}play {self.play.key}]"

    @property
    def role(self) -> str:
        """What it is for, in a word."""
        return "play"

    @property
    def protocol(self) -> str:
        """What it speaks."""
        return self._protocol

    @property
    def service_name(self) -> str | None:
        """The service whose stream it is."""
        return self._service.name

    @property
    def keys(self) -> list[str]:
        """The stream that it plays."""
        return [str(self.play.key)]

    def total_sent_bytes(self) -> int:
        """Bytes the kernel has taken, those of the shared log included."""
        return self.sent_bytes + (self.player.sent_bytes if self.player is not None else 0)

    def behind_bytes(self) -> int:
        """What the player has not got yet."""
        return self.player.behind_bytes if self.player is not None else 0

    def served(self, play: Play) -> Served:
        """How far the play has come; the head of the answer is no part of the stream."""
        player, name = self.player, play.name
        if player is not None and not player.has_begun:
            return NOT_SERVED
        sent_bytes = max(self.total_sent_bytes() - self._head_bytes, 0)
        if player is None:  # it has left
            return NOT_SERVED._replace(sent_bytes=sent_bytes)
        has_video, has_audio = not name.only_audio, not name.only_video
        return Served(sent_bytes, player.next_seq, has_video, has_audio, player.first_seq, player.jump_count)

    def last_active_ms(self) -> int | None:
        """When bytes last went in or out."""
        player = self.player
        return max(self.last_read_ms, player.last_active_ms if player is not None else 0)

    # --- what comes -----------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        """Nothing is expected."""
        self.count_talk(len(data))

    def count_talk(self, size: int) -> None:
        """A client that goes on talking is ended; ``size``: bytes of no use that came."""
        self._talk_bytes += size
        if self._talk_bytes > MAX_IDLE_TALK_BYTES:
            detail = f"{self._talk_bytes} bytes came from a player that has nothing to say"
            self.context.counters.report(ProtocolError(detail, reason="idle_talk"), str(self), peer=self.peer)
            self.abort("idle_talk")

    def send_private(self, data: bytes) -> None:
        """Send something between two messages; a client that does not read its answers is ended."""
        player = self.player
        held = len(player.tail) if player is not None and player.tail else 0
        if held > self.context.config.max_player_buffer_bytes:
            self.close_slow(f"{held} bytes of answers are not being read")
        elif player is not None and player.fan is not None:
            player.fan.send_private(player, data)

    def on_writable(self) -> None:
        """The kernel takes bytes again."""
        player = self.player
        if player is not None and player.fan is not None:
            player.fan.on_writable(player)
        else:
            super().on_writable()

    # --- the end --------------------------------------------------------------

    def last_words(self, *, is_over: bool) -> bytes:
        """What goes behind the last message; ``is_over``: the broadcast has ended, not just this play."""
        return b""

    def _leave(self) -> None:
        """Stop reading the log; the rest of a message that has been begun still goes out."""
        player, self.player = self.player, None
        if player is None or player.fan is None:
            return
        rest = player.leave()
        self.sent_bytes += player.sent_bytes
        self.enqueue(rest)

    def _finish(self, why: str, last_words: bytes) -> None:
        if self.state != "open":
            return
        self._leave()
        self.enqueue(last_words)
        super().close_gracefully(why)

    def close_gracefully(self, why: str) -> None:
        """Somebody else ends it: the play is not over."""
        self._finish(why, self.last_words(is_over=False))

    def play_finished(self, player: Player, reason: str) -> None:
        """Everything up to the end of the stream has been sent: the body ends with it."""
        self._finish("stream ended", self.last_words(is_over=True))

    def play_stopped(self, play: Play, refusal: Refusal) -> None:
        """The play may not go on."""
        self.context.counters.notice(f"error_{refusal.reason.value}")
        self.close_gracefully(refusal.reason.value)

    def play_has_nothing_yet(self, play: Play, *, is_known: bool) -> None:
        """It has begun, so it waits."""

    def shut_down(self, why: str) -> None:
        """The server stops."""
        self.close_gracefully("shutdown")

    def send_failed(self, error: OSError) -> None:
        """The socket is gone."""
        self.on_lost(error)

    def close_slow(self, detail: str) -> None:
        """The client takes too little of what is sent to it."""
        self.context.counters.report(ProtocolError(detail, reason="slow_player"), str(self), peer=self.peer)
        self._service.chronicle.too_slow(self.play, detail)
        self.abort("slow_player")

    def on_closed(self, why: str) -> None:
        """The connection is over."""
        self._leave()
        self._give_back()

    def _give_back(self) -> None:
        if self._is_given_back:
            return
        self._is_given_back = True
        lines.info("%s play ended key=%s sent=%d", str(self), self.play.key, self.total_sent_bytes())
        self._service.end_play(self.play, self.context.now_ms())
        self.play.owner = None
