"""A line per stage and interval about one of its clients, in turn: a log that is short however many there are.

After SRS's pithy print: the clients of a stage share one age, to which each adds the time that has passed, so
that a stage of any size says one thing per interval.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import NamedTuple

from edge.logbook.words import word


class StageClient(NamedTuple):
    """One client of a stage.

    Attributes:
        who: it, to be known again at its next line.
        key: of the stream.
        peer: ``ip:port`` of the other end.
        age_ms: since it began.
        bytes: in or out so far.
    """

    who: Hashable
    key: str
    peer: str
    age_ms: int
    bytes: int


class Stage:
    """One stage; ``tick`` gives its line when it is time."""

    def __init__(self, name: str, now_ms: int) -> None:
        self.name = name
        self._told_ms = now_ms
        self._turn = 0
        self._next: StageClient | None = None  # who has the next line, as it was when that was settled
        self._next_ms = now_ms

    def tick(
        self,
        now_ms: int,
        interval_ms: int,
        count: int,
        client_at: Callable[[int], StageClient],
        describe: Callable[[Hashable], StageClient | None],
    ) -> str | None:
        """The line that is due, or None.

        ``count`` clients are there, ``client_at`` gives the n-th of them and ``describe`` one that was there before.
        """
        if count == 0 or interval_ms <= 0:
            self._next, self._told_ms = None, now_ms
            return None
        if self._next is None:
            self._settle(now_ms, count, client_at)
        if now_ms - self._told_ms < interval_ms:
            return None
        before = self._next
        now = describe(before.who) if before is not None else None
        since_ms = now_ms - self._next_ms
        if before is None or now is None:  # it has left: another one, over all of its time
            now = client_at(self._turn % count)
            since_ms, before = now.age_ms, now._replace(bytes=0)
        line = self._line(now, now.bytes - before.bytes, since_ms, count)
        self._told_ms = now_ms
        self._turn += 1
        self._settle(now_ms, count, client_at)
        return line

    def _settle(self, now_ms: int, count: int, client_at: Callable[[int], StageClient]) -> None:
        self._next, self._next_ms = client_at(self._turn % count), now_ms

    def _line(self, client: StageClient, byte_count: int, since_ms: int, count: int) -> str:
        kbps = max(byte_count, 0) * 8 // max(since_ms, 1)
        key, peer = word(client.key, " "), word(client.peer, " ")
        return f"stage={self.name} clients={count} key={key} peer={peer} age_ms={client.age_ms} kbps={kbps}"
