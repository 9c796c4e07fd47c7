"""What is counted of calls."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from edge.hooks.answer import Answer, No, Unusable
from edge.hooks.event import Action
from edge.hub.histogram import Histogram

logger = logging.getLogger(__name__)

#: From one line about a server that does not answer to the next.
_SAID_EVERY_MS = 10_000
#: Servers of which lines are kept apart.
_MAX_SERVERS = 1000


class Figures:
    """Counts and times of all calls.

    Attributes:
        by_result: calls by event and ``yes``, ``no`` or ``failed``.
        counts: whatever else, by name.
        took: how long calls took, in milliseconds.
    """

    def __init__(self, now_ms: Callable[[], int], what: str = "hook") -> None:
        """``what``: who is called, for people."""
        self._what = what
        self.by_result: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()
        self.took = Histogram()
        self._now_ms = now_ms
        self._said: dict[str, tuple[int, int]] = {}

    def called(self, action: Action, url: str, answer: Answer, took_ms: float) -> None:
        """A call is over; ``url`` is for people."""
        self.took.observe(took_ms)
        if not isinstance(answer, Unusable):
            self.by_result[action.value, "no" if isinstance(answer, No) else "yes"] += 1
            return
        self.by_result[action.value, "failed"] += 1
        self._say(url, f"{action.value} got no usable answer: {answer.why}")

    def _say(self, url: str, text: str) -> None:
        """One line per server and ten seconds, with how many there were."""
        now_ms = self._now_ms()
        said_ms, left_out = self._said.get(url, (-_SAID_EVERY_MS, 0))
        if now_ms - said_ms < _SAID_EVERY_MS:
            self._said[url] = said_ms, left_out + 1
            return
        if len(self._said) >= _MAX_SERVERS:
            self._said.clear()
        self._said[url] = now_ms, 0
        more = f" ({left_out} more since the last line)" if left_out else ""
        logger.warning("%s %s %s%s", self._what, url, text, more, extra={"cause": url})
