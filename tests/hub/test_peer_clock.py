"""How far a neighbour's clock is from ours, from questions that were held up in all sorts of ways."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.peer_clock import PeerClock

HOUR_US = 3_600_000_000


class Way:
    """A peer whose clock shows ``offset_us`` less than ours, and the way to it; time moves by the test."""

    def __init__(self, offset_us: int = HOUR_US) -> None:
        self.offset_us = offset_us
        self.now_us = 10 * HOUR_US
        self.asked: list[int] = []
        self.clock = PeerClock(lambda: self.now_us, self.asked.append)

    def ask(self, there_us: int, back_us: int) -> None:
        """A question that takes so long, and its answer; whether one is due is another test's."""
        self.asked.clear()
        self.clock._last_us = None
        self.clock.keep()
        (sent_us,) = self.asked
        self.now_us += there_us
        peer_us = self.now_us - self.offset_us
        self.now_us += back_us
        self.clock.told(sent_us, peer_us)

    @property
    def error_us(self) -> int:
        """Of the estimate, as the test knows."""
        found = self.clock.ours(self.now_us - self.offset_us)
        assert found is not None
        return found - self.now_us


def run(way: Way, ways_us: Iterable[tuple[int, int]], *, every_us: int = 1_000_000) -> None:
    for there_us, back_us in ways_us:
        way.now_us += every_us
        way.ask(there_us, back_us)


def test_nothing_is_known_before_the_first_answer() -> None:
    way = Way()
    assert way.clock.ours(1) is None
    assert way.clock.error_us is None
    way.clock.keep()
    assert way.clock.ours(1) is None


@pytest.mark.parametrize(
    ("what", "ways_us", "within_us"),
    [
        ("one answer, the same both ways", [(5000, 5000)], 0),
        ("one answer, all of it on the way back", [(0, 10_000)], 5000),
        ("some held up on the way there, others back", [(30_000, 1000), (1000, 30_000)] * 3, 100),
        ("a quick one among slow ones", [(50_000, 90_000)] * 5 + [(400, 400)] + [(50_000, 90_000)] * 5, 400),
        ("an answer that was held up for a minute", [(1000, 1000), (1000, 60_000_000), (1000, 1000)], 1000),
        ("a question that was held up for a minute", [(1000, 1000), (60_000_000, 1000), (1000, 1000)], 1000),
        ("a way back that is always slower by 8 ms", [(1000, 9000)] * 10, 4100),
    ],
)
@pytest.mark.parametrize("offset_us", [0, HOUR_US, -HOUR_US, 17])
def test_estimate_is_as_good_as_the_quickest_of_each_way(
    what: str, ways_us: list[tuple[int, int]], within_us: int, offset_us: int
) -> None:
    way = Way(offset_us)
    run(way, ways_us)
    assert abs(way.error_us) <= within_us, what
    bound_us = way.clock.error_us
    assert bound_us is not None and abs(way.error_us) <= bound_us + 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 500_000), st.integers(0, 500_000)), min_size=1, max_size=40))
def test_error_is_never_more_than_is_said(ways_us: list[tuple[int, int]]) -> None:
    way = Way()
    for each in ways_us:
        run(way, [each])
        bound_us = way.clock.error_us
        assert bound_us is not None and abs(way.error_us) <= bound_us + 1


@pytest.mark.parametrize("step_us", [HOUR_US, -HOUR_US, 50_000, -50_000])
def test_step_of_the_peers_clock_is_followed_with_the_first_answer_that_shows_it(step_us: int) -> None:
    way = Way()
    run(way, [(300, 300)] * 20)
    way.offset_us += step_us  # it was suspended, and stood still
    run(way, [(300, 300)])
    assert abs(way.error_us) <= 300


@pytest.mark.parametrize("parts_per_million", [15, -15, 30])
def test_clocks_that_run_apart_are_followed(parts_per_million: int) -> None:
    way, chance = Way(), random.Random(1)
    for _ in range(400):
        way.offset_us += 4 * parts_per_million
        run(way, [(200 + chance.randrange(2000), 200 + chance.randrange(2000))], every_us=4_000_000)
        bound_us = way.clock.error_us
        assert bound_us is not None and abs(way.error_us) <= bound_us + 1
        assert bound_us < 3000


def test_four_questions_follow_each_other_then_one_a_second_and_later_every_four() -> None:
    way = Way()
    counts: list[int] = []
    for _ in range(100):
        way.now_us += 1_000_000
        way.clock.keep()
        count = 0
        while way.asked:
            sent_us = way.asked.pop()
            way.now_us += 10
            way.clock.told(sent_us, sent_us)
            count += 1
        counts.append(count)
    assert counts[0] == 4
    assert counts[1:13] == [1] * 12
    assert sum(counts[-40:]) == 10


def test_answers_that_nobody_asked_for_change_nothing() -> None:
    way = Way()
    run(way, [(10, 10)])
    before = way.clock.ours(0)
    way.clock.told(12345, 99)
    way.clock.told(way.now_us + 1, 0)
    assert way.clock.ours(0) == before
    assert way.clock.answer_count == 1


def test_answer_counts_once() -> None:
    way = Way()
    way.clock.keep()
    (sent_us,) = way.asked
    way.now_us += 10
    way.clock.told(sent_us, 5)
    way.clock.told(sent_us, 500_000)
    assert way.clock.answer_count == 1


def test_peer_that_never_answers_is_asked_on_without_piling_up() -> None:
    way = Way()
    for _ in range(100):
        way.now_us += 1_000_000
        way.clock.keep()
    assert len(way.asked) == 100
    assert len(way.clock._asked_us) <= 16


def test_closed_asks_no_more() -> None:
    way = Way()
    way.clock.close()
    way.clock.keep()
    assert way.asked == []
