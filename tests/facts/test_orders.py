from __future__ import annotations

import pytest

from edge.facts.orders import EndStream, Kick, Outcome, Result, outcome_of

DONE, NOT_FOUND, REFUSED = (Outcome(result, result.value) for result in (Result.DONE, Result.NOT_FOUND, Result.REFUSED))


@pytest.mark.parametrize(
    ("outcomes", "one"),
    [
        ([NOT_FOUND, DONE, NOT_FOUND], DONE),
        ([REFUSED, DONE], DONE),
        ([NOT_FOUND, REFUSED], REFUSED),
        ([NOT_FOUND, NOT_FOUND], NOT_FOUND),
        ([DONE], DONE),
    ],
)
def test_processes_that_were_all_told_answer_as_one(outcomes: list[Outcome], one: Outcome) -> None:
    assert outcome_of(outcomes) is one


def test_orders_are_values() -> None:
    assert Kick(7) == Kick(7) != Kick(8)
    assert EndStream("_/live/a") == EndStream("_/live/a", "") != EndStream("_/live/a", "merge")
