"""The flags of this area become the frozen settings."""

from __future__ import annotations

from edge.flags.gflags import parse
from edge.flags.registry import new_flags
from edge.flags.upstream import upstream_config
from edge.upstream.config import UpstreamConfig


def test_the_defaults_of_the_flags_are_those_of_the_settings() -> None:
    assert upstream_config(new_flags()) == UpstreamConfig()


def test_set_flags_reach_their_fields() -> None:
    config = upstream_config(parse(["-proxy_to=a:1", "-timeout_ms=900", "-nopull_wait_for_stream"]).flags)
    assert (config.proxy_to, config.effective_connect_timeout_ms, config.pull_wait_for_stream) == ("a:1", 300, False)
