"""A finding about the flags, and the place it is about."""

from __future__ import annotations

from dataclasses import dataclass

COMMAND_LINE = "command line"
DEFAULT = "default"
_MAX_QUOTED = 200


def cut(text: str) -> str:
    """Text of a user at a length that a message can bear."""
    return text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}..."


def printable(text: str) -> str:
    """The text on one line, everything that does not print as an escape."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


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
        return printable(f"{self.where}: {'warning: ' if self.is_warning else ''}{self.message}")
