"""A yes that was given stands for those who ask the very same."""

from __future__ import annotations

from edge.hooks.answer import Yes
from edge.hooks.memory import Memory


def test_a_yes_is_kept_for_so_long() -> None:
    memory = Memory()
    assert memory.cached("q", 10, 0) is None
    memory.said_yes("q", Yes("s"), 0)
    assert memory.cached("q", 0, 1) is None
    assert memory.cached("q", 10, 9999) == Yes("s")
    assert memory.cached("q", 10, 10_000) is None
    assert memory.cached("other", 10, 1) is None


def test_its_own_life_wins_and_runs_down() -> None:
    memory = Memory()
    memory.said_yes("q", Yes(lifetime_s=60), 0)
    assert memory.cached("q", 10, 20_000) == Yes(lifetime_s=40)
    assert memory.cached("q", 600, 60_000) is None
    memory.begun("q")
    assert memory.graced("q", 600, 59_000) == Yes(lifetime_s=1)
    assert memory.graced("q", 600, 60_000) is None


def test_grace_is_counted_from_the_end_of_the_last_session() -> None:
    memory = Memory()
    memory.said_yes("q", Yes(), 0)
    assert memory.graced("q", 60, 60_000) == Yes()
    assert memory.graced("q", 60, 60_001) is None
    memory.begun("q")
    memory.begun("q")
    memory.ended("q", 100_000)
    assert memory.graced("q", 60, 900_000) == Yes()
    memory.ended("q", 900_000)
    assert memory.graced("q", 60, 960_000) == Yes()
    assert memory.graced("q", 60, 960_001) is None
    assert memory.graced("q", 0, 900_000) is None


def test_a_new_yes_leaves_the_sessions_of_the_one_before() -> None:
    memory = Memory()
    memory.said_yes("q", Yes(), 0)
    memory.begun("q")
    memory.said_yes("q", Yes("s"), 1)
    assert memory.graced("q", 1, 10_000_000) == Yes("s")


def test_a_no_takes_it_back() -> None:
    memory = Memory()
    memory.said_yes("q", Yes(), 0)
    memory.begun("q")
    memory.said_no("q")
    assert memory.graced("q", 60, 1) is None
    memory.ended("q", 2)
    assert memory.graced("q", 60, 3) is None


def test_it_is_bounded_and_forgets_what_was_used_longest_ago() -> None:
    memory = Memory(max_answers=3)
    for number in range(3):
        memory.said_yes(number, Yes(), 0)
    memory.begun(0)
    memory.said_yes(3, Yes(), 1)
    assert len(memory) == 3
    assert [memory.graced(number, 60, 2) is not None for number in range(4)] == [True, False, True, True]
