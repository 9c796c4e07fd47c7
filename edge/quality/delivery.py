"""Whether those who load media get them as fast as they play them, told by how the bytes leave a node.

A node whose line is short does not feel it by its load. But a segment of two seconds that takes four to send is late,
whoever has asked for it, and long before a player has run dry. One viewer who is late has a slow line; where media of
many come late, it is the node's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

#: What ended longer ago tells nothing of now.
WINDOW_MS = 3000
#: Beyond the round trip, what a peer may take to acknowledge the last bytes (RFC 9293 §3.8.6.3), and we to see it.
ALLOWANCE_MS = 100
#: Before that, and some round trips, nobody can tell how fast the bytes go: a connection begins slowly (RFC 5681 §3.1).
JUDGED_AFTER_MS = 500
_ROUND_TRIPS = 4
#: So many connections at least are late before it is the node that is slow.
LEAST_LATE = 3


class Left(NamedTuple):
    """What a connection has still to send.

    Attributes:
        size: bytes that the peer's kernel has not acknowledged.
        round_trip_ms: the least that the connection has taken.
    """

    size: int
    round_trip_ms: int


@dataclass(slots=True)
class _Answer:
    """Media under way; ``late_ms`` is how long they have been under way when last seen, without the round trip."""

    began_ms: int
    size: int
    media_ms: int
    late_ms: int = 0
    is_late: bool = False


class _Ended(NamedTuple):
    at_ms: int
    media_ms: int
    is_late: bool
    connection: Hashable


class Deliveries:
    """The media that go out on all connections of a node; to be looked at some times a second while any do."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Answer] = {}
        self._ended: deque[_Ended] = deque()
        self._late_ms = self._all_ms = 0

    @property
    def is_idle(self) -> bool:
        """Nothing is under way, and nothing that was is of interest."""
        return not self._under_way and not self._ended

    def begin(self, connection: Hashable, size: int, media_ms: int, now_ms: int) -> None:
        """Media of so many bytes and milliseconds are about to be sent; what was before has got there."""
        before = self._under_way.pop(connection, None)
        if before is not None:
            self._end(connection, before, now_ms)
        self._under_way[connection] = _Answer(now_ms, size, media_ms)

    def look(self, left_of: Callable[[Hashable], Left | None], now_ms: int) -> None:
        """See how far each has come; ``left_of`` is None for a connection that is no more, of which nothing is said."""
        for connection, answer in list(self._under_way.items()):
            left = left_of(connection)
            if left is None:
                del self._under_way[connection]
            elif not left.size:
                del self._under_way[connection]
                self._end(connection, answer, now_ms)
            else:
                passed_ms = now_ms - answer.began_ms - left.round_trip_ms
                answer.late_ms = passed_ms - ALLOWANCE_MS
                sent = max(answer.size - left.size, 0)
                is_judged = passed_ms >= JUDGED_AFTER_MS + _ROUND_TRIPS * left.round_trip_ms
                is_slow = sent * answer.media_ms < answer.size * passed_ms
                answer.is_late = answer.late_ms > answer.media_ms or (is_judged and is_slow)
        while self._ended and self._ended[0].at_ms < now_ms - WINDOW_MS:
            gone = self._ended.popleft()
            self._all_ms -= gone.media_ms
            self._late_ms -= gone.media_ms * gone.is_late

    def late_share(self) -> float:
        """Which part of the media that go out, by their duration, comes too late; 0 where few viewers are late."""
        late = {connection: each.media_ms for connection, each in self._under_way.items() if each.is_late}
        late_ms = sum(late.values())
        if not late_ms + self._late_ms:
            return 0.0
        connections = late.keys() | {each.connection for each in self._ended if each.is_late}
        if len(connections) < LEAST_LATE:
            return 0.0
        return (late_ms + self._late_ms) / (late_ms + self._all_ms)

    def _end(self, connection: Hashable, answer: _Answer, now_ms: int) -> None:
        """It is late if it was when last seen: when exactly it ended since nobody knows."""
        is_late = answer.late_ms > answer.media_ms
        self._ended.append(_Ended(now_ms, answer.media_ms, is_late, connection))
        self._all_ms += answer.media_ms
        self._late_ms += answer.media_ms * is_late
