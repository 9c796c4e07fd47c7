"""The rule by which segments are cut, and its way through the mark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.media.cut_rule import CutRule, CutState, first_discontinuity, rounded_s, state_of_fields
from edge.media.mark import Mark, decode_mark

RULES = st.builds(
    CutRule,
    st.integers(100, 600_000),
    st.floats(0.1, 100),
    st.floats(1, 100),
    st.booleans(),
    st.integers(1, 2**31),
    st.just(20),
)
STATES = st.builds(
    CutState,
    st.integers(0, 2**53 - 1),
    st.integers(0, 2**53 - 1),
    st.integers(0, 2**53 - 1),
    st.integers(0, 2**53 - 1),
    st.booleans(),
    st.integers(1, 600),
    st.integers(0, 2**31),
    st.integers(-1, 2**53 - 2),
    RULES,
)


@given(state=STATES)
def test_a_state_comes_through_the_mark_unchanged(state: CutState) -> None:
    mark = decode_mark(Mark("e", 1, 2, 3, cut=state).encode())
    assert mark is not None and mark.cut == state


GOOD = CutState(7, 100, 1000, 3, False, 2, 10, 90, CutRule()).fields()


@pytest.mark.parametrize(
    "change",
    [
        {"n": -1},
        {"n": "7"},
        {"n": True},
        {"n": float("nan")},
        {"dts": None},
        {"wall": 2.0**53},
        {"target": 0},
        {"fragment": 0},
        {"fragment": 10**9},
        {"td": 1000},
        {"aof": -1},
        {"part": 0},
        {"part": 5000},
        {"max": 0},
    ],
)
def test_what_makes_no_sense_is_passed_over_and_the_mark_is_not(change: dict[str, object]) -> None:
    assert state_of_fields(GOOD) is not None
    assert state_of_fields({**GOOD, **change}) is None
    mark = Mark("e", 1, 2, 3)
    assert decode_mark(mark.encode()) == mark


@pytest.mark.parametrize("fields", [None, [], "x", 1, {}])
def test_no_fields_are_no_state(fields: object) -> None:
    assert state_of_fields(fields) is None


def test_a_stream_that_begins_later_has_higher_numbers_than_one_before_it_can_have_reached() -> None:
    for rule in (CutRule(), CutRule(10_000), CutRule(1000, td_ratio=0.5), CutRule(100, td_ratio=0.1)):
        began_ms, lasted_ms = 1_796_000_000_000, 86_400_000
        reached = rule.first_number(began_ms) + lasted_ms // rule.due_ms
        assert rule.first_number(began_ms + lasted_ms + rule.due_ms) > reached


def test_discontinuities_of_a_stream_are_not_those_of_the_one_before_and_no_large_numbers() -> None:
    """hls.js goes through an array of that length: with 218 millions the page stood still."""
    numbers = {first_discontinuity(1_796_000_000_000 + restart * 10_000) for restart in range(10_000)}
    assert len(numbers) == 10_000 and max(numbers) < 65_536


@pytest.mark.parametrize("fragment_ms", [1000, 2000, 10_000])
def test_numbers_stay_below_31_bits(fragment_ms: int) -> None:
    in_2035_ms = 2_051_222_400_000
    assert CutRule(fragment_ms).first_number(in_2035_ms) < 2**31 * (2 if fragment_ms == 1000 else 1)


@pytest.mark.parametrize(("duration_ms", "seconds"), [(1, 1), (1499, 1), (1500, 2), (2040, 2), (2499, 2), (2500, 3)])
def test_durations_count_to_the_nearest_second(duration_ms: int, seconds: int) -> None:
    assert rounded_s(duration_ms) == seconds
