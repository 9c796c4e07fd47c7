"""A player's place in a shared log, told so that another process can go on from there.

What it is still to be sent is a private part, which ends at a message boundary,
and then the stream from some frame on. The rest of a message that has been begun
out of the log belongs to the private part: another log may have other bytes
before it, so no place within a message means anything there.
"""

from __future__ import annotations

import msgspec

from edge.net.fan.player import Player


class PlayerPlace(msgspec.Struct, forbid_unknown_fields=True):
    """Where a player stands.

    Attributes:
        seq: frame of the stream's queue that follows ``tail``; meaningless while it waits.
        tail: bytes that it is sent before that.
        waiting_since_ms: set while it waits for a keyframe to begin on.
        has_begun: it has been given a first frame, ever.
    """

    seq: int
    tail: bytes
    waiting_since_ms: int | None
    has_begun: bool
    placed_lag_ms: int
    progress_ms: int
    asked_ms: int
    jump_count: int
    jumped_ms: int


def place_of(player: Player) -> PlayerPlace | None:
    """Where ``player`` stands, which stays as it is; None once it has left its log."""
    fan, slot = player.fan, player.slot
    if fan is None or slot is None:
        return None
    log = fan.log
    offset = slot.offset if player.position >= 0 else player.offset
    tail = bytes(player.tail) if player.tail else b""
    seq = log.seq_at(offset)
    if player.waiting_since_ms is None and not tail and log.start < offset < log.end and log.offset_of(seq) != offset:
        end = log.offset_of(seq + 1)
        tail, seq = log.read(offset, end), seq + 1
    return PlayerPlace(
        seq=seq,
        tail=tail,
        waiting_since_ms=player.waiting_since_ms,
        has_begun=player.has_begun,
        placed_lag_ms=player.placed_lag_ms,
        progress_ms=player.progress_ms,
        asked_ms=player.asked_ms,
        jump_count=player.jump_count,
        jumped_ms=player.jumped_ms,
    )


def put_in_place(player: Player, place: PlayerPlace) -> None:
    """What ``place`` says of the player itself; where it stands is for its fan (``Fanout.attach_at``)."""
    player.tail = place.tail or None
    player.is_blocked = True  # until ``on_writable`` says that its turn has come
    player.waiting_since_ms = place.waiting_since_ms
    player.placed_lag_ms, player.progress_ms = place.placed_lag_ms, place.progress_ms
    player.asked_ms, player.jump_count, player.jumped_ms = place.asked_ms, place.jump_count, place.jumped_ms
