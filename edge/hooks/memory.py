"""Remembers each yes, for those who ask the very same again: at once, or while nobody answers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from edge.hooks.answer import Yes

#: Answers that are remembered; beyond them that which was used longest ago is forgotten.
MAX_ANSWERS = 65_536


class Remembered:
    """A yes.

    Attributes:
        yes: what it said.
        answered_ms: when.
        last_ms: when it was last given, or the last of its sessions ended.
        session_count: sessions that go on by it.
    """

    __slots__ = ("answered_ms", "last_ms", "session_count", "yes")

    def __init__(self, yes: Yes, now_ms: int) -> None:
        self.yes = yes
        self.answered_ms = self.last_ms = now_ms
        self.session_count = 0


class Memory:
    """The answers of one service."""

    def __init__(self, max_answers: int = MAX_ANSWERS) -> None:
        self._max_answers = max_answers
        self._answers: OrderedDict[Hashable, Remembered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def said_yes(self, question: Hashable, yes: Yes, now_ms: int) -> None:
        """The newest answer is the one that counts; sessions that go on by the one before go on by it."""
        before = self._answers.pop(question, None)
        found = self._answers[question] = Remembered(yes, now_ms)
        if before is not None:
            found.session_count = before.session_count
        elif len(self._answers) > self._max_answers:
            self._answers.popitem(last=False)

    def said_no(self, question: Hashable) -> None:
        """What was said before counts no more."""
        self._answers.pop(question, None)

    def begun(self, question: Hashable) -> None:
        """A session goes on by it."""
        found = self._answers.get(question)
        if found is not None:
            found.session_count += 1
            self._answers.move_to_end(question)

    def ended(self, question: Hashable, now_ms: int) -> None:
        """It is over."""
        found = self._answers.get(question)
        if found is not None:
            found.session_count = max(found.session_count - 1, 0)
            found.last_ms = now_ms
            self._answers.move_to_end(question)

    def cached(self, question: Hashable, cache_s: int, now_ms: int) -> Yes | None:
        """A yes that need not be asked for again; what it says of its life wins over ``cache_s``."""
        found = self._answers.get(question)
        if found is None or cache_s <= 0:
            return None
        age_ms = now_ms - found.answered_ms
        return self._rest(found, now_ms) if age_ms < (found.yes.lifetime_s or cache_s) * 1000 else None

    def graced(self, question: Hashable, grace_s: int, now_ms: int) -> Yes | None:
        """A yes that stands while nobody answers, ``grace_s`` from the end of its last session or from itself."""
        found = self._answers.get(question)
        if found is None or grace_s <= 0:
            return None
        is_young = found.session_count > 0 or now_ms - found.last_ms <= grace_s * 1000
        return self._rest(found, now_ms) if is_young else None

    def _rest(self, found: Remembered, now_ms: int) -> Yes | None:
        """With what is left of its life; None when nothing is."""
        if not found.yes.lifetime_s:
            return found.yes
        left_s = found.yes.lifetime_s - (now_ms - found.answered_ms) // 1000
        return found.yes._replace(lifetime_s=left_s) if left_s > 0 else None
