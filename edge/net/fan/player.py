"""A player of a shared log: little more than a descriptor and an offset; and the slots that players stand in."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Protocol

from edge.hub.log import StreamLog
from edge.hub.stream import Stream
from edge.hub.wire_form import Opening
from edge.net import system
from edge.net.config import MIN_NOTSENT_BYTES
from edge.net.fan.interval import FlushInterval

_JUMP_WINDOW_MS = 60_000


def limit_kernel_queue(sock: socket.socket, stream: Stream) -> None:
    """Let the kernel hold half a second of a player's stream, where a connection has not been given as much already.

    Else the kernel becomes the queue: megabytes, which is a minute of most streams.
    """
    stats = stream.stats
    limit = (stats.video_bps + stats.audio_bps) // 2
    if limit > MIN_NOTSENT_BYTES or not system.INHERITS_OPTIONS:
        system.limit_unsent(sock, max(limit, MIN_NOTSENT_BYTES))


class PlayerOwner(Protocol):
    """The connection that a player belongs to.

    Attributes:
        peer: ``ip:port``.
    """

    peer: str

    def want_write(self, is_wanted: bool) -> None:
        """Ask to be told when the socket takes bytes again."""
        ...

    def play_finished(self, player: Player, reason: str) -> None:
        """All bytes up to the end of the stream have been sent, on a message boundary."""
        ...

    def send_failed(self, error: OSError) -> None:
        """The socket is gone."""
        ...

    def close_slow(self, detail: str) -> None:
        """It takes too little of what is sent: end it; ``detail`` is for the log."""
        ...

    def failed_internally(self) -> None:
        """An exception of ours, being handled, came up while this player was served: end it."""
        ...


class Fan(Protocol):
    """What serves the players of one log: ``LogFan``, as players, slots and connections see it."""

    stream: Stream
    log: StreamLog
    slots: list[Slot]
    flush_interval: FlushInterval
    end_reason: str | None

    def flush(self, slot: Slot) -> int:
        """Bring a slot to the end of the log; returns the number of ``send`` calls."""
        ...

    def guard(self, player: Player, action: Callable[..., None], *args: Any) -> None:
        """Do something for one of many players; an exception of ours ends that player only."""
        ...

    def on_writable(self, player: Player) -> None:
        """The socket of a blocked player takes bytes again."""
        ...

    def send_private(self, player: Player, data: bytes) -> None:
        """Send bytes to this player alone, at the next message boundary."""
        ...

    def rest_of_message(self, player: Player) -> bytes:
        """Take the unsent part of a message that has been begun out of the log."""
        ...

    def remove(self, player: Player) -> None:
        """``player`` leaves."""
        ...


class Player:
    """One play on a connection that plays nothing else.

    A member of a slot has no bytes of its own and stands at the slot's offset;
    one that is behind, new, or has private bytes *roams* with its own offset.

    Attributes:
        opening: makes what it alone is sent.
        offset: next byte of the log; meaningful while roaming.
        tail: private bytes that come before the log; they end at a message boundary.
        placed_lag_ms: how far behind it was put by us, 0 once it has caught up: for that it is not late.
        private_bytes: those that it has got beside the log, less those of the log that came to it in another way.
        begun_offset: where it began, moved on by what it has left out; None before.
        waiting_since_ms: set while it waits for a keyframe to begin on.
        asked_ms: when its client asked to play, until it has been sent something; 0 before and after that.
        jump_count: times it fell too far behind since ``jumped_ms``.
    """

    __slots__ = (
        "asked_ms",
        "begun_offset",
        "fan",
        "is_blocked",
        "jump_count",
        "jumped_ms",
        "offset",
        "opening",
        "owner",
        "placed_lag_ms",
        "position",
        "private_bytes",
        "progress_ms",
        "send",
        "slot",
        "tail",
        "waiting_since_ms",
    )

    def __init__(self, owner: PlayerOwner, send: Callable[[bytes | memoryview], int], opening: Opening) -> None:
        """``send`` is a socket's: it returns how many bytes were taken and raises BlockingIOError when none may be."""
        self.owner = owner
        self.send = send
        self.opening = opening
        self.fan: Fan | None = None
        self.slot: Slot | None = None
        self.position = -1
        self.offset = 0
        self.begun_offset: int | None = None
        self.private_bytes = 0
        self.tail: bytes | memoryview | None = None
        self.placed_lag_ms = 0
        self.is_blocked = False
        self.waiting_since_ms: int | None = None
        self.progress_ms = 0
        self.asked_ms = 0
        self.jump_count = 0
        self.jumped_ms = 0

    @property
    def stream(self) -> Stream | None:
        """What it plays; None once it has left."""
        return self.fan.stream if self.fan is not None else None

    @property
    def has_begun(self) -> bool:
        """It has been given a first frame to begin with."""
        return self.begun_offset is not None

    @property
    def next_seq(self) -> int | None:
        """Place in the stream's queue of the frame that it gets next; None before it has begun and once it has left."""
        if self.fan is None or self.begun_offset is None:
            return None
        slot = self.slot
        return self.fan.log.seq_at(slot.offset if slot is not None and self.position >= 0 else self.offset)

    @property
    def first_seq(self) -> int | None:
        """Place of the frame that it has begun with, as far as it has left nothing out; None as for ``next_seq``."""
        if self.fan is None or self.begun_offset is None:
            return None
        return self.fan.log.seq_at(self.begun_offset)

    @property
    def log_bytes(self) -> int:
        """Bytes of the shared log that it has got."""
        if self.begun_offset is None:
            return 0
        offset = self.slot.offset if self.slot is not None and self.position >= 0 else self.offset
        return offset - self.begun_offset

    @property
    def last_active_ms(self) -> int:
        """When it was last sent something, as far as it takes what comes; 0 before that."""
        stream = self.stream
        if stream is None or self.is_blocked:
            return self.progress_ms
        return stream.publisher.last_media_ms if stream.publisher is not None else 0

    def leave(self) -> bytes:
        """Leave the log; returns what is still to be sent of the message that has been begun."""
        fan = self.fan
        if fan is None:
            return b""
        if self.position >= 0 and self.slot is not None:
            self.slot.take_out(self)
        rest = bytes(self.tail) if self.tail else fan.rest_of_message(self)
        fan.remove(self)
        return rest

    @property
    def sent_bytes(self) -> int:
        """All bytes that its socket has taken."""
        return self.log_bytes + self.private_bytes

    @property
    def behind_bytes(self) -> int:
        """Bytes that it has still to be sent: its private ones, and the log's from where it stands."""
        private = len(self.tail) if self.tail else 0
        if self.fan is None or self.begun_offset is None:
            return private
        return private + max(self.fan.log.end - self.begun_offset - self.log_bytes, 0)

    def skip_to(self, offset: int) -> None:
        """What is up to ``offset`` goes another way than from the log."""
        self.private_bytes -= offset - self.offset
        self.offset = offset

    def move(self, offset: int) -> None:
        """Go to ``offset`` of the log without being sent what lies between."""
        self.begun_offset = offset - self.log_bytes
        self.offset = offset

    def note_jump(self, now_ms: int, limit: int) -> bool:
        """Count an attempt to jump to the newest keyframe; False when it is more than ``limit`` a minute (0: any)."""
        if now_ms - self.jumped_ms > _JUMP_WINDOW_MS:
            self.jumped_ms, self.jump_count = now_ms, 0
        self.jump_count += 1
        return not 0 < limit < self.jump_count


class Slot:
    """Players that stand at the same offset of the same log.

    Attributes:
        offset: next byte of the log for all members.
        seq: first frame that has not been flushed.
        members: up to date, without bytes of their own; a player's ``position`` is its index here.
        roaming: on their own offsets until they stand here again.
        missing: bits of the tracks whose first message some member must still get alone.
        is_scheduled: it waits for its flush.
        due_tick: when its flush is due at the earliest, in ticks of the fan-out.
    """

    __slots__ = ("due_tick", "fan", "is_scheduled", "members", "missing", "offset", "roaming", "seq")

    def __init__(self, fan: Fan, offset: int, seq: int) -> None:
        self.fan = fan
        self.offset = offset
        self.seq = seq
        self.members: list[Player] = []
        self.roaming: set[Player] = set()
        self.missing = 0
        self.is_scheduled = False
        self.due_tick = 0

    def __len__(self) -> int:
        return len(self.members) + len(self.roaming)

    def add(self, player: Player) -> None:
        """``player`` stands at ``offset`` and has no bytes of its own."""
        self.roaming.discard(player)
        player.position = len(self.members)
        self.members.append(player)
        self.missing |= player.opening.missing

    def take_out(self, player: Player) -> None:
        """Make a member roam from the slot's offset."""
        members, position = self.members, player.position
        last = members.pop()
        if last is not player:
            members[position] = last
            last.position = position
        player.position = -1
        player.offset = self.offset
        self.roaming.add(player)
