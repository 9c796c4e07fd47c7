"""Stacks with how often and how much each was seen: what all profiles are made of."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import NamedTuple

#: Deeper stacks lose their outermost frames, more of them are counted as one.
MAX_DEPTH = 100
MAX_STACKS = 2048


class Frame(NamedTuple):
    """A function of a stack.

    Attributes:
        function: its qualified name.
        file: relative to where it was imported from.
        line: of its definition; of allocations, where they were made.
    """

    function: str
    file: str
    line: int

    @property
    def label(self) -> str:
        """``file:function``, as views show it."""
        return f"{self.file}:{self.function}"


Stack = tuple[Frame, ...]
"""Outermost function first."""

OTHER: Stack = (Frame("(other stacks)", "", 0),)


class Counted(NamedTuple):
    """What was seen of a stack: so many ``times``, ``value`` in the unit of the profile."""

    stack: Stack
    times: int
    value: int


@dataclass(frozen=True, slots=True)
class Kind:
    """What a profile is of.

    Attributes:
        name: as in ``/hotspots/<name>``.
        count_name: what is counted, as pprof calls it.
        value_name: what is measured.
        unit: of the values: ``nanoseconds`` or ``bytes``.
    """

    name: str
    count_name: str
    value_name: str
    unit: str


CPU = Kind("cpu", "samples", "cpu", "nanoseconds")
CONTENTION = Kind("contention", "contentions", "delay", "nanoseconds")
HEAP = Kind("heap", "inuse_objects", "inuse_space", "bytes")
GROWTH = Kind("growth", "inuse_objects", "inuse_space", "bytes")


@dataclass(frozen=True, slots=True)
class Profile:
    """A finished run.

    Attributes:
        name: ``YYYYMMDD.HHMMSS.<kind>``, by which it is shown again.
        started_ms: wall clock.
        duration_ms: 0 of a state of one moment.
        period: between two samples, in the unit of the values; 0 where nothing is sampled.
        rows: largest value first.
        facts: what else is known of the run, for people.
    """

    kind: Kind
    name: str
    started_ms: int
    duration_ms: int
    period: int
    rows: tuple[Counted, ...]
    facts: dict[str, int | float] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Sum of the values."""
        return sum(row.value for row in self.rows)


class StackTable:
    """Adds up what is seen of each stack, of at most ``MAX_STACKS`` different ones."""

    def __init__(self) -> None:
        self._found: dict[Stack, list[int]] = {}

    def add(self, stack: Stack, value: int, count: int = 1) -> None:
        """Count ``stack``."""
        entry = self._found.get(stack)
        if entry is None:
            if len(self._found) >= MAX_STACKS:
                stack = OTHER
            entry = self._found.setdefault(stack, [0, 0])
        entry[0] += count
        entry[1] += value

    def rows(self) -> tuple[Counted, ...]:
        """All that was seen, largest value first."""
        rows = [Counted(stack, count, value) for stack, (count, value) in self._found.items()]
        return tuple(sorted(rows, key=lambda row: (-row.value, row.stack)))


def short_file(path: str, roots: Iterable[str] | None = None) -> str:
    """``path`` without the folder that it was imported from: pages show no place of this machine.

    ``roots``: folders of imports; None for ``sys.path``.
    """
    found = max(
        (root for root in (sys.path if roots is None else roots) if root and path.startswith(root.rstrip("/") + "/")),
        key=len,
        default="",
    )
    if found:
        return path[len(found.rstrip("/")) + 1 :]
    return os.path.basename(path) if path.startswith("/") else path


def frames_from(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield ``frame`` and those that called it, at most ``MAX_DEPTH``."""
    for _ in range(MAX_DEPTH):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


class FrameReader:
    """Reads stacks of running threads; remembers what it has shortened."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}

    def stack_of(self, frame: FrameType | None) -> Stack:
        """The functions of a stack whose innermost frame is ``frame``."""
        found = []
        for each in frames_from(frame):
            code = each.f_code
            found.append(Frame(code.co_qualname, self._short(code.co_filename), code.co_firstlineno))
        found.reverse()
        return tuple(found)

    def _short(self, path: str) -> str:
        try:
            return self._files[path]
        except KeyError:
            short = self._files[path] = short_file(path)
            return short
