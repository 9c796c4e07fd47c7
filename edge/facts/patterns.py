"""Names as pages are asked for them, brpc's way: ``a;b*,c$d``, where ``*`` is any run and ``$`` one character."""

from __future__ import annotations

import re
from collections.abc import Collection

#: More parts of one request are left out.
MAX_PATTERNS = 100
_SEPARATORS = re.compile(r"[;,]")


class Pattern:
    """One pattern, matched in time linear in the length of the name for each of its parts, however many ``*`` it has.

    The parts between two ``*`` are looked for one after the other, each at the first place behind the last: where a
    match exists that finds one, so that nothing is ever tried again.
    """

    __slots__ = ("_head", "_least", "_middle", "_tail")

    def __init__(self, text: str) -> None:
        parts = [re.compile(re.escape(part).replace(r"\$", "."), re.DOTALL) for part in text.split("*")]
        self._head, self._tail = parts[0], len(text) - text.rfind("*") - 1
        self._middle = parts[1:]
        self._least = len(text.replace("*", ""))

    def matches(self, name: str) -> bool:
        """Whether the whole of ``name`` is as the pattern says."""
        if len(name) < self._least:
            return False
        if not self._middle:
            return self._head.fullmatch(name) is not None
        found = self._head.match(name)
        if found is None:
            return False
        place, end = found.end(), len(name) - self._tail
        for part in self._middle[:-1]:
            found = part.search(name, place, end)
            if found is None:
                return False
            place = found.end()
        return place <= end and self._middle[-1].fullmatch(name, end) is not None


class Patterns:
    """A list of names and patterns.

    Attributes:
        is_empty: nothing is asked for: everything is meant.
    """

    __slots__ = ("_exact", "_patterns", "is_empty")

    def __init__(self, text: str) -> None:
        parts = [part for part in _SEPARATORS.split(text) if part][:MAX_PATTERNS]
        self.is_empty = not parts
        self._exact = {part for part in parts if "*" not in part and "$" not in part}
        self._patterns = [Pattern(part) for part in dict.fromkeys(parts) if part not in self._exact]

    def matches(self, name: str) -> bool:
        """Whether ``name`` is meant."""
        return self.is_empty or name in self._exact or any(pattern.matches(name) for pattern in self._patterns)

    def missing(self, names: Collection[str]) -> list[str]:
        """The exact names that are not among ``names``."""
        return sorted(self._exact.difference(names))
