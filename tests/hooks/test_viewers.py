"""Viewers who share a play come one by one, and leave together."""

from __future__ import annotations

from dataclasses import replace

from edge.hooks.config import NO_HOOKS
from edge.hooks.event import Action, Event
from edge.hooks.opening import Opening
from edge.hooks.viewers import Viewers, place_of

EVENT = Event(Action.PLAY, ip="10.0.0.1", app="live", stream="s")


class Seen:
    def __init__(self, max_viewers: int = 10) -> None:
        self.now_ms = 0
        self.gone: list[tuple[str, bool]] = []
        self.viewers = Viewers(
            lambda opening, has_begun: self.gone.append((opening.asked.ip, has_begun)),
            lambda: self.now_ms,
            max_viewers,
        )

    def comes(self, ip: str, stream: str = "s") -> None:
        self.viewers.let_in(Opening(replace(EVENT, ip=ip, stream=stream), NO_HOOKS))


def test_all_leave_with_the_last_play_of_what_they_share() -> None:
    seen = Seen()
    seen.comes("a")
    seen.comes("b")
    seen.comes("c", "other")
    assert seen.viewers.find(replace(EVENT, ip="a", client_id="9")) is not None
    assert seen.viewers.find(replace(EVENT, ip="d")) is None
    place = place_of(EVENT)
    seen.viewers.play_began(place)
    seen.viewers.play_began(place)
    seen.viewers.play_over(place)
    assert seen.gone == []
    seen.viewers.play_over(place)
    assert sorted(seen.gone) == [("a", True), ("b", True)]
    assert len(seen.viewers) == 1
    assert seen.viewers.find(replace(EVENT, ip="a")) is None


def test_what_never_began_is_forgotten() -> None:
    seen = Seen()
    seen.comes("a")
    seen.now_ms = 30_000
    seen.comes("b", "other")
    seen.viewers.play_began(place_of(replace(EVENT, stream="other")))
    seen.viewers.tick(59_999)
    assert seen.gone == []
    seen.viewers.tick(600_000)
    assert seen.gone == [("a", False)]
    assert len(seen.viewers) == 1


def test_they_are_bounded() -> None:
    seen = Seen(max_viewers=2)
    seen.viewers.play_began(place_of(EVENT))
    for ip in "abc":
        seen.comes(ip)
    assert seen.gone == [("a", True)]
    assert len(seen.viewers) == 2


def test_they_are_bounded_whatever_they_say() -> None:
    seen = Seen(max_viewers=100)
    for number in range(100):
        said = replace(EVENT, ip=str(number), param="x" * 8000, page_url="p" * 2000)
        seen.viewers.let_in(Opening(said, NO_HOOKS))
    assert len(seen.viewers) == 10
    seen.now_ms = 600_000
    seen.viewers.tick(seen.now_ms)
    assert (len(seen.viewers), len(seen.gone)) == (0, 100)
    for number in range(100):
        seen.comes(str(number))
    assert len(seen.viewers) == 100
