"""What is counted of HLS as files, and one line of the log in ten seconds of what fails."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable

logger = logging.getLogger(__name__)

_LINE_EVERY_MS = 10_000


class Reports:
    """For the loop and the writer's thread."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(error_hls_disk_count=0, hls_disk_segment_count=0, hls_disk_dropped_count=0)
        self._line_ms = -_LINE_EVERY_MS
        self._left_out = 0

    def counts(self) -> dict[str, int]:
        """As they are now."""
        with self._lock:
            return dict(self._counts)

    def count(self, name: str) -> None:
        """One more."""
        with self._lock:
            self._counts[name] += 1

    def failed(self, what: str, why: object) -> None:
        """A file could not be written or removed; nothing else suffers."""
        now_ms = self._now_ms()
        with self._lock:
            self._counts["error_hls_disk_count"] += 1
            is_told = now_ms - self._line_ms >= _LINE_EVERY_MS
            left_out = self._left_out
            if is_told:
                self._line_ms, self._left_out = now_ms, 0
            else:
                self._left_out += 1
        if is_told:
            logger.warning("HLS files reason=hls_disk %s: %s; %d more since the last line", what, why, left_out)
