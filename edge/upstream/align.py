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

    __slots__ = ("_run", "_tail", "shift_ms")

    def __init__(self) -> None:
        self._tail: deque[Seen] = deque(maxlen=_MAX_TAIL)
        self._run: list[Arrived] = []
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

    def add(self, type_id: int, wire_timestamp: int, payload: bytes) -> tuple[Alignment, list[Arrived]]:
        """Take one media message of the new link.

        Returns ``PENDING`` and nothing; ``MATCHED`` and the messages after the
        overlap, with ``shift_ms`` (ours minus the link's clock) set; or
        ``GAP`` and all of the run.
        """
        self._run.append(Arrived(type_id, wire_timestamp, payload, zlib.crc32(payload)))
        run = self._run
        if len(run) < MIN_RUN:
            return Alignment.PENDING, []
        self._run = []
        start = self._find(run)
        if start is None:
            return Alignment.GAP, run
        tail = self._tail
        self.shift_ms = tail[start].dts_ms - run[0].wire_timestamp
        overlap = len(tail) - start
        if overlap > len(run):
            # The rest of the overlap is still to come: the run goes on from there.
            self._run = run
            return Alignment.PENDING, []
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
