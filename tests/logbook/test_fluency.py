"""Fluency: frames per second against those that should be."""

from __future__ import annotations

import math

import pytest

from edge.logbook.fluency import Expected, expected_fps, fluency_text, score


@pytest.mark.parametrize(
    ("fps", "framerate", "text"),
    [
        (25.0, 25.0, "100.0%"),
        (12.5, 25.0, "50.0%"),
        (0.0, 25.0, "0.0%"),
        (15.0, None, "100.0%*"),
        (22.0, 0.0, "146.7%*"),
        (22.5, -1.0, "75.0%*"),
        (30.0, math.nan, "100.0%*"),
        (30.0, math.inf, "100.0%*"),
        (0.0, None, "-"),
        (60.0, 5.0, "1200.0%"),
        (600.0, None, "2000.0%*"),
    ],
)
def test_the_text(fps: float, framerate: float | None, text: str) -> None:
    assert fluency_text(fps, framerate) == text


def test_score_is_whole_percent_and_100_where_nothing_is_known() -> None:
    assert score(0, None) == 100
    assert score(7, Expected(25.0, False)) == 28
    assert score(29, Expected(30, True)) == 96
    assert expected_fps(29.97, 30.0) == Expected(29.97, False)
    assert score(30, Expected(29.97, False)) == 100
