"""Who plays a stream, by what they said: the plays that were admitted, in the order of their admission.

An upstream judges a stream by the query that it is asked with, and queries are secrets of
the players who brought them. So it is known who brought which, and who is still there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Admitted(Protocol):
    """One play that was let in."""

    @property
    def query(self) -> str:
        """What its player said beside the stream's name."""
        ...

    @property
    def hears_errors_only(self) -> bool:
        """Its client takes nothing but an error for the end of a stream, and silence for none."""
        ...


Played = TypeVar("Played", bound=Admitted)


class Roster(Generic[Played]):
    """The plays of one stream; takes a few machine words for each.

    Attributes:
        last_number: how many have been admitted so far.
        play_count: how many are there.
    """

    __slots__ = ("_groups", "last_number", "play_count")

    def __init__(self) -> None:
        #: By query, in the order of admission: each play and its number.
        self._groups: dict[str, dict[Played, int]] = {}
        self.last_number = 0
        self.play_count = 0

    def __len__(self) -> int:
        """How many different queries there are."""
        return len(self._groups)

    def __contains__(self, query: str) -> bool:
        return query in self._groups

    def plays(self) -> Iterator[Played]:
        """All of them."""
        for plays in self._groups.values():
            yield from plays

    def join(self, play: Played) -> bool:
        """Take in the newest play; returns whether nobody who is there says the same."""
        is_new = play.query not in self._groups
        self.last_number += 1
        self.play_count += 1
        self._groups.setdefault(play.query, {})[play] = self.last_number
        return is_new

    def leave(self, play: Played) -> None:
        """Take a play out. Safe to call again."""
        plays = self._groups.get(play.query)
        if plays is None:
            return
        if plays.pop(play, None) is not None:
            self.play_count -= 1
        if not plays:
            del self._groups[play.query]

    def plays_of(self, query: str) -> list[Played]:
        """Who said ``query``, as they are now."""
        return list(self._groups.get(query, ()))

    def who_hear_errors_only(self, query: str | None = None) -> list[Played]:
        """Those whose clients must be told an end as an error; with ``query``, of those who said it."""
        groups = self._groups.values() if query is None else (self._groups.get(query, {}),)
        return [play for plays in groups for play in plays if play.hears_errors_only]

    def newest_first(self) -> list[str]:
        """The different queries, by the play that was admitted last among those that are there."""
        newest = {query: next(reversed(plays.values())) for query, plays in self._groups.items()}
        return sorted(newest, key=newest.__getitem__, reverse=True)

    def first_number(self, query: str) -> int:
        """The number of the oldest play that says ``query``; 0 when none does."""
        plays = self._groups.get(query)
        return next(iter(plays.values())) if plays else 0

    def since(self, number: int) -> list[tuple[int, str]]:
        """The queries whose oldest play came after play ``number``, with its number, the oldest first."""
        firsts = ((next(iter(plays.values())), query) for query, plays in self._groups.items())
        return sorted(first for first in firsts if first[0] > number)
