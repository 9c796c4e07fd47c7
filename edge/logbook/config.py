"""Settings of the lines that the log has at intervals; frozen, given by the caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

#: What lines of ``-pithy_print_ms`` are about.
STAGES = ("publish", "play", "pull", "push", "hls")


@dataclass(frozen=True, slots=True)
class LogbookConfig:
    """The fields bear the names of the flags that set them.

    Attributes:
        dump_stats_interval: seconds; 0 or below: no table of streams and no billing events.
        pithy_print_ms: 0: no lines of stages.
        pithy_print_stage: intervals of single stages in milliseconds, by stage.
    """

    dump_stats_interval: int = -1
    log_stats: bool = False
    pithy_print_ms: int = 10000
    pithy_print_stage: dict[str, int] = field(default_factory=dict)

    def stage_interval_ms(self, stage: str) -> int:
        """How often ``stage`` has a line; 0 for never."""
        return self.pithy_print_stage.get(stage, self.pithy_print_ms)


def parse_stages(items: Sequence[str]) -> dict[str, int]:
    """Intervals in milliseconds by stage, of ``play:1300`` and the like; raises ValueError that names the wrong one."""
    found: dict[str, int] = {}
    for item in items:
        name, _, number = item.partition(":")
        if name not in STAGES or not number.isascii() or not number.isdigit():
            raise ValueError(f'"{item}" is no stage with milliseconds, such as play:1300 (stages: {", ".join(STAGES)})')
        found[name] = int(number)
    return found
