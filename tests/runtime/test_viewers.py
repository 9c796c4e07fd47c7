from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

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
