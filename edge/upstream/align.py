"""Where a foreign upstream goes on after a cut: matching what comes to what we have.

Every play of such a server starts its clock at 0 and at some keyframe, so
timestamps cannot name a frame. The first messages of a new link are compared,
by content and time differences, with the newest ones we relayed.

Equal content is no proof: films in a loop, slates and silence come again, live.
A wrong match would drop a whole round of them while players wait, and a match
that is missed costs a counted gap and a few seconds that are seen twice. So a
match is believed only

- where it is young: a server sends first what its cache holds, a group of
  pictures or two (``_oldest_ms``); of several places the youngest is taken;
- where the overlap has more than one content: silence fits everywhere;
- while it comes faster than the clock. What a server had when we came is sent
  at once; what comes at the pace of the clock is new, whatever it looks like.
"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from enum import Enum

from edge.media.frame import VIDEO, classify_video, tracks_of
from edge.media.timeline import signed_difference

#: A shorter run may agree by chance (silent audio repeats itself).
MIN_RUN = 8
_MAX_TAIL = 4096
_TIME_TOLERANCE_MS = 2
#: A cache begins at a keyframe, with one or two whole groups before the one that has just begun.
_CACHED_KEYFRAMES = 3
#: Caches of sound alone, and those that are bounded in seconds, hold this much.
_CACHED_MS = 6000
#: So long an overlap may come no faster than the clock: the start of a connection over a
#: long way is slow, and another server may be a little behind the last one.
_SLOW_MS = 2000
#: The same, where the tail shows that the content does repeat itself.
_REPEATED_SLOW_MS = 500
#: Less of a lead over the clock is jitter.
_LEAD_STEP_MS = 100
#: Live data also comes in lumps, as servers collect them into one write; more than this is a cache's.
_LUMP_MS = 500


class Alignment(Enum):
    """Result of a comparison."""

    PENDING = "pending"
    MATCHED = "matched"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of a relayed message: medium, track, content, and its place on our clock."""

    type_id: int
    size: int
    checksum: int
    dts_ms: int
    is_keyframe: bool
    track: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message of the new link, held until the run is long enough."""

    type_id: int
    wire_timestamp: int
    payload: bytes
    checksum: int


class RunAligner:
    """One per pull: remembers the tail, and judges the head of each new link."""

    __slots__ = (
        "_began_ms",
        "_is_repeated",
        "_lead_at_ms",
        "_lead_ms",
        "_places",
        "_run",
        "_same_count",
        "_tail",
        "shift_ms",
    )

    def __init__(self) -> None:
        self._tail: deque[Seen] = deque(maxlen=_MAX_TAIL)
        self._run: list[Arrived] = []
        self._places: list[int] = []  # where in the tail the run may begin, the youngest first
        self._same_count = 0  # messages at the front of the run that are equal
        self._is_repeated = False
        self._began_ms = 0
        self._lead_ms = 0  # how far the run is ahead of the clock
        self._lead_at_ms = 0  # when it was last seen to gain
        self.shift_ms = 0

    @property
    def has_tail(self) -> bool:
        """Something has been relayed before."""
        return bool(self._tail)

    def remember(self, type_id: int, payload: bytes, dts_ms: int) -> None:
        """A media message has been relayed at ``dts_ms``."""
        is_keyframe = type_id == VIDEO and classify_video(payload)[1]
        track = tracks_of(type_id, payload)[0]
        self._tail.append(Seen(type_id, len(payload), zlib.crc32(payload), dts_ms, is_keyframe, track))

    def begin(self) -> None:
        """A new link begins."""
        self._run = []
        self._places = []
        self._same_count = 0
        self._is_repeated = False

    def add(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> tuple[Alignment, list[Arrived]]:
        """Take one media message of the new link, which arrived at ``now_ms``.

        Returns ``PENDING`` and nothing; ``MATCHED`` and the messages after the
        overlap, with ``shift_ms`` (ours minus the link's clock) set; or
        ``GAP`` and what of the run is to be relayed. After either, call
        ``begin`` before the next link.
        """
        arrived = Arrived(type_id, wire_timestamp, payload, zlib.crc32(payload))
        run = self._run
        if not run:
            self._began_ms = self._lead_at_ms = now_ms
            self._lead_ms = 0
        if self._same_count == len(run) and (not run or _is_same(arrived, run[0])):
            self._same_count += 1
        run.append(arrived)
        lead_ms = signed_difference(wire_timestamp, run[0].wire_timestamp) - (now_ms - self._began_ms)
        if lead_ms >= self._lead_ms + _LEAD_STEP_MS:
            self._lead_ms, self._lead_at_ms = lead_ms, now_ms
        if len(run) >= MIN_RUN:
            self._narrow()
            if not self._places:
                # What a cache held has been relayed, up to where it differs. What may be live has not.
                is_burst = len(run) > MIN_RUN and lead_ms > _LUMP_MS
                return Alignment.GAP, run[-1:] if is_burst else run
            overlap = len(self._tail) - self._places[0]
            if overlap <= len(run):
                self.shift_ms = self._tail[-1].dts_ms - run[overlap - 1].wire_timestamp
                return Alignment.MATCHED, run[overlap:]
        if now_ms - self._lead_at_ms >= (_REPEATED_SLOW_MS if self._is_repeated else _SLOW_MS):
            return Alignment.GAP, run
        return Alignment.PENDING, []

    def _narrow(self) -> None:
        """Bring the places up to date with the newest message of the run."""
        run, tail = self._run, self._tail
        if len(run) == MIN_RUN:
            places = [start for start in range(len(tail) - MIN_RUN, -1, -1) if self._is_run_at(start)]
            self._is_repeated = len(places) > 1
            oldest_ms = self._oldest_ms()
            places = [start for start in places if tail[start].dts_ms >= oldest_ms[tail[start].type_id]]
        else:
            newest = len(run) - 1
            places = [
                start for start in self._places if self._agrees(tail[start + newest], run[newest], tail[start], run[0])
            ]
        # An overlap that is over and was all the same is none.
        self._places = [
            start for start in places if len(tail) - start > len(run) or len(tail) - start > self._same_count
        ]

    def _oldest_ms(self) -> dict[int, int]:
        """Place on our clock before which no cache begins, per medium: each may run by a clock of its own."""
        tail = self._tail
        counts: dict[int, int] = {}
        first = len(tail)  # the oldest keyframe with which a cache may begin
        for at in range(len(tail) - 1, -1, -1):
            seen = tail[at]
            if seen.is_keyframe:
                first = at
                counts[seen.track] = counts.get(seen.track, 0) + 1
                if counts[seen.track] == _CACHED_KEYFRAMES:
                    break
        oldest_ms: dict[int, int] = {}
        for at in range(len(tail) - 1, -1, -1):
            seen = tail[at]
            if seen.type_id not in oldest_ms:
                oldest_ms[seen.type_id] = seen.dts_ms - _CACHED_MS
            if at >= first:
                oldest_ms[seen.type_id] = min(oldest_ms[seen.type_id], seen.dts_ms)
        return oldest_ms

    def _is_run_at(self, start: int) -> bool:
        tail, first, seen = self._tail, self._run[0], self._tail[start]
        if seen.checksum != first.checksum or seen.type_id != first.type_id:
            return False
        return all(self._agrees(tail[start + offset], self._run[offset], seen, first) for offset in range(MIN_RUN))

    def _agrees(self, seen: Seen, arrived: Arrived, seen_first: Seen, first: Arrived) -> bool:
        if (seen.type_id, seen.size, seen.checksum) != (arrived.type_id, len(arrived.payload), arrived.checksum):
            return False
        ours = seen.dts_ms - seen_first.dts_ms
        theirs = signed_difference(arrived.wire_timestamp, first.wire_timestamp)
        return abs(ours - theirs) <= _TIME_TOLERANCE_MS


def _is_same(one: Arrived, other: Arrived) -> bool:
    return (one.type_id, one.checksum) == (other.type_id, other.checksum)
