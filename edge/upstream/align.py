"""Where a foreign upstream goes on after a cut: matching what comes to what we have.

Every play of such a server starts its clock at 0 and at some keyframe, so
timestamps cannot name a frame. The first messages of a new link are compared,
by content and time differences, with the newest ones we relayed.
"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from enum import Enum

from edge.media.timeline import signed_difference

#: A shorter run may agree by chance (silent audio repeats itself).
MIN_RUN = 8
_MAX_TAIL = 4096
_TIME_TOLERANCE_MS = 2


class Alignment(Enum):
    """Result of a comparison."""

    PENDING = "pending"
    MATCHED = "matched"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of a relayed message: track, content, and its place on our clock."""

    type_id: int
    size: int
    checksum: int
    dts_ms: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message of the new link, held until the run is long enough."""

    type_id: int
    wire_timestamp: int
    payload: bytes
    checksum: int


class RunAligner:
    """One per pull: remembers the tail, and judges the head of each new link."""

    __slots__ = ("_run", "_start", "_tail", "shift_ms")

    def __init__(self) -> None:
        self._tail: deque[Seen] = deque(maxlen=_MAX_TAIL)
        self._run: list[Arrived] = []
        self._start: int | None = None  # where in the tail the run begins, once that is known
        self.shift_ms = 0

    @property
    def has_tail(self) -> bool:
        """Something has been relayed before."""
        return bool(self._tail)

    def remember(self, type_id: int, payload: bytes, dts_ms: int) -> None:
        """A media message has been relayed at ``dts_ms``."""
        self._tail.append(Seen(type_id, len(payload), zlib.crc32(payload), dts_ms))

    def begin(self) -> None:
        """A new link begins."""
        self._run = []
        self._start = None

    def add(self, type_id: int, wire_timestamp: int, payload: bytes) -> tuple[Alignment, list[Arrived]]:
        """Take one media message of the new link.

        Returns ``PENDING`` and nothing; ``MATCHED`` and the messages after the
        overlap, with ``shift_ms`` (ours minus the link's clock) set; or
        ``GAP`` and what of the run has not been relayed. After either, call
        ``begin`` before the next link.
        """
        arrived = Arrived(type_id, wire_timestamp, payload, zlib.crc32(payload))
        run, tail = self._run, self._tail
        run.append(arrived)
        if len(run) < MIN_RUN:
            return Alignment.PENDING, []
        was_matched = self._start is not None
        if self._start is None or not self._agrees(
            tail[self._start + len(run) - 1], arrived, tail[self._start], run[0]
        ):
            self._start = self._find(run)
        if self._start is None:
            # What agreed so far has been relayed before.
            return Alignment.GAP, run[-1:] if was_matched else run
        overlap = len(tail) - self._start
        if overlap > len(run):
            return Alignment.PENDING, []
        self.shift_ms = tail[-1].dts_ms - run[overlap - 1].wire_timestamp
        return Alignment.MATCHED, run[overlap:]

    def _find(self, run: list[Arrived]) -> int | None:
        tail = self._tail
        first = run[0]
        for start in range(len(tail) - 1, -1, -1):
            seen = tail[start]
            if seen.checksum != first.checksum or seen.type_id != first.type_id:
                continue
            length = min(len(run), len(tail) - start)
            if length >= MIN_RUN and all(
                self._agrees(tail[start + offset], run[offset], seen, first) for offset in range(length)
            ):
                return start
        return None

    def _agrees(self, seen: Seen, arrived: Arrived, seen_first: Seen, first: Arrived) -> bool:
        if (seen.type_id, seen.size, seen.checksum) != (arrived.type_id, len(arrived.payload), arrived.checksum):
            return False
        ours = seen.dts_ms - seen_first.dts_ms
        theirs = signed_difference(arrived.wire_timestamp, first.wire_timestamp)
        return abs(ours - theirs) <= _TIME_TOLERANCE_MS
