"""The flags of this area become the frozen settings."""

from __future__ import annotations

from edge.flags.builtin import PagesConfig, logbook_config, pages_config
from edge.flags.check import check
from edge.flags.gflags import parse
from edge.flags.registry import new_flags
from edge.logbook.config import LogbookConfig


def test_the_defaults_of_the_flags_are_those_of_the_settings() -> None:
    assert logbook_config(new_flags()) == LogbookConfig()
    assert pages_config(new_flags()) == PagesConfig()


def test_set_flags_reach_their_fields() -> None:
    config = logbook_config(
        parse(["-dump_stats_interval=5", "-log_stats", "-pithy_print_ms=0", "-pithy_print_stage=play:1300"]).flags
    )
    assert config == LogbookConfig(
        dump_stats_interval=5, log_stats=True, pithy_print_ms=0, pithy_print_stage={"play": 1300}
    )
    pages = pages_config(parse(["-show_streams_in_vars", "-nosave_series"]).flags)
    assert pages == PagesConfig(show_streams_in_vars=True, save_series=False)


def test_a_stage_that_is_none_is_refused_at_start() -> None:
    (problem,) = check(parse(["-pithy_print_stage=plays:1300"]))
    assert not problem.is_warning
    assert 'pithy_print_stage: "plays:1300" is no stage' in str(problem)
