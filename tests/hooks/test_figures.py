"""What is counted and said of calls."""

from __future__ import annotations

import logging

import pytest

from edge.hooks.answer import Unusable, Yes
from edge.hooks.event import Action
from edge.hooks.figures import Figures


def test_a_dead_server_is_one_line_in_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([*range(0, 20_001, 10), 20_000, 20_000])
    figures = Figures(lambda: next(times))
    with caplog.at_level(logging.WARNING):
        for _ in range(2001):
            figures.called(Action.PLAY, "http://h/", Unusable("refused"), 3)
        figures.called(Action.PLAY, "http://other/", Unusable("refused"), 3)
        figures.called(Action.PLAY, "http://h/", Yes(), 3)
    assert caplog.messages == [
        "hook http://h/ on_play got no usable answer: refused",
        "hook http://h/ on_play got no usable answer: refused (999 more since the last line)",
        "hook http://h/ on_play got no usable answer: refused (999 more since the last line)",
        "hook http://other/ on_play got no usable answer: refused",
    ]
    assert figures.by_result == {("on_play", "failed"): 2002, ("on_play", "yes"): 1}
