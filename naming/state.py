"""How a source of servers is doing, for the log and the pages."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from naming.url import without_secrets

# A line of text from a foreign server must not fill a page.
_MAX_ERROR_CHARS = 200


class SourceState:
    """When a source answered and failed last, and what that makes of the list in force.

    The list is one of these::

        waiting               there has been no answer, so there is no list
        current               the last question had a good answer, and this is it
        kept in outage        the last question had none: an old list
        kept at empty answer  the last answer was empty and not applied: an old list
        unusable              nothing will ever be asked
    """

    __slots__ = ("_answered_at", "_clock", "_error", "_failed_at", "_failing_since", "_fault", "_is_kept")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds and never goes back."""
        self._clock = clock
        self._answered_at: float | None = None
        self._failed_at: float | None = None
        self._failing_since: float | None = None
        self._error = self._fault = ""
        self._is_kept = False

    @property
    def is_failing(self) -> bool:
        """There has been no answer since the last failure."""
        return self._failing_since is not None

    @property
    def has_answered(self) -> bool:
        """There has been an answer, be it an empty one."""
        return self._answered_at is not None

    def answer(self, *, is_kept: bool = False) -> int:
        """Take an answer; ``is_kept`` says that it is empty and the list before it stays.

        Returns for how many milliseconds there had been failures only, 0 when there was none.
        """
        now, since = self._clock(), self._failing_since
        self._answered_at, self._failing_since, self._is_kept = now, None, is_kept
        return 0 if since is None else int((now - since) * 1000)

    def fail(self, error: str) -> None:
        """Take a question without an answer."""
        self._failed_at = self._clock()
        self._error = without_secrets(error)[:_MAX_ERROR_CHARS]
        if self._failing_since is None:
            self._failing_since = self._failed_at

    def end(self, fault: str) -> None:
        """Take that nothing will be asked any more, and why."""
        self.fail(fault)
        self._fault = self._error

    def describe(self) -> dict[str, Any]:
        """Plain values for the pages; an age is None before there is something to be aged."""
        return {
            "state": self._word(),
            "answer_age_s": self._age_s(self._answered_at),
            "error_age_s": self._age_s(self._failed_at),
            "last_error": self._error,
        }

    def _word(self) -> str:
        if self._fault:
            return "unusable"
        if not self.has_answered:
            return "waiting"
        if self.is_failing:
            return "kept in outage"
        return "kept at empty answer" if self._is_kept else "current"

    def _age_s(self, moment: float | None) -> int | None:
        return None if moment is None else int(self._clock() - moment)
