"""What all connections of one event loop share."""

from __future__ import annotations

import asyncio
import logging
import secrets
import weakref
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from edge.errors import ProtocolError
from edge.net.aio import now_ms
from edge.net.config import NetConfig
from edge.net.connection import RECEIVE_BYTES, RawConnection
from edge.net.fan.fanout import Fanout
from edge.net.poller import Poller

if TYPE_CHECKING:
    from edge.hub.config import HubConfig

logger = logging.getLogger(__name__)

_LOG_LINES_PER_S = 10
#: Deadlines of one step are looked at together: thousands of connections wait for theirs.
_DEADLINE_STEP_MS = 50


class Timed(Protocol):
    """Something with deadlines of its own."""

    def next_deadline_ms(self) -> int | None:
        """When ``on_deadline`` is to be called, or None."""
        ...

    def on_deadline(self, now_ms: int) -> None:
        """The deadline has passed."""
        ...

    def abort(self, why: str) -> None:
        """Close at once."""
        ...


class NetContext:
    """One per event loop: poller, fan-out, receive buffer, deadlines and counters.

    Attributes:
        counters: ``error_<reason>_count`` and friends, for pages and metrics.
        receive_view: the buffer that every read of this loop goes into.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, config: NetConfig, hub_config: HubConfig) -> None:
        self.loop = loop
        self.config = config
        self.poller = Poller(loop)
        self.fanout = Fanout(
            loop,
            config,
            now_ms=now_ms,
            timestamp_offset=hub_config.timestamp_offset,
            original_timestamp_domains=hub_config.original_timestamp_domains,
        )
        self.receive_view = memoryview(bytearray(RECEIVE_BYTES))
        self.connections: set[RawConnection] = set()
        self.counters: Counter[str] = Counter()
        self.now_ms = now_ms
        self.entropy: Callable[[int], bytes] = secrets.token_bytes
        self._numbers = 0
        self._deadlines: dict[int, list[weakref.ref[Timed]]] = {}
        self._deadline_timer: asyncio.TimerHandle | None = None
        self._log_second = 0
        self._log_lines: Counter[str] = Counter()

    def next_connection_number(self) -> int:
        """Numbers count up for the life of the process."""
        self._numbers += 1
        return self._numbers

    def call_later(self, delay_ms: int, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """Call once, ``delay_ms`` from now."""
        return self.loop.call_later(delay_ms / 1000, callback)

    # --- deadlines -----------------------------------------------------------

    def watch_deadline(self, timed: Timed, at_ms: int) -> None:
        """Call ``timed.on_deadline`` at ``at_ms``, or up to 50 ms later; it may have moved its deadline by then.

        What has ended must not be kept, with all it received, until its
        deadline: only a weak reference is held.
        """
        self._deadlines.setdefault(at_ms // _DEADLINE_STEP_MS + 1, []).append(weakref.ref(timed))
        if self._deadline_timer is None:
            self._deadline_timer = self.call_later(_DEADLINE_STEP_MS, self._on_deadlines)

    def _on_deadlines(self) -> None:
        self._deadline_timer = None
        now = now_ms()
        for step in sorted(step for step in self._deadlines if step * _DEADLINE_STEP_MS <= now):
            for reference in self._deadlines.pop(step):
                timed = reference()
                at_ms = timed.next_deadline_ms() if timed is not None else None
                if timed is None or at_ms is None:
                    continue
                if at_ms <= now:
                    if not self._pass_deadline(timed, now):
                        continue
                    at_ms = timed.next_deadline_ms()
                if at_ms is not None:
                    self.watch_deadline(timed, max(at_ms, now + 1))
        if self._deadlines and self._deadline_timer is None:
            self._deadline_timer = self.call_later(_DEADLINE_STEP_MS, self._on_deadlines)

    def _pass_deadline(self, timed: Timed, now: int) -> bool:
        """False when it failed: it alone ends, the deadlines of others stand."""
        try:
            timed.on_deadline(now)
        except Exception:
            self.poller.internal_error_count += 1
            logger.exception("deadline handler failed of %s", timed)
            timed.abort("internal")
            return False
        return True

    # --- counters and their log lines ----------------------------------------

    def report(self, error: ProtocolError, connection: str, *, is_logged: bool = True) -> None:
        """Count and log the end of a connection by a peer's fault."""
        self.counters[f"error_{error.reason}_count"] += 1
        if not is_logged:
            return
        level = logging.INFO if error.is_quiet else logging.WARNING
        self.log_limited(level, error.reason, "%s reason=%s %s", connection, error.reason, error.detail)

    def notice(self, reason: str) -> None:
        """Count something tolerated."""
        self.counters[f"{reason}_count"] += 1

    def log_limited(self, level: int, reason: str, text: str, *args: object) -> None:
        """At most 10 lines a second for each reason; the rest is counted and summed up."""
        second = now_ms() // 1000
        if second != self._log_second:
            for name, count in self._log_lines.items():
                if count > _LOG_LINES_PER_S:
                    logger.warning("reason=%s %d more lines left out", name, count - _LOG_LINES_PER_S)
            self._log_lines.clear()
            self._log_second = second
        self._log_lines[reason] += 1
        if self._log_lines[reason] <= _LOG_LINES_PER_S:
            logger.log(level, text, *args)

    def close(self) -> None:
        """Stop timers and the poller; connections have been closed before."""
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        self.fanout.close()
        self.poller.close()
