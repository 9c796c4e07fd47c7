"""Where those begin who come between two frames, and what they are sent alone: worked out for the first of them."""

from __future__ import annotations

import copy
from collections.abc import Hashable
from typing import NamedTuple

from edge.hub.log import StreamLog
from edge.hub.stream import Stream
from edge.hub.wire_form import Opening
from edge.net.fan.player import Player


class _Begun(NamedTuple):
    """How one began.

    Attributes:
        private: what it was sent alone.
        start, offset: where it was put in the log, and where it goes on behind ``private``.
        opening: its opening as it was then.
    """

    private: bytes
    start: int
    offset: int
    lag_ms: int
    opening: Opening


class Newcomers:
    """Those of one log since its newest frame.

    Attributes:
        seq: the frame that they begin with; None while they wait for a keyframe.
    """

    __slots__ = ("_begun", "_ends", "seq")

    def __init__(self) -> None:
        self.seq: int | None = None
        self._ends = (-1, -1)
        self._begun: dict[Hashable, _Begun] = {}

    def look(self, stream: Stream, log: StreamLog) -> int | None:
        """Where one begins that comes now."""
        ends = (stream.queue.end, log.end)
        if ends != self._ends:
            self._ends = ends
            self._begun.clear()
            self.seq = stream.place_of_newcomer()
        return self.seq

    def forget(self) -> None:
        """Something has come, or has gone: the next one is another first, and what the last one was sent may go."""
        self._ends = (-1, -1)
        if self._begun:
            self._begun.clear()

    def begin_alike(self, player: Player) -> bool:
        """Let ``player`` begin as one before it that is sent the same; False when it is the first of its kind."""
        begun = self._begun.get(player.opening.likeness)
        if begun is None:
            return False
        player.opening.go_on_like(begun.opening)
        player.placed_lag_ms = begun.lag_ms
        player.move(begun.start)
        player.skip_to(begun.offset)
        player.tail = begun.private or None
        return True

    def note(self, player: Player, start: int) -> None:
        """``player`` has begun at ``start``, with what it is sent alone as its tail."""
        private = bytes(player.tail) if player.tail else b""
        opening = player.opening
        self._begun[opening.likeness] = _Begun(private, start, player.offset, player.placed_lag_ms, copy.copy(opening))
