"""What the log says of attempts that follow each other in vain: all that is new, and the rest ever more rarely."""

from __future__ import annotations


class InVain:
    """The attempts of one link since it was last in order.

    Attributes:
        has_run: it was in order once.
        is_over: it is in order now.
        since_ms: when it went out of order, or was begun if it never was in order.
        attempt_count: attempts that failed since then.
    """

    __slots__ = ("_told", "attempt_count", "has_run", "is_over", "since_ms")

    def __init__(self, now_ms: int) -> None:
        self.has_run = self.is_over = False
        self.since_ms = now_ms
        self.attempt_count = 0
        self._told: set[tuple[str, str]] = set()

    def add(self, now_ms: int, endpoint: str, end: str, *, was_in_order: bool) -> bool:
        """Take the end of a link; returns whether the log should tell it.

        It should tell the end of one that was in order, and of attempts in vain each
        kind of end once per server, and number 1, 2, 4, 8 and so on.
        """
        if self.is_over:
            self.since_ms, self.is_over = now_ms, False
        if was_in_order:
            return True
        self.attempt_count += 1
        is_new = (endpoint, end) not in self._told
        self._told.add((endpoint, end))
        return is_new or self.attempt_count & (self.attempt_count - 1) == 0

    def succeed(self) -> None:
        """It is in order."""
        self.has_run = self.is_over = True
        self.attempt_count = 0
        self._told.clear()
