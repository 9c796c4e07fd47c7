"""What is said of a configuration, with the place; nothing that is not acted on passes in silence."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from edge.flags.problem import Problem, printable

#: What people may read; a file that is none may have a finding in each line.
MAX_OF_A_LEVEL = 200
_MAX_HINTS = 20


class Level(Enum):
    """What a finding means for the start; the values are words for people."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, with ``file:line`` or whatever else is its place."""

    level: Level
    where: str
    message: str

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.level.value}: {self.message}")

    @property
    def problem(self) -> Problem:
        """The same for those who know flags: an error keeps the server from starting."""
        return Problem(self.where, self.message, is_warning=self.level is not Level.ERROR)


@dataclass(slots=True)
class Findings:
    """Collects them.

    Attributes:
        items: in the order found; of each level so many that people may read them.
        left_out: how many more there are, by level.
        noted: directives without effect here, by name with the place of the first, and how often.
        host: the same of those about processes and hosts.
        off_count: sections that stand there switched off.
    """

    items: list[Finding] = field(default_factory=list)
    left_out: dict[Level, int] = field(default_factory=dict)
    noted: dict[str, tuple[str, int]] = field(default_factory=dict)
    host: dict[str, tuple[str, int]] = field(default_factory=dict)
    off_count: int = 0
    _counts: dict[Level, int] = field(default_factory=dict)

    def _add(self, level: Level, where: str, message: str) -> None:
        count = self._counts.get(level, 0)
        self._counts[level] = count + 1
        if count < MAX_OF_A_LEVEL:
            self.items.append(Finding(level, where, message))
        else:
            self.left_out[level] = self.left_out.get(level, 0) + 1

    @property
    def may_look_for_names(self) -> bool:
        """Whether it is worth the time to find what an unknown name may have meant: not for a file of nothing else."""
        return self._counts.get(Level.ERROR, 0) < _MAX_HINTS

    def error(self, where: str, message: str) -> None:
        """The server does not start."""
        self._add(Level.ERROR, where, message)

    def warning(self, where: str, message: str) -> None:
        """It starts, and does less than it should, or something else than somebody may think."""
        self._add(Level.WARNING, where, message)

    def note(self, where: str, message: str) -> None:
        """All is well, and it is to be known."""
        self._add(Level.NOTE, where, message)

    @staticmethod
    def count(names: dict[str, tuple[str, int]], name: str, where: str) -> None:
        """One more of ``noted`` or ``host``."""
        first, count = names.get(name, (where, 0))
        names[name] = (first, count + 1)

    def finish(self) -> tuple[Finding, ...]:
        """All of them, with a line each of what has no effect."""
        for names, what in (
            (self.host, "about processes and hosts, without effect here"),
            (self.noted, "without effect here"),
        ):
            if names:
                where = next(iter(names.values()))[0]
                shown = ", ".join(f"{name} x{count}" if count > 1 else name for name, (_, count) in names.items())
                self.note(where, f"{what}: {shown}")
        if self.off_count:
            self.note("all files", f"sections that are switched off: {self.off_count}")
        for level, count in self.left_out.items():
            self.items.append(Finding(level, "all files", f"{count} more of this kind"))
        return tuple(self.items)
