"""Who plays a stream, by query: order of admission, who is still there, who must be told an end as an error."""

from __future__ import annotations

import random

from edge.hub.roster import Roster


class Play:
    """One that was let in."""

    def __init__(self, query: str, *, hears_errors_only: bool = False) -> None:
        self.query, self.hears_errors_only = query, hears_errors_only


def test_queries_by_the_play_admitted_last_that_is_still_there() -> None:
    roster = Roster()
    first, second, again = Play("a"), Play("b"), Play("a")
    assert [roster.join(play) for play in (first, second, again)] == [True, True, False]
    assert roster.newest_first() == ["a", "b"]
    roster.leave(again)
    assert roster.newest_first() == ["b", "a"]
    assert roster.plays_of("a") == [first]
    roster.leave(first)
    roster.leave(first)
    assert (roster.newest_first(), "a" in roster, len(roster)) == (["b"], False, 1)


def test_number_of_the_oldest_with_a_query() -> None:
    roster = Roster()
    plays = [Play("a"), Play("b"), Play("a")]
    for play in plays:
        roster.join(play)
    assert [roster.first_number(query) for query in ("a", "b", "c")] == [1, 2, 0]
    roster.leave(plays[0])
    assert (roster.first_number("a"), roster.last_number) == (3, 3)


def test_those_who_hear_errors_only() -> None:
    roster = Roster()
    deaf, other, viewer = (Play("a", hears_errors_only=True), Play("b", hears_errors_only=True), Play("a"))
    for play in (deaf, other, viewer):
        roster.join(play)
    assert roster.who_hear_errors_only() == [deaf, other]
    assert roster.who_hear_errors_only("a") == [deaf]
    assert roster.who_hear_errors_only("c") == []


def test_nothing_is_kept_of_those_who_left() -> None:
    roster, chance, there = Roster(), random.Random(1), []
    for number in range(2000):
        there.append(Play(f"q{number % 50}" if number % 2 else f"u{number}"))
        roster.join(there[-1])
        if chance.random() < 0.6:
            roster.leave(there.pop(chance.randrange(len(there))))
        # The order of a model without shortcuts.
        wanted = list(dict.fromkeys(play.query for play in reversed(there)))
        assert roster.newest_first() == wanted
    for play in there:
        roster.leave(play)
    assert len(roster) == 0
    assert roster.newest_first() == []


def test_how_many_play_is_known_however_often_somebody_leaves() -> None:
    roster = Roster()
    plays = [Play("a"), Play("a"), Play("b")]
    for play in plays:
        roster.join(play)
    assert roster.play_count == 3
    for play in (plays[0], plays[0], Play("a"), Play("c")):
        roster.leave(play)
    assert roster.play_count == len(list(roster.plays())) == 2
