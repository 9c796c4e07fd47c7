"""A finding about the flags, and the place it is about."""

from __future__ import annotations

from dataclasses import dataclass

COMMAND_LINE = "command line"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding.

    Attributes:
        where: ``file:line``, ``command line``, ``environment FLAGS_x`` or ``default``.
        message: names the flag and what is accepted.
        is_warning: the server starts nevertheless.
    """

    where: str
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {'warning: ' if self.is_warning else ''}{self.message}"
