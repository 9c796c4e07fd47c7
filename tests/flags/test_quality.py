from __future__ import annotations

from edge.flags.gflags import parse
from edge.flags.quality import quality_config
from edge.flags.registry import new_flags
from edge.quality.config import QualityConfig


def test_defaults_and_values() -> None:
    assert quality_config(new_flags()) == QualityConfig()
    parsed = parse(["-nocmcd", "-cmcd_max_sessions=5"])
    assert quality_config(parsed.flags) == QualityConfig(cmcd=False, cmcd_max_sessions=5)
