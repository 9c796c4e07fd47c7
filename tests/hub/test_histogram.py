"""Values by range."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.hub.histogram import BOUNDS_MS, Histogram

VALUES = st.lists(st.floats(0, 50_000))


def of(values: list[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    return histogram


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        (-1.0, [1, 0, 0]),
        (0.0, [1, 0, 0]),
        (10.0, [1, 0, 0]),
        (10.001, [0, 1, 0]),
        (20.0, [0, 1, 0]),
        (20.5, [0, 0, 1]),
        (1e12, [0, 0, 1]),
    ],
)
def test_a_bound_is_within_its_range(value: float, counts: list[int]) -> None:
    histogram = Histogram((10, 20))
    histogram.observe(value)
    assert histogram.counts == counts
    assert (histogram.count, histogram.total) == (1, value)


def test_without_values_all_is_0() -> None:
    histogram = Histogram()
    assert (histogram.count, histogram.total, histogram.mean, histogram.quantile(0.5)) == (0, 0, 0, 0)
    assert histogram.counts == [0] * (len(BOUNDS_MS) + 1)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(VALUES)
def test_counts_are_of_the_values_above_one_bound_and_up_to_the_next(values: list[float]) -> None:
    histogram = of(values)
    at_most = [0, *(sum(value <= bound for value in values) for bound in BOUNDS_MS), len(values)]
    assert histogram.counts == [more - less for less, more in pairwise(at_most)]
    assert sum(histogram.counts) == histogram.count == len(values)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(VALUES, VALUES)
def test_merged_is_as_if_all_had_come_to_one(first: list[float], second: list[float]) -> None:
    merged, all_in_one = of(first), of(first + second)
    merged.merge(of(second))
    assert (merged.counts, merged.count) == (all_in_one.counts, all_in_one.count)
    assert merged.total == pytest.approx(all_in_one.total)


def test_other_ranges_cannot_be_merged() -> None:
    histogram = Histogram((1, 2))
    with pytest.raises(ValueError, match="ranges"):
        histogram.merge(Histogram((1, 3)))
    assert histogram.count == 0


@pytest.mark.parametrize(
    ("share", "least", "most"), [(0.0, 0, 10), (0.25, 0, 10), (0.5, 10, 10), (0.75, 10, 20), (0.95, 20, 20)]
)
def test_quantile_lies_in_the_range_of_its_value(share: float, least: float, most: float) -> None:
    histogram = Histogram((10, 20))
    for value in (5, 5, 15, 99):
        histogram.observe(value)
    assert least <= histogram.quantile(share) <= most
    assert histogram.mean == 31
