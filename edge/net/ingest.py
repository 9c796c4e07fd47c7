"""Reading from publishers on a tick once there are many of them.

A read per message costs more than the message; with many publishers their
sockets are read every ``ingest_tick_ms`` without asking the poller first.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.net.context import NetContext
    from edge.net.rtmp_server import RtmpServerConnection

#: From this many publishers on their sockets are read on the tick.
MANY = 24
#: The tick grows with the number of publishers, so that reads per second stay bounded.
_MAX_TICK_MS = 100
_READS_PER_S = 2500
_TURN_BUDGET_NS = 15_000_000


class IngestTicker:
    """Reads the publishers of one loop in turn."""

    def __init__(self, context: NetContext, publishers: set[RtmpServerConnection]) -> None:
        self._context = context
        self._publishers = publishers
        self._timer: asyncio.TimerHandle | None = None
        self._pending: list[RtmpServerConnection] = []

    @property
    def tick_ms(self) -> int:
        """Milliseconds between two reads of a publisher."""
        wanted_ms = 1000 * len(self._publishers) // _READS_PER_S
        return max(self._context.config.ingest_tick_ms, min(wanted_ms, _MAX_TICK_MS))

    def tick(self) -> None:
        """Called a few times a second: switch the tick on or off by the number of publishers."""
        is_many = len(self._publishers) >= MANY and self._context.config.ingest_tick_ms > 0
        if is_many and self._timer is None:
            self._timer = self._context.call_later(self._context.config.ingest_tick_ms, self._read_all)
        elif not is_many and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in self._publishers:
            connection.poll_reads(not is_many)

    def _read_all(self) -> None:
        self._timer = self._context.call_later(self.tick_ms, self._read_all)
        if not self._pending:
            self._pending = list(self._publishers)
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
