"""Connects to servers that are down, so that no request has to find out when they are back."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Protocol

from edge.net.aio import TaskOwner, now_ms, spawn
from edge.upstream.health import HealthTable
from naming.node import ServerNode

logger = logging.getLogger(__name__)

#: Connects going on at a time for one target: each holds a descriptor.
MAX_CHECKS = 64


class Timer(Protocol):
    """A call to come."""

    def cancel(self) -> None:
        """It shall not come."""
        ...


class CheckIO(Protocol):
    """What checks need of the world."""

    def now_ms(self) -> int:
        """Monotonic milliseconds, as the times of requests."""
        ...

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> Timer:
        """Call back in ``delay_ms``."""
        ...

    def connect(self, server: ServerNode, timeout_ms: int, done: Callable[[str], None]) -> None:
        """Connect, close at once and call ``done`` with "" or with what went wrong."""
        ...

    async def close(self) -> None:
        """End the connects going on; their ``done`` is not called."""
        ...


class TcpChecks:
    """Checks by TCP in the running loop."""

    def __init__(self) -> None:
        self._tasks = TaskOwner("health checks")

    def now_ms(self) -> int:
        """Monotonic milliseconds."""
        return now_ms()

    def call_later(self, delay_ms: int, callback: Callable[[], None]) -> Timer:
        """Call back in ``delay_ms``."""
        return asyncio.get_running_loop().call_later(delay_ms / 1000, callback)

    def connect(self, server: ServerNode, timeout_ms: int, done: Callable[[str], None]) -> None:
        """Connect in a task of its own, close at once and call ``done``."""

        async def check() -> None:
            done(await try_connect(server, timeout_ms))

        spawn(check(), name=f"health check {server.endpoint}", owner=self._tasks)

    async def close(self) -> None:
        """End the connects going on."""
        await self._tasks.close()


async def try_connect(server: ServerNode, timeout_ms: int) -> str:
    """Connect by TCP within ``timeout_ms`` and close; returns "" or what went wrong."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            async with asyncio.timeout(timeout_ms / 1000):
                await asyncio.get_running_loop().sock_connect(sock, (server.host, server.port))
    except TimeoutError:
        return f"no answer in {timeout_ms} ms"
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    return ""


class HealthChecker:
    """Makes the connects that a table plans, one at a time per server; nothing runs while none is planned."""

    __slots__ = ("_going_on", "_io", "_is_closed", "_table", "_timer", "_timer_at_ms", "timeout_ms")

    def __init__(self, table: HealthTable, io: CheckIO, *, timeout_ms: int) -> None:
        self._table = table
        self._io = io
        self.timeout_ms = timeout_ms
        self._timer: Timer | None = None
        self._timer_at_ms = 0
        self._going_on = 0
        self._is_closed = False

    def wake(self) -> None:
        """Look again when the next connect is due: the table has changed."""
        at_ms = None if self._is_closed or self._going_on >= MAX_CHECKS else self._table.next_check_ms()
        if self._timer is not None:
            if at_ms == self._timer_at_ms:
                return
            self._timer.cancel()
            self._timer = None
        if at_ms is not None:
            self._timer_at_ms = at_ms
            self._timer = self._io.call_later(max(at_ms - self._io.now_ms(), 0), self._begin)

    def _begin(self) -> None:
        self._timer = None
        for server in self._table.begin_checks(self._io.now_ms(), MAX_CHECKS - self._going_on):
            self._going_on += 1
            self._io.connect(server, self.timeout_ms, partial(self._end, server))
        self.wake()

    def _end(self, server: ServerNode, error: str) -> None:
        self._going_on -= 1
        is_shut = self._table.end_check(server, error, self._io.now_ms())
        if is_shut:
            text, cause = "upstream %s accepts no connections: %s", server.endpoint
            logger.warning(text, server.endpoint, error, extra={"cause": cause})
        elif is_shut is False:
            logger.info("upstream %s accepts connections again", server.endpoint)
        self.wake()

    async def close(self) -> None:
        """Stop. Safe to call again."""
        self._is_closed = True
        self._table.is_checked = False
        self.wake()
        await self._io.close()
