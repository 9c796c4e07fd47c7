"""Reading from publishers on a tick once there are many of them, or enough players.

A read per message costs more than the message; with many publishers their
sockets are read every ``ingest_tick_ms``, which each vhost may say for its own,
without asking the poller first. So they are, somewhat more often, where messages
are to be merged for players (``fan/interval.py``): one turn of the loop then
reads and sends. Where these are of one or two publishers, that time begins with
the first byte that comes after a read: no message waits longer, and a seventh of
the sends is saved. To be told of that byte costs a turn of the loop, as much as
some fifteen sends, so it is for players enough.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from edge.net.config import NetConfig

if TYPE_CHECKING:
    from edge.net.context import NetContext
    from edge.service.grants import Publish

#: From this many publishers on their sockets are read on the tick.
MANY = 24
#: The tick grows with the number of publishers, so that reads per second stay bounded; no further, for the delay.
_MAX_TICK_MS = 74
_READS_PER_S = 2500
#: Bytes of more than these come so soon after a read that it does not pay to be told of them.
_AWAITED = 2
#: From so many players on it pays.
_AWAITED_FROM_PLAYERS = 100
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

    def tell_of_bytes(self, came: Callable[[], None] | None) -> None:
        """Call ``came`` once when there is something to read; None: no more."""
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


def _interval_of(connection: PublishingConnection) -> int:
    """The least that the vhosts of its streams say, in ms; 0 where it is not to be read on a tick."""
    intervals = [publish.stream.rules.of(NetConfig).ingest_tick_ms for publish in connection.publishes()]
    return min(intervals) if intervals else 0


class IngestTicker:
    """Reads the publishers of one service in turn.

    Attributes:
        publishers: connections that publish; they come and go by themselves.
    """

    def __init__(self, context: NetContext) -> None:
        self._context = context
        self.publishers: set[PublishingConnection] = set()
        # Who is read on a tick, by what their vhosts say of it, and the timers of these.
        self._lots: dict[int, set[PublishingConnection]] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        # By the same: lots that have no timer before bytes of one of them come, and what is called then.
        self._awaiting: dict[int, Callable[[], None]] = {}
        self._is_crowd = False
        self._pending: deque[PublishingConnection] = deque()
        self._is_reading_on = False

    def tick_ms(self, interval_ms: int) -> int:
        """Milliseconds between two reads of a publisher whose vhost says ``interval_ms``."""
        count = len(self.publishers)
        if count < MANY:
            return min(interval_ms, self._context.fanout.read_ms)
        return max(interval_ms, min(1000 * count // _READS_PER_S, _MAX_TICK_MS))

    def tick(self) -> None:
        """Called a few times a second: switch the tick on or off by the number of publishers, and of players."""
        count = len(self.publishers)
        is_due = count >= MANY or (count > 0 and self._context.fanout.is_brief)
        self._is_crowd = self._context.fanout.player_count >= _AWAITED_FROM_PLAYERS
        lots: dict[int, set[PublishingConnection]] = {}
        for connection in self.publishers:
            interval_ms = _interval_of(connection) if is_due else 0
            connection.poll_reads(not interval_ms)
            if interval_ms:
                lots.setdefault(interval_ms, set()).add(connection)
        self._lots = lots
        for interval_ms in self._timers.keys() - lots.keys():
            self._timers.pop(interval_ms).cancel()
        for interval_ms in list(self._awaiting):
            if self._is_worth_awaiting(interval_ms):
                self._await_bytes(interval_ms)
            else:
                self._stop_awaiting(interval_ms)
        for interval_ms in lots.keys() - self._timers.keys() - self._awaiting.keys():
            self._read_later(interval_ms)

    def _read_later(self, interval_ms: int) -> None:
        read = partial(self._read_lot, interval_ms)
        self._timers[interval_ms] = self._context.call_later(self.tick_ms(interval_ms), read)

    # --- until something comes -------------------------------------------------

    def _is_worth_awaiting(self, interval_ms: int) -> bool:
        """Few publishers, read for the players' sake."""
        return self._is_crowd and 0 < len(self._lots.get(interval_ms, ())) <= _AWAITED and len(self.publishers) < MANY

    def _await_bytes(self, interval_ms: int) -> None:
        """Read no lot before something of it has come, and waited; again for who has been polled meanwhile."""
        came = self._awaiting.get(interval_ms)
        if came is None:
            came = self._awaiting[interval_ms] = partial(self._bytes_came, interval_ms)
        for connection in self._lots[interval_ms]:
            connection.tell_of_bytes(came)

    def _stop_awaiting(self, interval_ms: int) -> None:
        del self._awaiting[interval_ms]
        for connection in self._lots.get(interval_ms, ()):
            connection.tell_of_bytes(None)

    def _bytes_came(self, interval_ms: int) -> None:
        if interval_ms in self._awaiting:
            self._stop_awaiting(interval_ms)
            self._read_later(interval_ms)

    # --- reading ---------------------------------------------------------------

    def _read_lot(self, interval_ms: int) -> None:
        is_awaited = self._is_worth_awaiting(interval_ms)
        if is_awaited:
            del self._timers[interval_ms]
        else:
            self._read_later(interval_ms)
        lot = self._lots[interval_ms] & self.publishers
        waiting = [one for one in self._pending if one in self.publishers]
        # Those of other lots, which may be due less often, have come before.
        unfinished = [one for one in waiting if one in lot]
        self._pending.clear()
        self._pending.extend(one for one in waiting if one not in lot)
        # Who has sent more than could be read goes behind those that wait for their turn.
        self._pending.extend(lot.difference(unfinished))
        self._pending.extend(unfinished)
        if not self._is_reading_on:
            self._read_some()
        self._context.fanout.has_read()
        if is_awaited and self._is_reading_on:
            self._read_later(interval_ms)
        elif is_awaited:
            self._await_bytes(interval_ms)

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
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._awaiting.clear()
        self._pending.clear()
