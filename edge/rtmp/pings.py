"""Which of a peer's questions whether we are there, or what our clock says, are answered."""

from __future__ import annotations

from typing import Any, Final

from edge.errors import ChunkError
from edge.rtmp.commands import Command, is_number
from edge.rtmp.events import ClockAsked, ClockTold

MAX_PONGS_PER_S = 10
MAX_PINGS_PER_S = 1000

CLOCK_COMMAND: Final = "edgeClock"
"""Between nodes of ours that have said so in ``connect``: asks for the peer's clock, and answers.

A command without an object; its first argument is the asking side's clock in microseconds, its
second, in an answer only, the answering side's.
"""
CLOCK_PROPERTY: Final = "edgeClock"
"""Of the object of ``connect`` and of its answer: true where the command is known, and marks may tell delays."""
_MAX_CLOCK_US = 2**53


class PingLimit:
    """Answers the first questions of each second; an answer to each would let a peer flood others through us."""

    __slots__ = ("_count", "_second_ms")

    def __init__(self, now_ms: int) -> None:
        self._second_ms = now_ms
        self._count = 0

    def admits(self, now_ms: int) -> bool:
        """Whether the question that has come is answered; raises ChunkError when there are far too many."""
        if not 0 <= now_ms - self._second_ms < 1000:
            self._second_ms = now_ms
            self._count = 0
        self._count += 1
        if self._count > MAX_PINGS_PER_S:
            raise ChunkError(f"more than {MAX_PINGS_PER_S} pings within a second", reason="ping_flood")
        return self._count <= MAX_PONGS_PER_S


def clock_event(command: Command) -> ClockAsked | ClockTold | None:
    """What a clock command says; None where it makes no sense."""
    sent, peer = command.argument(0), command.argument(1)
    if not _is_time(sent):
        return None
    if peer is None:
        return ClockAsked(int(sent))
    return ClockTold(int(sent), int(peer)) if _is_time(peer) else None


def _is_time(value: Any) -> bool:
    # NaN fails the comparison.
    return is_number(value) and 0 <= value < _MAX_CLOCK_US
