"""Flags of the process."""

from __future__ import annotations

from edge.flags.gflags import parse
from edge.flags.process import ProcessConfig, process_config


def test_the_settings_are_those_of_the_flags() -> None:
    assert process_config(parse([]).flags) == ProcessConfig()
    given = parse(
        ["-grace_term_s=0", "-graceful_quit_on_sigterm", "-pid_file=a", "-port_file=b", "-grace_max_wait_s=9"]
    )
    assert process_config(given.flags) == ProcessConfig(
        pid_file="a", port_file="b", grace_term_s=0, grace_max_wait_s=9, graceful_quit_on_sigterm=True
    )
