"""Reading from publishers on a tick once there are many of them.

A read per message costs more than the message; with many publishers their
sockets are read every ``ingest_tick_ms`` without asking the poller first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from edge.net.context import NetContext
    from edge.service.grants import Publish

#: From this many publishers on their sockets are read on the tick.
MANY = 24
#: The tick grows with the number of publishers, so that reads per second stay bounded.
_MAX_TICK_MS = 100
_READS_PER_S = 2500
_TURN_BUDGET_NS = 15_000_000


class PublishingConnection(Hashable, Protocol):
    """A connection that publishes, as it is read and watched."""

    fd: int
    state: str
    read_limit: int

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
        self._pending: list[PublishingConnection] = []

    @property
    def tick_ms(self) -> int:
        """Milliseconds between two reads of a publisher."""
        wanted_ms = 1000 * len(self.publishers) // _READS_PER_S
        return max(self._context.config.ingest_tick_ms, min(wanted_ms, _MAX_TICK_MS))

    def tick(self) -> None:
        """Called a few times a second: switch the tick on or off by the number of publishers."""
        is_many = len(self.publishers) >= MANY and self._context.config.ingest_tick_ms > 0
        if is_many and self._timer is None:
            self._timer = self._context.call_later(self._context.config.ingest_tick_ms, self._read_all)
        elif not is_many and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in self.publishers:
            connection.poll_reads(not is_many)

    def _read_all(self) -> None:
        self._timer = self._context.call_later(self.tick_ms, self._read_all)
        if not self._pending:
            self._pending = list(self.publishers)
            self._read_some()

    def _read_some(self) -> None:
        pending = self._pending
        until = time.monotonic_ns() + _TURN_BUDGET_NS
        while pending:
            connection = pending.pop()
            try:
                if connection.state == "open" and connection.read_some() >= connection.read_limit:
                    pending.append(connection)
            except Exception:
                # Ends this publisher only: the others are still to be read in this turn.
                self._context.poller.handler_failed(connection.fd)
            if pending and time.monotonic_ns() > until:
                self._context.loop.call_soon(self._read_some)
                return

    def close(self) -> None:
        """Stop the tick."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._pending.clear()
