from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.facts.patterns import MAX_PATTERNS, Pattern, Patterns


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("*", "", True),
        ("a*", "a", True),
        ("*_count", "error_count", True),
        ("*_count", "count", False),
        ("a$c", "abc", True),
        ("a$c", "ac", False),
        ("a*b*c", "a1b2c", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("a*$", "a", False),
        ("a*$", "ab", True),
        (".*", "x", False),
        ("a*b**c", "a\nbc", True),
    ],
)
def test_what_a_pattern_means(pattern: str, name: str, is_match: bool) -> None:
    assert Pattern(pattern).matches(name) is is_match


@given(pattern=st.text("ab*$", max_size=12), name=st.text("ab", max_size=12))
def test_it_means_what_globs_mean(pattern: str, name: str) -> None:
    assert Pattern(pattern).matches(name) is fnmatch.fnmatchcase(name, pattern.replace("$", "?"))


def test_names_and_patterns_in_one_list() -> None:
    asked = Patterns("a;b*,c$d;;")
    assert [name for name in ("a", "b", "bc", "cxd", "cd", "x") if asked.matches(name)] == ["a", "b", "bc", "cxd"]
    assert asked.missing(["bc"]) == ["a"]
    assert Patterns("").is_empty
    assert Patterns(",").matches("anything")


def test_parts_beyond_the_bound_are_left_out() -> None:
    asked = Patterns(",".join(f"n{number}" for number in range(MAX_PATTERNS + 1)))
    assert asked.matches(f"n{MAX_PATTERNS - 1}")
    assert not asked.matches(f"n{MAX_PATTERNS}")


def test_X8_many_stars_take_no_more_time_than_the_name_is_long() -> None:
    """With backtracking a single one of these would take longer than the world stands."""
    asked = Patterns(",".join("*a" * 40 + f"*b{number}" for number in range(100)))
    assert not any(asked.matches("a" * 250 + f"x{number}") for number in range(100))
