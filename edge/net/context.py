"""What all connections of one event loop share."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable

from edge.hub.histogram import Histogram
from edge.net.aio import clock_us, now_ms, now_us, wall_us
from edge.net.config import NetConfig
from edge.net.connection_set import ConnectionSet
from edge.net.counters import Counters
from edge.net.deadlines import Deadlines
from edge.net.fan.fanout import Fanout
from edge.net.listed import Listed
from edge.net.poller import new_poller
from edge.net.traffic import Traffic
from edge.service.spans import SpanRing

#: Size of the buffer that all connections of a loop read into.
RECEIVE_BYTES = 65536


class NetContext:
    """One per event loop: poller, fan-out, receive buffer, deadlines and counters.

    Attributes:
        connections: those that are open, accepted and made.
        traffic: bytes of those that are over.
        receive_view: the buffer that every read of this loop goes into.
        spans: what took how long lately; of both services of a process.
        rest_until_ms: until then a connection that is closed may still send what it has begun, beyond its linger.
        first_frame: milliseconds from a viewer's request to play to the first bytes of media.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, config: NetConfig, *, clock_us: Callable[[], int] = clock_us
    ) -> None:
        """``clock_us``: what this node tells others of its clock; it must never step."""
        self.loop = loop
        self.config = config
        self.poller = new_poller(loop)
        self.first_frame = Histogram()
        self.fanout = Fanout(loop, config, now_ms=now_ms, first_frame=self.first_frame)
        self.receive_view = memoryview(bytearray(RECEIVE_BYTES))
        self.connections: ConnectionSet[Listed] = ConnectionSet()
        self.traffic = Traffic()
        self.counters = Counters(now_ms)
        self.deadlines = Deadlines(loop, now_ms)
        self.now_ms = now_ms
        self.clock_us = clock_us
        # For handshakes, whose random bytes are no secret (RTMP 1.0 §5.2.3): the system's cost five times as much.
        self.entropy: Callable[[int], bytes] = random.randbytes
        self.spans = SpanRing(now_us=now_us, wall_us=wall_us, entropy=secrets.token_bytes)
        self.rest_until_ms = 0
        self._numbers = 0

    def reconfigure(self, config: NetConfig) -> None:
        """Take other settings; all others read them here each time."""
        self.config = config
        self.fanout.reconfigure(config)

    def next_connection_number(self) -> int:
        """Numbers count up for the life of the process."""
        self._numbers += 1
        return self._numbers

    def call_later(self, delay_ms: int, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Call once, ``delay_ms`` from now."""
        return self.loop.call_later(delay_ms / 1000, callback)

    @property
    def internal_error_count(self) -> int:
        """Exceptions that a handler let escape; its connection has been ended."""
        return self.poller.internal_error_count + self.deadlines.failed_count

    def close(self) -> None:
        """Stop timers and the poller; connections have been closed before."""
        self.deadlines.close()
        self.fanout.close()
        self.poller.close()
