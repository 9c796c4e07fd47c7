"""The flags of this area become the frozen settings."""

from __future__ import annotations

from edge.flags.gflags import parse
from edge.flags.logging import LogConfig, log_config
from edge.flags.registry import new_flags


def test_the_defaults_of_the_flags_are_those_of_the_settings() -> None:
    assert log_config(new_flags()) == LogConfig()


def test_set_flags_reach_their_fields() -> None:
    config = log_config(parse(["-v=99", "-vmodule=rtmp*=1", "-log_as_json", "-nolog_prefix"]).flags)
    assert config == LogConfig(v=99, vmodule="rtmp*=1", log_as_json=True, log_prefix=False)
