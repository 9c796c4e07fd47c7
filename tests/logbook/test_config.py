"""Settings of the lines at intervals."""

from __future__ import annotations

import pytest

from edge.logbook.config import LogbookConfig, parse_stages


def test_a_stage_without_an_interval_of_its_own_has_that_of_all() -> None:
    config = LogbookConfig(pithy_print_ms=9000, pithy_print_stage=parse_stages(["play:1300", "hls:0"]))
    assert [config.stage_interval_ms(stage) for stage in ("play", "hls", "push")] == [1300, 0, 9000]


@pytest.mark.parametrize("item", ["plays:1", "play", "play:", "play:-1", "play:1s", "play:²", ""])
def test_what_is_no_stage_is_named(item: str) -> None:
    with pytest.raises(ValueError, match="is no stage with milliseconds"):
        parse_stages([item])
