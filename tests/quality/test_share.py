from __future__ import annotations

from edge.quality.share import LateShare, LoadShare


def shares(loads: list[float], *, high: float = 0.8, low: float = 0.6) -> list[float]:
    """One look a second, a step each two at most."""
    share = LoadShare(high=high, low=low, step_ms=2000)
    found = []
    for number, load in enumerate(loads):
        share.note(load, 1000 * number)
        found.append(share.share)
    return found


def test_it_grows_by_steps_and_no_faster() -> None:
    assert shares([0.9] * 9) == [0.25, 0.25, 0.5, 0.5, 0.75, 0.75, 1.0, 1.0, 1.0]


def test_between_the_two_limits_it_stays() -> None:
    assert shares([0.9, 0.7, 0.7, 0.7, 0.59, 0.7, 0.9]) == [0.25, 0.25, 0.25, 0.25, 0.0, 0.0, 0.25]


def test_it_comes_back_by_steps() -> None:
    assert shares([0.9] * 4 + [0.1] * 5) == [0.25, 0.25, 0.5, 0.5, 0.25, 0.25, 0.0, 0.0, 0.0]


def test_no_load_is_too_high() -> None:
    assert shares([9.0] * 5, high=0.0) == [0.0] * 5
    assert shares([0.9, 0.85, 0.1], low=0.95)[-1] == 0.0, "a lower limit above the upper one is that one"


def late_shares(lates: list[float], *, most: float = 0.5) -> list[float]:
    """One look a second."""
    share = LateShare(most=most, hold_ms=3000, step_ms=1000)
    found = []
    for number, late in enumerate(lates):
        share.note(late, 1000 * number)
        found.append(share.share)
    return found


def test_all_go_at_once_and_come_back_by_steps_after_a_while() -> None:
    assert late_shares([0.4, 0.5, 0, 0, 0, 0, 0, 0]) == [0, 1, 1, 1, 0.75, 0.5, 0.25, 0]
    assert late_shares([0.5, 0.5, 0, 0, 0, 0.6, 0]) == [1, 1, 1, 1, 0.75, 1, 1]


def test_lateness_may_be_none_of_its_business() -> None:
    assert late_shares([1.0] * 3, most=0.0) == [0.0] * 3


def test_the_beginning_is_told_once() -> None:
    share = LateShare(most=0.5, hold_ms=3000, step_ms=1000)
    assert [share.note(late, 1000 * number) for number, late in enumerate([0.1, 0.9, 0.9, 0.1])] == [
        *(False, True, False, False)
    ]
