"""A player of a shared log: little more than a descriptor and an offset."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge.net.fan.log_fan import LogFan, Slot


class PlayerOwner(Protocol):
    """The connection that a player belongs to."""

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


class Player:
    """One play on a connection that plays nothing else.

    A member of a slot has no bytes of its own and stands at the slot's offset;
    one that is behind, new, or has private bytes *roams* with its own offset.

    Attributes:
        offset: next byte of the log; meaningful while roaming.
        tail: private bytes that come before the log; they end at a message boundary.
        primed: bits of the tracks whose first message this player has got.
        base_ms: stream clock at the player's 0; None before its first frame.
        low_bases: the same of media whose clock is far behind that, by type id; else None.
        placed_lag_ms: how far behind it was put by us, 0 once it has caught up: for that it is not late.
        begun_offset: where it began, moved on by what it has left out; None before.
        waiting_since_ms: set while it waits for a keyframe to begin on.
        jump_count: times it fell too far behind since ``jumped_ms``.
    """

    __slots__ = (
        "base_ms",
        "begun_offset",
        "fan",
        "is_blocked",
        "jump_count",
        "jumped_ms",
        "low_bases",
        "message_stream_id",
        "offset",
        "owner",
        "placed_lag_ms",
        "position",
        "primed",
        "progress_ms",
        "send",
        "slot",
        "tail",
        "waiting_since_ms",
    )

    def __init__(self, owner: PlayerOwner, send: Callable[[bytes | memoryview], int], message_stream_id: int) -> None:
        self.owner = owner
        self.send = send
        self.message_stream_id = message_stream_id
        self.fan: LogFan | None = None
        self.slot: Slot | None = None
        self.position = -1
        self.offset = 0
        self.begun_offset: int | None = None
        self.tail: bytes | memoryview | None = None
        self.primed = 0
        self.base_ms: int | None = None
        self.low_bases: dict[int, int] | None = None
        self.placed_lag_ms = 0
        self.is_blocked = False
        self.waiting_since_ms: int | None = None
        self.progress_ms = 0
        self.jump_count = 0
        self.jumped_ms = 0

    @property
    def log_bytes(self) -> int:
        """Bytes of the shared log that it has got."""
        if self.begun_offset is None:
            return 0
        offset = self.slot.offset if self.slot is not None and self.position >= 0 else self.offset
        return offset - self.begun_offset
