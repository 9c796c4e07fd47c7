"""Patterns of streams, ``app/stream``: ``*`` stands for anything within one part, ``**`` for anything over parts.

All else stands for itself. A name is gone through once, whatever the pattern: the places of the pattern that may
be reached by now are the bits of a number (Baeza-Yates and Gonnet, "A new approach to text searching", 1992),
so that no pattern takes longer for names made to be hard.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import or_

_STARS = re.compile(r"\*+")


class StreamPattern:
    """One pattern.

    Attributes:
        text: as it was given.
    """

    __slots__ = ("_any", "_end", "_first", "_places", "_prefix", "_within", "text")

    def __init__(self, text: str) -> None:
        """Raises ValueError for a pattern that can be no ``app/stream``."""
        if "/" not in text and "**" not in text:
            raise ValueError(f"{text!r} is no pattern of app/stream")
        if any(not part for part in text.split("/")):
            raise ValueError(f"{text!r} has an empty part")
        self.text = text
        star = text.find("*")
        self._prefix = text if star < 0 else text[:star]
        rest = "" if star < 0 else text[star:]
        places: dict[str, list[int]] = {}
        within: list[int] = []
        over: list[int] = []
        place = 0
        for token in re.findall(r"\*+|[^*]", rest):
            if _STARS.fullmatch(token):
                (over if len(token) > 1 else within).append(place)
            else:
                places.setdefault(token, []).append(place)
            place += 1
        self._places = {char: _bits(of) for char, of in places.items()}
        self._any, self._within = _bits(over), _bits(within)
        self._end = 1 << place
        self._first = self._past_stars(1)

    def matches(self, text: str) -> bool:
        """Whether the pattern stands for ``text``, an ``app/stream``."""
        prefix = self._prefix
        if not text.startswith(prefix):
            return False
        if self._end == 1:
            return len(text) == len(prefix)
        reached = self._first
        for char in text[len(prefix) :]:
            stay = self._any if char == "/" else self._any | self._within
            reached = self._past_stars((reached & stay) | ((reached & self._places.get(char, 0)) << 1))
            if not reached:
                return False
        return bool(reached & self._end)

    def _past_stars(self, reached: int) -> int:
        """And where stars that stand for nothing lead; two never stand side by side."""
        return reached | ((reached & (self._any | self._within)) << 1)


def _bits(places: list[int]) -> int:
    return reduce(or_, (1 << place for place in places), 0)
