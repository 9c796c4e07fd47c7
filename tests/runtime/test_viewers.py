from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.facts.declared import METRICS
from edge.hub.key import StreamKey
from edge.quality.cmcd import parse
from edge.quality.config import QualityConfig
from edge.runtime.viewers import Viewers

KEY = StreamKey("_", "live", "s")


def units(*keys: StreamKey) -> Any:
    return cast(Any, [SimpleNamespace(name="front", registry=SimpleNamespace(streams=dict.fromkeys(keys)))])


def test_a_stream_has_its_figures_while_it_is_there() -> None:
    viewers = Viewers(QualityConfig())
    assert viewers.look()("front", KEY) is None
    for text in ('sid="a",msd=200,bl=1000', 'sid="b",msd=400', 'sid="c",bs,sta=q,ts=1'):
        viewers.audience.take(parse(text, max_bytes=99, max_keys=9), ("front", KEY), 1000)
    found = viewers.look()("front", KEY)
    assert found is not None
    assert (found.reporting, found.sessions, found.start_ms, found.stall_count, found.buffer_ms) == (2, 3, 300, 1, 1000)
    assert viewers.look()("merge", KEY) is None
    viewers.tick(2000, units(KEY))
    assert viewers.look()("front", KEY) is not None
    viewers.tick(4000, units())
    assert viewers.look()("front", KEY) is None
    assert viewers.start.count == 2


def test_all_that_is_counted_is_declared() -> None:
    viewers = Viewers(QualityConfig())
    viewers.audience.rejected["bad_syntax"] += 1
    counters = viewers.counters()
    assert all(METRICS.find(name) is not None for name in counters)
    found = METRICS.find("cmcd_bad_syntax_rejected_count")
    assert found is not None and found[1] == ("bad_syntax",)


def test_many_who_stall_are_told_of_until_they_do_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    viewers = Viewers(QualityConfig(viewer_stall_alarm_pct=20))

    def report(number: int, text: str, now_ms: int) -> None:
        viewers.audience.take(parse(f'sid="{number}"{text}', max_bytes=99, max_keys=9), ("front", KEY), now_ms)

    def told() -> tuple[float, float]:
        counters = viewers.counters()
        return counters["viewer_stalled_share"], counters["viewer_stall_alarm"]

    for number in range(10):
        report(number, ",bs" if number == 0 else "", 10_000)
    viewers.tick(10_000, units(KEY))
    assert told() == (0.1, 0) and not caplog.records
    report(1, ",bs", 11_000)
    viewers.tick(12_000, units(KEY))
    assert told() == (0.1, 0), "it looks each 5 s"
    viewers.tick(15_000, units(KEY))
    assert told() == (0.2, 1)
    (warning,) = caplog.records
    assert warning.levelname == "WARNING"
    assert warning.getMessage() == "viewers stall reason=viewers_stall stalled=2 of=10 most_at=front/_/live/s"
    for number in range(10):
        report(number, "", 60_000)
    viewers.tick(71_500, units(KEY))
    assert told() == (0.0, 0)
    assert caplog.records[-1].getMessage() == "viewers stall no more stalled=0 of=10"
