"""Whose query an attempt carries and what the answer means: tables, a property, and attacks in simulated time."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hub.roster import Roster
from edge.service.refusal import Reason, Refusal
from edge.upstream.queries import REFUSALS_IN_A_ROW, QueryTurns, QueryVerdicts, refusal_of
from edge.upstream.retry import RetryDecision
from tests.hub.test_roster import Play

LIMIT = 8
NO = Refusal(Reason.UPSTREAM, "no", "NetStream.Play.Failed")


class Crowd:
    """Players who come and go, and the turns of their pull."""

    def __init__(self, *queries: str, limit: int = LIMIT) -> None:
        self.roster = Roster()
        self.turns = QueryTurns(self.roster, limit)
        self.plays: dict[str, list[Play]] = {}
        self.come(*queries)

    def come(self, *queries: str) -> None:
        for query in queries:
            self.plays.setdefault(query, []).append(Play(query))
            self.roster.join(self.plays[query][-1])

    def go(self, query: str) -> None:
        for play in self.plays.pop(query, []):
            self.roster.leave(play)

    def ask(self, count: int) -> list[str | None]:
        return [self.turns.next() for _ in range(count)]


def test_nobody_is_there() -> None:
    assert Crowd().ask(2) == [None, None]


def test_turns_are_taken_newest_first_and_again() -> None:
    assert Crowd("a", "b", "c").ask(7) == ["c", "b", "a", "c", "b", "a", "c"]
    assert Crowd("a", "b", "a").ask(3) == ["a", "b", "a"]


def test_who_has_left_is_stepped_over() -> None:
    crowd = Crowd("a", "b", "c")
    assert crowd.ask(1) == ["c"]
    crowd.go("b")
    assert crowd.ask(2) == ["a", "c"]


def test_newcomer_is_next_and_takes_every_other_turn_at_most() -> None:
    crowd = Crowd("a", "b", "c")
    assert crowd.ask(1) == ["c"]
    crowd.come("d")
    assert crowd.turns.has_newcomer
    assert crowd.ask(1) == ["d"]
    crowd.come("e")
    assert crowd.ask(2) == ["b", "e"]
    assert crowd.ask(1) == ["a"]
    assert crowd.ask(2) == ["e", "d"]


def test_of_several_newcomers_the_newest_and_the_oldest_are_next_by_turns() -> None:
    crowd = Crowd("a", "b", "c", "d", "e")
    assert crowd.ask(1) == ["e"]
    crowd.come("v", "w", "x", "y", "z")
    assert crowd.ask(9) == ["z", "d", "v", "c", "y", "b", "w", "a", "x"]
    assert not crowd.turns.has_newcomer


def test_more_players_with_a_query_that_is_there_are_no_newcomers() -> None:
    crowd = Crowd("a", "b")
    assert crowd.ask(1) == ["b"]
    crowd.come("b")
    assert not crowd.turns.has_newcomer
    assert crowd.ask(2) == ["a", "b"]


def test_round_is_over_when_all_have_been_asked_for() -> None:
    crowd = Crowd("a")
    assert crowd.turns.is_over("a")  # asked before its player had joined
    crowd.come("b")
    assert not crowd.turns.is_over("a")
    assert crowd.ask(1) == ["b"]
    assert not crowd.turns.is_over("b")
    assert crowd.ask(1) == ["a"]
    assert crowd.turns.is_over("a")


def test_what_worked_last_is_third_at_the_latest() -> None:
    crowd = Crowd("a", "b", "c", "d", "e")
    crowd.turns.proven = "b"
    assert crowd.ask(5) == ["e", "d", "b", "c", "a"]
    crowd.turns.restart()
    assert crowd.ask(2) == ["e", "d"]


@given(count=st.integers(1, 60), limit=st.integers(5, 20), proven=st.integers(0, 59))
def test_round_asks_for_each_at_most_once_and_for_all_where_they_have_room(count: int, limit: int, proven: int) -> None:
    queries = [f"q{number}" for number in range(count)]
    crowd = Crowd(*queries, limit=limit)
    crowd.turns.proven = f"q{proven}"
    first = crowd.turns.next()
    assert first == queries[-1]
    asked = [first]
    while not crowd.turns.is_over(str(asked[-1])):
        asked.append(crowd.turns.next())
    assert len(asked) == len(set(asked)) == min(count, limit)
    assert set(asked[:4]) & {queries[0]} or count > 4 or f"q{proven}" in asked


@pytest.mark.parametrize(
    ("joins_per_attempt", "came_at"),
    [*itertools.product((0.3, 0.5, 1), (0, 10, 100)), (5, 0), (5, 10)],
)
def test_ever_new_bad_tokens_cannot_put_off_the_good_one(joins_per_attempt: float, came_at: int) -> None:
    """They wait and stay: the upstream says not found, as it does of a stream that is not there yet."""
    crowd, due, asked, there = Crowd(), 0.0, [], 0
    bad = (f"bad{number}" for number in itertools.count())
    for attempt in range(400 if joins_per_attempt == 5 else 800):
        if attempt == came_at:
            crowd.come("good")
            there = len(crowd.roster)
        due += joins_per_attempt
        crowd.come(*itertools.islice(bad, int(due)))
        due -= int(due)
        asked.append(crowd.turns.next())
    turns = [came_at, *(attempt for attempt, query in enumerate(asked) if query == "good")]
    gaps = [after - before for before, after in itertools.pairwise(turns)]
    if joins_per_attempt <= 0.5:  # as many as newcomers have turns
        assert gaps[0] <= 8, gaps
    assert gaps[0] <= 4 * there + 8, (gaps, there)
    if came_at == 0:
        assert max(gaps) <= 2 * LIMIT + 2, gaps
    elif joins_per_attempt <= 0.5:
        assert max(gaps) <= 5 * len(crowd.roster), gaps


def test_who_waits_in_the_midst_of_many_is_asked_for_again_and_again() -> None:
    crowd = Crowd(*(f"a{number}" for number in range(40)), "good", *(f"b{number}" for number in range(40)))
    asked = crowd.ask(600)
    turns = [attempt for attempt, query in enumerate(asked) if query == "good"]
    assert max(after - before for before, after in itertools.pairwise([0, *turns, 600])) <= 2 * 81 + LIMIT


def test_refused_bad_tokens_leave_and_the_good_one_is_served() -> None:
    for before in (0, 10, 300):
        crowd = Crowd("good", *(f"old{number}" for number in range(before)))
        for attempt in range(100):
            crowd.come(f"new{attempt}")
            query = crowd.turns.next()
            if query == "good":
                break
            assert query is not None
            crowd.go(query)
        assert attempt < 2 * LIMIT, before


def test_after_a_cut_what_worked_is_found_among_hundreds_of_bad_ones_at_once() -> None:
    crowd = Crowd(*(f"a{number}" for number in range(500)), "good", *(f"b{number}" for number in range(500)))
    crowd.turns.proven = "good"
    assert crowd.ask(3)[2] == "good"


# --- verdicts ------------------------------------------------------------------------


def decide(verdicts: QueryVerdicts, query: str, why: str = "interval", *, give_up: bool = False) -> RetryDecision:
    return verdicts.decide(RetryDecision(give_up, 100, why), query, 0, interval_ms=1000, chance=0.5)


def test_without_a_refusal_the_policy_decides() -> None:
    verdicts = QueryVerdicts(Crowd("a", "b").roster)
    assert decide(verdicts, "a") == RetryDecision(False, 100, "interval")
    assert verdicts.take_verdict() is None


def test_refusal_is_told_once_and_the_next_query_follows_at_once_but_for_a_pause() -> None:
    verdicts = QueryVerdicts(Crowd(*"abcdefg").roster)
    found = []
    for query in "abcdef":
        verdicts.refuse(NO)
        found.append(decide(verdicts, query, "never_useful", give_up=True))
        assert verdicts.take_verdict() == NO
        assert verdicts.take_verdict() is None
    pause = RetryDecision(False, 1100, "pause")
    assert found == [*[RetryDecision(False, 0, "query")] * (REFUSALS_IN_A_ROW - 1), pause] * 2


def test_last_query_that_is_refused_ends_the_pull() -> None:
    for queries in (("a",), ()):
        verdicts = QueryVerdicts(Crowd(*queries).roster)
        verdicts.refuse(NO)
        assert decide(verdicts, "a") == RetryDecision(True, 0, "upstream_refused")


def test_refusal_of_one_server_counts_when_the_others_have_been_asked_and_none_was_away() -> None:
    verdicts = QueryVerdicts(Crowd("a", "b").roster)
    verdicts.refuse(NO)
    assert decide(verdicts, "a", "search").why == "search"
    assert verdicts.take_verdict() is None
    assert decide(verdicts, "a").why == "query"
    assert verdicts.take_verdict() == NO
    verdicts.refuse(NO)
    verdicts.lapse()
    assert decide(verdicts, "b").why == "interval"


@pytest.mark.parametrize("why", ["publisher_gone", "retry_expired"])
def test_end_of_the_broadcast_is_not_put_off(why: str) -> None:
    verdicts = QueryVerdicts(Crowd("a", "b").roster)
    verdicts.refuse(NO)
    assert decide(verdicts, "a", why, give_up=True).give_up


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("NetStream.Play.Failed token expired", Refusal(Reason.UPSTREAM, "token expired", "NetStream.Play.Failed")),
        ("NetStream.Play.Failed ", Refusal(Reason.UPSTREAM, "", "NetStream.Play.Failed")),
        ("Denied by hook", Refusal(Reason.UPSTREAM, "by hook", "NetStream.Play.Failed")),
        ("NetConnection.CreateStream.Failed busy", None),
    ],
)
def test_words_of_a_refusal(text: str, wanted: Refusal | None) -> None:
    assert refusal_of(text) == wanted
