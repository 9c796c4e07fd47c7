"""How much goes over each connection, known only while somebody looks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from edge.facts.records import TrafficFacts, TrafficTables
from edge.net.aio import now_ms
from edge.net.listed import Listed
from edge.net.slices import in_slices

#: Nothing is sampled any more when nobody has asked for so long.
LOOKED_AT_FOR_MS = 120_000
_MINUTE_MS = 60_000
_UPSTREAM = "upstream"
_MARK_EVERY_MS = 10_000
# Round trips are asked of the kernel, some microseconds each.
_ASK_SLICE = 50

# A moment, and the bytes read and sent by then.
_Mark = tuple[int, int, int]


class _Past:
    """Of one connection: the last two seconds, and a mark in ten seconds of the last minute."""

    __slots__ = ("last", "marks", "newest")

    def __init__(self, mark: _Mark) -> None:
        self.last = self.newest = mark
        self.marks: deque[_Mark] = deque([mark], maxlen=_MINUTE_MS // _MARK_EVERY_MS + 1)

    def add(self, mark: _Mark) -> None:
        self.last, self.newest = self.newest, mark
        if mark[0] - self.marks[-1][0] >= _MARK_EVERY_MS:
            self.marks.append(mark)

    def grown(self, side: int) -> tuple[int | None, int | None]:
        """Bytes of the last second, and of the last minute as far as it is known; None before two samples."""
        seconds = (self.newest[0] - self.last[0]) / 1000
        if seconds <= 0:
            return None, None
        return round((self.newest[side] - self.last[side]) / seconds), self.newest[side] - self.marks[0][side]


class TrafficWatch:
    """Samples connections once a second for some time after somebody has asked."""

    def __init__(self) -> None:
        self._asked_ms: int | None = None
        self._past: dict[int, _Past] = {}

    @property
    def watched_count(self) -> int:
        """Connections whose bytes are sampled."""
        return len(self._past)

    async def sample(self, connections: Iterable[Listed]) -> None:
        """One more second; nothing while nobody looks."""
        now = now_ms()
        if self._asked_ms is None or now - self._asked_ms > LOOKED_AT_FOR_MS:
            self._past.clear()
            return
        seen: dict[int, _Past] = {}
        async for connection in in_slices(tuple(connections)):
            known = connection.describe()
            mark = (now_ms(), known.received_bytes, known.sent_bytes)
            past = self._past.get(known.number)
            if past is None:
                past = _Past(mark)
            else:
                past.add(mark)
            seen[known.number] = past
        self._past = seen

    async def tables(self, connections: Iterable[Listed], limit: int | None) -> TrafficTables:
        """What is known now, of each table the first ``limit`` connections, None for all."""
        self._asked_ms = now_ms()
        sides: tuple[list[Listed], list[Listed]] = ([], [])
        async for connection in in_slices(sorted(connections, key=lambda item: item.number)):
            sides[connection.describe().role == _UPSTREAM].append(connection)
        server, upstream = [[self._facts(item) async for item in in_slices(side[:limit], _ASK_SLICE)] for side in sides]
        return TrafficTables(server, len(sides[0]), upstream, len(sides[1]))

    def _facts(self, connection: Listed) -> TrafficFacts:
        seen, sock = connection.describe(), connection.describe_socket()
        past = self._past.get(seen.number)
        received = past.grown(1) if past is not None else (None, None)
        sent = past.grown(2) if past is not None else (None, None)
        return TrafficFacts(
            id=seen.number,
            is_upstream=seen.role == _UPSTREAM,
            peer=seen.peer,
            local=sock.local,
            is_encrypted=sock.is_encrypted,
            protocol=seen.protocol,
            fd=sock.fd,
            uptime_s=(now_ms() - seen.created_ms) // 1000,
            received_bytes_second=received[0],
            received_bytes_minute=received[1],
            sent_bytes_second=sent[0],
            sent_bytes_minute=sent[1],
            rtt_ms=sock.tcp.rtt_us / 1000 if sock.tcp is not None else None,
            rtt_var_ms=sock.tcp.rttvar_us / 1000 if sock.tcp is not None else None,
        )
