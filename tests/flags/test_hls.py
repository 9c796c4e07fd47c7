"""The flags of this area become the frozen settings."""

from __future__ import annotations

import pytest

from edge.flags.gflags import parse
from edge.flags.hls import hls_config
from edge.flags.hub import hub_config
from edge.flags.registry import new_flags
from edge.hls.config import HlsConfig
from edge.hub.config import HubConfig
from edge.hub.cuts import rule_of


def test_the_defaults_of_the_flags_are_those_of_the_settings() -> None:
    assert hls_config(new_flags()) == HlsConfig()
    hub, defaults = hub_config(new_flags()), HubConfig()
    for name in (each for each in HubConfig.__slots__ if each.startswith("hls")):
        assert getattr(hub, name) == getattr(defaults, name), name


def test_set_flags_reach_their_fields() -> None:
    flags = parse(["-hls_window_s=12.5", "-nohls_low_latency", "-hls_default=classic", "-ts_duration_ms=500"]).flags
    config = hls_config(flags)
    assert (config.hls_window_s, config.hls_low_latency, config.hls_default, config.ts_duration_ms) == (
        12.5,
        False,
        "classic",
        500,
    )


def test_what_the_origin_cuts_by_reaches_the_streams() -> None:
    words = ["-hls_fragment_s=1.5", "-hls_td_ratio=2", "-hls_aof_ratio=3", "-nohls_wait_keyframe"]
    rule = rule_of(hub_config(parse([*words, "-hls_part_ms=200", "-hls_max_segment_bytes=65536"]).flags))
    assert (rule.fragment_ms, rule.td_ratio, rule.aof_ratio) == (1500, 2, 3)
    assert (rule.waits_for_keyframe, rule.part_ms, rule.max_bytes) == (False, 200, 65536)
    assert not hub_config(parse(["-nohls"]).flags).hls


def test_parts_longer_than_segments_are_as_long_as_these() -> None:
    """Nodes behind the origin took no mark that said otherwise, and counted segments of their own."""
    assert rule_of(hub_config(parse(["-hls_fragment_s=1", "-hls_part_ms=5000"]).flags)).part_ms == 1000


@pytest.mark.parametrize("word", ["-hls_default=other", "-hls_part_ms=19", "-hls_fragment_s=0", "-ts_max_stored=0"])
def test_values_out_of_range_are_refused(word: str) -> None:
    assert parse([word]).has_errors
