"""What ``-vhost_config`` says, for those who know flags only; ``edge.conf`` knows the rest."""

from __future__ import annotations

from typing import Protocol


class VhostFile(Protocol):
    """What ``-vhost_config`` says, as far as those mind who know flags only."""

    @property
    def summary(self) -> str:
        """How much there is of it, in one line."""
        ...

    def told(self, before: VhostFile | None) -> tuple[str, ...]:
        """What is another since ``before``, for people: a line for each setting, old and new value, with the vhosts."""
        ...
