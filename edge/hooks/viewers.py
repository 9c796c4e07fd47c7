"""Viewers who are no connections, as those of HLS: who has been let in, until nobody plays what they share any more."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from edge.hooks.event import Event
from edge.hooks.opening import Opening

#: Of all streams together; for one more the one that came first is taken for gone.
MAX_VIEWERS = 65_536
_WEIGHT_CHARACTERS = 1024
#: Those who were let in to what never began are forgotten after this.
_NEVER_BEGAN_MS = 60_000


def _weight_of(event: Event) -> int:
    """One for who says as much as players do, more for who says more: clients choose how much that is."""
    return 1 + (len(event.param) + len(event.page_url) + len(event.tc_url)) // _WEIGHT_CHARACTERS


def place_of(event: Event) -> Hashable:
    """What viewers share: all of them that play a stream, for behind its entry they say the same."""
    return (event.vhost, event.app, event.stream)


class Viewers:
    """Openings by what their viewers share, each viewer once, whatever often it asks."""

    def __init__(
        self,
        on_gone: Callable[[Opening, bool], None],
        now_ms: Callable[[], int],
        max_viewers: int = MAX_VIEWERS,
    ) -> None:
        """``on_gone`` is called with each who is let go of, and whether what it played had begun."""
        self._on_gone = on_gone
        self._now_ms = now_ms
        self._max_viewers = max_viewers
        self._viewers: OrderedDict[tuple[Hashable, Hashable], Opening] = OrderedDict()
        self._weight = 0
        self._places: dict[Hashable, set[Hashable]] = {}
        self._plays: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return len(self._viewers)

    def find(self, event: Event) -> Opening | None:
        """By which the one who asks was let in."""
        return self._viewers.get((place_of(event), event.question))

    def first_of(self, place: Hashable) -> Opening | None:
        """Any of those who share it."""
        question = next(iter(self._places.get(place, ())), None)
        return self._viewers[place, question] if question is not None else None

    def let_in(self, opening: Opening) -> None:
        """One more."""
        event = opening.asked
        self._weight += _weight_of(event)
        while self._viewers and self._weight > self._max_viewers:
            place, question = next(iter(self._viewers))
            self._let_go(place, question, self._plays.get(place, 0) > 0)
        opening.since_ms = self._now_ms()
        self._viewers[place_of(event), event.question] = opening
        self._places.setdefault(place_of(event), set()).add(event.question)

    def leave(self, event: Event) -> None:
        """The time of the one who asks is over; nothing if he was not let in."""
        if self.find(event) is not None:
            place = place_of(event)
            self._let_go(place, event.question, self._plays.get(place, 0) > 0)

    def _let_go(self, place: Hashable, question: Hashable, has_begun: bool) -> None:
        opening = self._viewers.pop((place, question))
        self._weight -= _weight_of(opening.asked)
        questions = self._places[place]
        questions.discard(question)
        if not questions:
            del self._places[place]
        self._on_gone(opening, has_begun)

    def play_began(self, place: Hashable) -> None:
        """What they share is played."""
        self._plays[place] = self._plays.get(place, 0) + 1

    def play_over(self, place: Hashable) -> None:
        """By nobody any more, if this was the last play of it: all who shared it are gone."""
        left = self._plays.pop(place, 0) - 1
        if left > 0:
            self._plays[place] = left
            return
        for question in list(self._places.get(place, ())):
            self._let_go(place, question, True)

    def tick(self, now_ms: int) -> None:
        """Forget those who were let in to what has not begun."""
        for place in [each for each in self._places if each not in self._plays]:
            for question in list(self._places.get(place, ())):
                if now_ms - self._viewers[place, question].since_ms >= _NEVER_BEGAN_MS:
                    self._let_go(place, question, False)
