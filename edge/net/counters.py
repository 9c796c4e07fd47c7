"""What is counted, and the lines that the log has of it, which are limited."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from edge.errors import ProtocolError

logger = logging.getLogger(__name__)

_LOG_LINES_PER_S = 10


class Counters(Counter[str]):
    """``error_<reason>_count`` and friends, for pages and metrics.

    Attributes:
        on_fault: called with each fault of a peer and its ``ip:port``, where that is known.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        super().__init__()
        self._now_ms = now_ms
        self.on_fault: Callable[[ProtocolError, str], None] | None = None
        self._log_second = 0
        self._log_lines: Counter[str] = Counter()

    def report(self, error: ProtocolError, connection: str, *, peer: str = "", is_logged: bool = True) -> None:
        """Count and log the end of a connection by a peer's fault; ``peer``: ``ip:port`` of one that was accepted."""
        self[f"error_{error.reason}_count"] += 1
        self.tell_fault(error, peer)
        if not is_logged:
            return
        level = logging.INFO if error.is_quiet else logging.WARNING
        self.log_limited(level, error.reason, "%s reason=%s %s", connection, error.reason, error.detail)

    def tell_fault(self, error: ProtocolError, peer: str) -> None:
        """Say what a peer did wrong to whoever keeps its story."""
        if peer and self.on_fault is not None:
            self.on_fault(error, peer)

    def notice(self, reason: str) -> None:
        """Count something tolerated."""
        self[f"{reason}_count"] += 1

    def log_limited(self, level: int, reason: str, text: str, *args: object, cause: str = "") -> None:
        """At most 10 lines a second for each reason; the rest is counted and summed up.

        Of warnings one a minute for each reason and ``cause`` stays one (``runtime/alarms.py``).
        """
        second = self._now_ms() // 1000
        if second != self._log_second:
            for name, count in self._log_lines.items():
                if count > _LOG_LINES_PER_S:
                    logger.info("reason=%s %d more lines left out", name, count - _LOG_LINES_PER_S)
            self._log_lines.clear()
            self._log_second = second
        self._log_lines[reason] += 1
        if self._log_lines[reason] <= _LOG_LINES_PER_S:
            logger.log(level, text, *args, extra={"cause": f"{reason} {cause}"}, stacklevel=2)
