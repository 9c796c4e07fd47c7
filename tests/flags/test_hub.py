"""The flags of this area become the frozen settings."""

from __future__ import annotations

from edge.flags.gflags import parse
from edge.flags.hub import hub_config
from edge.flags.registry import new_flags
from edge.hub.config import HubConfig


def test_the_defaults_of_the_flags_are_those_of_the_settings() -> None:
    assert hub_config(new_flags()) == HubConfig()


def test_blank_separated_domains_become_sets() -> None:
    config = hub_config(parse(["-keep_duration_domains= a.com  b.com", "-original_timestamp_domains", "c.com"]).flags)
    assert config.keep_duration_domains == {"a.com", "b.com"}
    assert config.original_timestamp_domains == {"c.com"}
