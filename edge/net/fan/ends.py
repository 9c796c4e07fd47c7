"""Last flushes of streams that have ended, and lost sockets: some per turn of the loop, however many there are."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import NamedTuple

from edge.net.fan.log_fan import LogFan
from edge.net.fan.player import Player, Slot
from edge.net.fan.wheel import TURN_BUDGET_NS

_ENDS_PER_TURN = 256


class _Ending(NamedTuple):
    """A slot's last flush, or the end of a player (``error``: its socket is lost; ``is_late``: its time is up)."""

    fan: LogFan
    what: Slot | Player
    error: OSError | None = None
    is_late: bool = False


class Ends:
    """The endings that are still to come, in their order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._endings: deque[_Ending] = deque()
        self._is_ending = False

    def end(self, fan: LogFan, end_flush_ms: int) -> None:
        """Flush and end all players of ``fan``; stragglers have ``end_flush_ms``."""
        self._add([_Ending(fan, slot) for slot in fan.slots])
        self._loop.call_later(end_flush_ms / 1000, self._end_rest, fan)

    def end_player(self, fan: LogFan, player: Player) -> None:
        """End one that came after the end, when its turn comes."""
        self._add([_Ending(fan, player, is_late=True)], is_now=False)

    def lose(self, fan: LogFan, player: Player, error: OSError) -> None:
        """Close one whose socket is gone when its turn comes."""
        self._add([_Ending(fan, player, error)], is_now=False)

    def _add(self, endings: list[_Ending], *, is_now: bool = True) -> None:
        self._endings.extend(endings)
        if self._is_ending or not endings:
            return
        if is_now:
            self._end_some()
        else:
            self._is_ending = True
            self._loop.call_soon(self._end_some)

    def _end_some(self) -> None:
        self._is_ending = True
        endings, until = self._endings, time.monotonic_ns() + TURN_BUDGET_NS
        try:
            for _ in range(min(_ENDS_PER_TURN, len(endings))):
                self._end_one(endings.popleft())
                if time.monotonic_ns() > until:
                    break
        finally:
            self._is_ending = bool(endings)
            if endings:
                self._loop.call_soon(self._end_some)

    def _end_one(self, ending: _Ending) -> None:
        fan, what = ending.fan, ending.what
        if isinstance(what, Slot):
            fan.flush(what)
            self._endings.extend(_Ending(fan, player) for player in (*what.members, *what.roaming))
        elif what.fan is not fan:
            return
        elif ending.error is not None:
            fan.guard(what, what.owner.send_failed, ending.error)
        elif what.position >= 0 or ending.is_late:
            fan.guard(what, what.owner.play_finished, what, fan.end_reason or "")
        elif not what.is_blocked:
            fan.advance(what, fan.log.end)

    def _end_rest(self, fan: LogFan) -> None:
        players = [player for slot in fan.slots for player in (*slot.members, *slot.roaming)]
        self._add([_Ending(fan, player, is_late=True) for player in players])
