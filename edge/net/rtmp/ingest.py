"""Reading from publishers on a tick once there are many of them, or enough players.

A read per message costs more than the message; with many publishers their
sockets are read every ``ingest_tick_ms`` without asking the poller first. So
they are, somewhat more often, where messages are to be merged for players
(``fan/interval.py``): one turn of the loop then reads and sends.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge.net.context import NetContext
    from edge.service.grants import Publish

#: From this many publishers on their sockets are read on the tick.
MANY = 24
#: The tick grows with the number of publishers, so that reads per second stay bounded; no further, for the delay.
_MAX_TICK_MS = 74
_READS_PER_S = 2500
_TURN_BUDGET_NS = 5_000_000


class PublishingConnection(Hashable, Protocol):
    """A connection that publishes, as it is read and watched."""

    fd: int
    state: str
    read_limit: int

    @property
    def reads_all(self) -> bool:
        """A read that gives less than ``read_limit`` has given all that there was."""
        ...

    def read_some(self) -> int:
        """Read once; returns how many bytes came."""
        ...

    def poll_reads(self, is_polled: bool) -> None:
        """Leave reading to a timer, or take it back."""
        ...

    def publishes(self) -> list[Publish]:
        """What it publishes now."""
        ...

    @property
    def is_hop(self) -> bool:
        """The peer is a node of ours."""
        ...

    def is_publish_kept_alive(self, now_ms: int, limit_ms: int) -> bool:
        """Whether silence of so long means nothing, since bytes come all the same."""
        ...

    def is_silent_publisher_gone(self, now_ms: int, quiet_ms: int, answer_ms: int) -> bool:
        """Whether a client that sends no media does not answer either."""
        ...

    def is_over_rate(self, now_ms: int, limit_kbps: int) -> bool:
        """Whether more than that came within a second."""
        ...


class IngestTicker:
    """Reads the publishers of one service in turn.

    Attributes:
        publishers: connections that publish; they come and go by themselves.
    """

    def __init__(self, context: NetContext) -> None:
        self._context = context
        self.publishers: set[PublishingConnection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._pending: deque[PublishingConnection] = deque()
        self._is_reading_on = False

    @property
    def tick_ms(self) -> int:
        """Milliseconds between two reads of a publisher."""
        least_ms, count = self._context.config.ingest_tick_ms, len(self.publishers)
        if count < MANY:
            return min(least_ms, self._context.fanout.read_ms)
        return max(least_ms, min(1000 * count // _READS_PER_S, _MAX_TICK_MS))

    def tick(self) -> None:
        """Called a few times a second: switch the tick on or off by the number of publishers, and of players."""
        count = len(self.publishers)
        is_due = count >= MANY or (count > 0 and self._context.fanout.is_brief)
        is_ticking = is_due and self._context.config.ingest_tick_ms > 0
        if is_ticking and self._timer is None:
            self._timer = self._context.call_later(self.tick_ms, self._read_all)
        elif not is_ticking and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in self.publishers:
            connection.poll_reads(not is_ticking)

    def _read_all(self) -> None:
        self._timer = self._context.call_later(self.tick_ms, self._read_all)
        # Who has sent more than could be read goes behind those that wait for their turn.
        unfinished = [one for one in self._pending if one in self.publishers]
        self._pending.clear()
        self._pending.extend(self.publishers.difference(unfinished))
        self._pending.extend(unfinished)
        if not self._is_reading_on:
            self._read_some()

    def _read_some(self) -> None:
        """Read each that waits, one after the other; what a turn has no time for comes in the next."""
        self._is_reading_on = False
        pending = self._pending
        until = time.monotonic_ns() + _TURN_BUDGET_NS
        while pending:
            connection = pending.popleft()
            try:
                if connection.state == "open":
                    count = connection.read_some()
                    if count >= connection.read_limit or (count and not connection.reads_all):
                        pending.append(connection)
            except Exception:
                # Ends this publisher only: the others are still to be read in this turn.
                self._context.poller.handler_failed(connection.fd)
            if pending and time.monotonic_ns() > until:
                self._is_reading_on = True
                self._context.loop.call_soon(self._read_some)
                return

    def close(self) -> None:
        """Stop the tick."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pending.clear()
