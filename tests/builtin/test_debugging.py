from __future__ import annotations

from edge.builtin.config import DebugConfig
from tests.builtin import sample


def test_new_settings_arrive_where_they_are_used() -> None:
    debugging = sample.debugging()()
    debugging.reconfigure(DebugConfig(max_profiles_kept=3, rpcz_max_spans=5, max_profiling_seconds=7))
    assert (debugging.profiler.max_kept, debugging.spans.max_spans) == (3, 5)
    assert debugging.config.max_profiling_seconds == 7


def test_spans_stay_as_they_were_switched_by_hand() -> None:
    debugging = sample.debugging()()
    debugging.spans.is_on = True
    debugging.reconfigure(DebugConfig(rpcz_max_spans=5))
    assert debugging.spans.is_on
    debugging.reconfigure(DebugConfig(enable_rpcz=True))
    debugging.reconfigure(DebugConfig())
    assert not debugging.spans.is_on
