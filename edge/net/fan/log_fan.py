"""The players of one log, and how its bytes get to them.

Players that are up to date stand in *slots*: the members of a slot share one
offset, so that a flush is one read of the log and one ``send`` per member.
Whoever is new, behind or has private bytes roams with its own offset and
joins its slot once it stands where the slot stands. The host (``fanout.py``)
says when slots are flushed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from edge.hub.log import LogPlace, StreamLog
from edge.hub.reader import BEHIND_PLAYERS, QuietReader
from edge.hub.stream import Stream
from edge.hub.wire_form import WireForm
from edge.media.frame import TRACK_BIT
from edge.net.fan.interval import FlushInterval
from edge.net.fan.newcomers import Newcomers
from edge.net.fan.player import Player, Slot

#: Members of a slot: one flush of it must stay well under the loop's lag limit.
MAX_SLOT_MEMBERS = 512

#: So many lost sockets are closed at once; the rest, when a whole crowd vanishes, by and by.
_MAX_LOST_AT_ONCE = 32

#: A roaming player is given at most so much at once.
_READ_BYTES = 262144
#: With a tail before it, so much of the log: it is copied.
_JOINED_BYTES = 65536
#: A longer tail goes out by itself.
_SMALL_TAIL_BYTES = 32768


class FanHost(Protocol):
    """Who decides when the slots of a log are flushed, and counts."""

    now_ms: Callable[[], int]

    @property
    def max_jumps(self) -> int:
        """A player that jumps more often within a minute is closed; 0 for no limit."""
        ...

    def on_frames(self, fan: LogFan) -> None:
        """A stream has new frames: have the slots flushed."""
        ...

    def end(self, fan: LogFan) -> None:
        """The stream has ended: have all players flushed and ended."""
        ...

    def rest(self, fan: LogFan) -> None:
        """The last player has left."""
        ...

    def lose(self, fan: LogFan, player: Player, error: OSError) -> None:
        """The socket of ``player`` is gone, one of very many: close it by and by."""
        ...

    def count_left_out(self, stream: Stream, frame_count: int, *, jump_count: int = 0) -> None:
        """A player of ``stream`` fell behind and leaves frames out."""
        ...

    def count_first_frame(self, player: Player) -> None:
        """``player`` has just been sent its first bytes."""
        ...


class LogFan(QuietReader):
    """All players of one stream in one wire form; a reader of the stream.

    Attributes:
        flush_interval: how often they are written to.
    """

    def __init__(self, host: FanHost, stream: Stream, form: WireForm, flush_interval: FlushInterval) -> None:
        self.host = host
        self.flush_interval = flush_interval
        self.stream = stream
        self.form = form
        self.log: StreamLog = stream.open_log(form)
        self.slots: list[Slot] = [Slot(self, self.log.end, stream.queue.end)]
        self.waiting_for_keyframe: set[Player] = set()
        self._newcomers = Newcomers()
        self._counted_seq = stream.queue.end
        self.end_reason = stream.end_reason
        stream.readers.append(self)

    @property
    def player_count(self) -> int:
        """Players in all slots."""
        return sum(len(slot.members) + len(slot.roaming) for slot in self.slots)

    # --- the stream's side ---------------------------------------------------

    def on_frames(self) -> None:
        """New frames: flush now, or when the slots' turn comes."""
        self._newcomers.forget()
        self.host.on_frames(self)

    def on_evict(self, base: int) -> None:
        """Players that stand before ``base`` jump."""
        self._newcomers.forget()
        limit = self.log.offset_of(base)
        for slot in list(self.slots):
            if slot.offset < limit:
                self.flush(slot)
            for player in list(slot.roaming):
                if player.offset < limit and player.waiting_since_ms is None:
                    self.guard(player, self.jump, player, base)

    def oldest_seq(self) -> int | None:
        """Some before where the last of the players stands; members of a slot are not looked at one by one."""
        oldest = self.log.end
        for slot in self.slots:
            if slot.members and slot.offset < oldest:
                oldest = slot.offset
            for player in slot.roaming:
                if player.offset < oldest and player.waiting_since_ms is None:
                    oldest = player.offset
        return self.log.seq_at(oldest) - BEHIND_PLAYERS

    def on_end(self, reason: str) -> None:
        """Everyone gets what is queued, then leaves."""
        self.end_reason = reason
        self.host.end(self)

    def count_new(self) -> int:
        """Frames that have come since the last call."""
        end = self.stream.queue.end
        count, self._counted_seq = end - self._counted_seq, end
        return count

    # --- coming and going ----------------------------------------------------

    def add(self, player: Player, now_ms: int) -> None:
        """Let ``player`` in: after its tail it gets the headers and what is cached from the start frame on, at once."""
        slot = min(self.slots, key=len)
        if len(slot) >= MAX_SLOT_MEMBERS:
            slot = Slot(self, self.log.end, self.stream.queue.end)
            self.slots.append(slot)
        player.fan, player.slot = self, slot
        player.progress_ms = now_ms
        slot.roaming.add(player)
        seq = self._newcomers.look(self.stream, self.log)
        if seq is not None:
            self.guard(player, self._begin, player, seq)
            self._send_first(player)
            return
        player.waiting_since_ms = now_ms
        self.waiting_for_keyframe.add(player)
        if player.tail:
            self.advance(player, 0)

    def _begin(self, player: Player, seq: int) -> None:
        """Put a newcomer before frame ``seq``; behind its own tail goes what it alone is sent there."""
        own, player.tail = player.tail, None
        if not self._newcomers.begin_alike(player):
            self.start_at(player, seq)
            if player.opening.missing:
                self._make_private(player, self.log.end)
            self._newcomers.note(player, self.log.offset_of(seq))
        if own:
            player.tail = bytes(own) + player.tail if player.tail else own

    def add_at(self, player: Player, seq: int, *, has_begun: bool) -> None:
        """Let a player in that another process has served: behind its tail it goes on with ``seq``, unless it waits.

        Nothing is sent before ``advance``. It stands for itself, so it is not put with the newcomers.
        """
        slot = min(self.slots, key=len)
        if len(slot) >= MAX_SLOT_MEMBERS:
            slot = Slot(self, self.log.end, self.stream.queue.end)
            self.slots.append(slot)
        player.fan, player.slot = self, slot
        slot.roaming.add(player)
        if player.waiting_since_ms is not None:
            self.waiting_for_keyframe.add(player)
            seq = self.stream.queue.end
        if has_begun:
            player.move(self.log.offset_of(seq))
        else:
            player.offset = self.log.offset_of(seq)

    def begin_waiting(self, now_ms: int) -> None:
        """Start the players that wait for a keyframe, if there is one now."""
        stream = self.stream
        for player in list(self.waiting_for_keyframe):
            waited_ms = now_ms - (player.waiting_since_ms or now_ms)
            after = self.log.seq_at(player.offset) if player.has_begun else 0
            if player.has_begun:
                seq = stream.queue.start_seq(stream.config, waited_ms=waited_ms, after=after)
            else:
                seq = stream.place_of_newcomer(waited_ms)
            if seq is None:
                continue
            self.waiting_for_keyframe.discard(player)
            player.waiting_since_ms = None
            if player.has_begun:
                self.host.count_left_out(stream, seq - after)
            self.guard(player, self.start_at, player, seq)
            if not player.is_blocked:
                self._send_first(player)

    def _send_first(self, player: Player) -> None:
        """Send what there is to a player that has been put before a frame."""
        self.advance(player, self.log.end)
        if player.asked_ms and player.fan is self and player.sent_bytes:
            self.host.count_first_frame(player)

    def start_at(self, player: Player, seq: int, since: int | None = None) -> None:
        """Put ``player`` before frame ``seq``; its tail gets what it lacks there, or has missed from ``since`` on."""
        queue, log = self.stream.queue, self.log
        player.placed_lag_ms = queue.lag_ms(seq)
        player.move(log.offset_of(seq))
        private = player.opening.start(LogPlace(queue, log, seq, since))
        if private:
            player.tail = bytes(player.tail) + private if player.tail else private

    def remove(self, player: Player) -> None:
        """``player`` leaves; O(1)."""
        slot = player.slot
        if slot is None:
            return
        if player.position >= 0:
            slot.take_out(player)
        slot.roaming.discard(player)
        self.waiting_for_keyframe.discard(player)
        player.slot = player.fan = None
        player.tail = None
        if not slot.members and not slot.roaming and len(self.slots) > 1:
            self.slots.remove(slot)
        if len(self.slots) == 1 and not self.slots[0].members and not self.slots[0].roaming:
            self.host.rest(self)

    def close(self) -> None:
        """Nobody plays this form any more."""
        if self in self.stream.readers:
            self.stream.readers.remove(self)
        self.stream.close_log(self.form)
        # They point back here: a cycle would keep the stream with all its frames until a full collection.
        self.slots = []

    # --- bytes ---------------------------------------------------------------

    def flush(self, slot: Slot) -> int:
        """Bring a slot to the end of the log; returns the number of ``send`` calls."""
        log = self.log
        start, end = slot.offset, log.end
        calls = 0
        if start != end and slot.members:
            if slot.missing:
                self._take_out_missing(slot)
            calls = len(slot.members)
            self._send_all(slot, log.read(start, end), start)
        slot.offset = end
        slot.seq = self.stream.queue.end
        if slot.roaming:
            for player in list(slot.roaming):
                if not player.is_blocked:
                    calls += 1
                    self.advance(player, end)
        return calls

    def _send_all(self, slot: Slot, data: bytes, start: int) -> None:
        size = len(data)
        short: list[tuple[Player, int]] = []
        failed: list[tuple[Player, OSError]] = []
        for player in slot.members:
            try:
                sent = player.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                failed.append((player, error))
                continue
            if sent != size:
                short.append((player, sent))
        for player, sent in short:
            slot.take_out(player)
            player.offset = start + sent
            self.guard(player, self._block, player)
        for player, reason in failed[:_MAX_LOST_AT_ONCE]:
            self.guard(player, player.owner.send_failed, reason)
        for player, reason in failed[_MAX_LOST_AT_ONCE:]:
            slot.take_out(player)
            player.is_blocked = True
            self.host.lose(self, player, reason)

    def guard(self, player: Player, action: Callable[..., None], *args: Any) -> None:
        """Do something for one of many players; an exception of ours ends that player only."""
        try:
            action(*args)
        except Exception:
            player.owner.failed_internally()
            if player.fan is self:
                self.remove(player)

    def _take_out_missing(self, slot: Slot) -> None:
        """Members that must get the first message of a track alone roam when one is about to be sent."""
        tracks = self.stream.queue.tracks_from(slot.seq, slot.missing)
        if not tracks:
            return
        missing = 0
        for player in list(slot.members):
            if tracks & player.opening.missing:
                slot.take_out(player)
            else:
                missing |= player.opening.missing
        slot.missing = missing

    def _block(self, player: Player) -> None:
        if not player.is_blocked:
            player.is_blocked = True
            player.progress_ms = self.host.now_ms()
            player.owner.want_write(True)

    def on_writable(self, player: Player) -> None:
        """The socket of a blocked player takes bytes again."""
        slot = player.slot
        if slot is None:
            return
        player.is_blocked = False
        player.progress_ms = self.host.now_ms()
        self.advance(player, self.log.end if self.end_reason is not None else max(slot.offset, player.offset))
        if not player.is_blocked and player.slot is not None:
            player.owner.want_write(False)

    def advance(self, player: Player, limit: int) -> None:
        """Send a roaming player what it lacks up to ``limit``; it joins its slot when it has caught up."""
        self.guard(player, self._advance, player, limit)

    def _advance(self, player: Player, limit: int) -> None:
        try:
            while data := self._next_bytes(player, limit):
                size, tail = len(data), len(player.tail or b"")
                sent = player.send(data)
                if tail:
                    private = min(sent, tail)
                    player.private_bytes += private
                    player.tail = memoryview(data)[private:tail] if private < tail else None
                    player.offset += sent - private
                else:
                    player.offset += sent
                if sent != size:
                    return self._block(player)
        except BlockingIOError:
            return self._block(player)
        except OSError as error:
            return player.owner.send_failed(error)
        self._caught_up(player)

    def _next_bytes(self, player: Player, limit: int) -> bytes | memoryview:
        """What a roaming player is sent next: its tail, and behind a short one what follows of the log.

        Messages that it must get alone are put into its tail before.
        """
        tail = player.tail
        if player.waiting_since_ms is not None or player.offset >= limit or (tail and len(tail) > _SMALL_TAIL_BYTES):
            return tail or b""
        if player.opening.missing and self._make_private(player, limit):
            assert player.tail is not None
            return player.tail
        until = min(limit, player.offset + (_JOINED_BYTES if tail else _READ_BYTES))
        data = self.log.read(player.offset, until)
        return b"".join((tail, data)) if tail else data

    def _caught_up(self, player: Player) -> None:
        slot = player.slot
        if slot is None:
            return
        if self.end_reason is not None and (player.offset >= self.log.end or player.waiting_since_ms is not None):
            player.owner.play_finished(player, self.end_reason)
        elif player.waiting_since_ms is None and player.offset == slot.offset:
            player.placed_lag_ms = 0
            slot.add(player)

    def _make_private(self, player: Player, limit: int) -> bool:
        """Add to the tail all up to the first messages that the player must get alone; False when none are ahead."""
        log, queue, opening = self.log, self.stream.queue, player.opening
        seq = log.seq_at(player.offset)
        missing = queue.tracks_from(seq, opening.missing)
        if not missing or log.offset_of(seq) != player.offset:
            if not missing:
                return False
            end = log.offset_of(seq + 1)
            rest = log.read(player.offset, end)
            player.tail = bytes(player.tail) + rest if player.tail else rest
            player.skip_to(end)
            return True
        parts: list[bytes | memoryview] = [player.tail] if player.tail else []
        size = 0
        while seq < queue.end and log.offset_of(seq) < limit and size < _READ_BYTES and missing:
            frame = queue[seq]
            bit = TRACK_BIT[frame.type_id]
            if bit & missing:
                parts.append(opening.first(frame))
                if not bit & opening.missing:
                    missing = queue.tracks_from(seq + 1, opening.missing)
            else:
                parts.extend(log.pieces_of(seq))
            size += len(frame.payload)
            seq += 1
        player.skip_to(log.offset_of(seq))
        player.tail = b"".join(parts)
        return True

    def send_private(self, player: Player, data: bytes) -> None:
        """Send bytes to this player alone, at the next message boundary."""
        slot = player.slot
        if slot is None:
            return
        if player.position >= 0:
            slot.take_out(player)
        if player.tail:
            player.tail = bytes(player.tail) + data
        else:
            rest = self.rest_of_message(player)
            player.tail = rest + data if rest else data
        if not player.is_blocked:
            self.advance(player, player.offset)

    def rest_of_message(self, player: Player) -> bytes:
        """Take the unsent part of a message that has been begun out of the log."""
        log = self.log
        if player.waiting_since_ms is not None or player.offset >= log.end or player.offset <= log.start:
            return b""
        seq = log.seq_at(player.offset)
        if log.offset_of(seq) == player.offset:
            return b""
        end = log.offset_of(seq + 1)
        rest = log.read(player.offset, end)
        player.skip_to(end)
        return rest

    # --- falling behind ------------------------------------------------------

    def jump(self, player: Player, keep_from: int) -> None:
        """Take a player whose frames go to the newest place to start, or to the end to wait for one.

        It finishes its message first.
        """
        queue, log = self.stream.queue, self.log
        if not player.tail:
            player.tail = self.rest_of_message(player) or None
        seen = log.seq_at(player.offset)
        now_ms = self.host.now_ms()
        if not player.note_jump(now_ms, self.host.max_jumps):
            return player.owner.close_slow(f"{player.jump_count} jumps to a keyframe within a minute")
        target = queue.start_seq(self.stream.config)
        if target is None or target < keep_from or log.offset_of(target) < player.offset:
            self._leave_out(player, seen, queue.end)
            player.waiting_since_ms = now_ms
            self.waiting_for_keyframe.add(player)
            player.move(log.end)
            return
        self._leave_out(player, seen, target)
        self.start_at(player, target, seen)

    def _leave_out(self, player: Player, first_seq: int, end_seq: int) -> None:
        self.host.count_left_out(self.stream, end_seq - first_seq, jump_count=1)
        if self.stream.stats.stuck is not None:
            self.stream.note_stuck(
                player.owner.peer, getattr(player.opening, "message_stream_id", 0), first_seq, end_seq
            )

    def jump_if_late(self, player: Player, limit_ms: int) -> None:
        """Let a player jump that has fallen ``limit_ms`` behind since it was placed, if it gains by that."""
        if self.lag_ms(player) - player.placed_lag_ms <= limit_ms:
            return
        queue = self.stream.queue
        target = queue.start_seq(self.stream.config)
        if target is not None and target >= queue.base and self.log.offset_of(target) > player.offset:
            self.jump(player, queue.base)

    def lag_ms(self, player: Player) -> int:
        """How far behind a roaming player is, by the own clock of a track that it gets next."""
        queue = self.stream.queue
        if player.waiting_since_ms is not None or player.offset >= self.log.end:
            return 0
        return queue.lag_ms(self.log.seq_at(player.offset))
