from __future__ import annotations

from edge.builtin.config import DebugConfig
from edge.flags.debugging import debug_config
from edge.flags.gflags import parse
from edge.flags.registry import new_flags


def test_defaults_are_those_of_the_config_and_all_that_shows_much_is_off() -> None:
    config = debug_config(new_flags())
    assert config == DebugConfig()
    assert not (config.enable_dir_service or config.enable_threads_service)


def test_values_arrive() -> None:
    parsed = parse(["-max_profiling_seconds=5", "-enable_dir_service", "-dir_service_root=/x"])
    config = debug_config(parsed.flags)
    assert (config.max_profiling_seconds, config.enable_dir_service, config.dir_service_root) == (5, True, "/x")
