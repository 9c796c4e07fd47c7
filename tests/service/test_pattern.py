from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.service.pattern import StreamPattern

TABLE = [
    ("live/cam", "live/cam", True),
    ("live/cam", "live/camera", False),
    ("live/cam", "live/ca", False),
    ("live/*", "live/cam", True),
    ("live/*", "live/", True),
    ("live/*", "live/a/cam", False),
    ("live/**", "live/a/cam", True),
    ("live/vip-*", "live/vip-1", True),
    ("live/vip-*", "live/cam", False),
    ("*/cam", "live/cam", True),
    ("*/cam", "live/a/cam", False),
    ("**/cam", "live/a/cam", True),
    ("**/cam", "cam", False),
    ("**", "live/a/cam", True),
    ("**/**", "live/cam", True),
    ("live/a*b*c", "live/aXbXbYc", True),
    ("live/a*b*c", "live/aXc", False),
    # A star over parts has to let the first fit go.
    ("**a*b", "a/ab", True),
    # All else stands for itself.
    ("live/[ab]", "live/a", False),
    ("live/[ab]", "live/[ab]", True),
    ("live/c.m", "live/cam", False),
    ("Live/cam", "live/cam", False),
]


@pytest.mark.parametrize(("pattern", "text", "wanted"), TABLE)
def test_what_a_pattern_stands_for(pattern: str, text: str, wanted: bool) -> None:
    assert StreamPattern(pattern).matches(text) is wanted


@pytest.mark.parametrize("pattern", ["", "live", "*", "live//cam", "/cam", "live/"])
def test_what_can_be_no_stream_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|part"):
        StreamPattern(pattern)


@given(st.text("ab/*", min_size=1, max_size=8), st.text("ab/", max_size=10))
def test_it_agrees_with_a_regular_expression(pattern: str, text: str) -> None:
    try:
        ours = StreamPattern(pattern)
    except ValueError:
        return
    tokens = re.findall(r"\*+|[^*]+", pattern)
    regex = "".join(re.escape(t) if t[0] != "*" else ".*" if len(t) > 1 else "[^/]*" for t in tokens)
    assert ours.matches(text) is bool(re.fullmatch(regex, text))
