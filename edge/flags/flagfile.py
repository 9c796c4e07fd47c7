"""The grammar of flagfiles, line by line; what the lines mean is ``gflags.py``'s.

A line is blank, a comment (``#`` or ``//``), a flag (``-name=value``, one or two
dashes) or a section: blank-separated patterns of program names. The flags after
a section count only for a program that a pattern matches, up to the next
section. Values are literal: quotes and trailing comments belong to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

MAX_FLAGFILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FlagLine:
    """One line that counts for this program: ``text`` is as written, without the line's end."""

    number: int
    text: str
    is_flag: bool


class FlagfileError(Exception):
    """The file cannot be read; the text says why, without the path.

    Attributes:
        line: where in it, or 0.
    """

    def __init__(self, text: str, line: int = 0) -> None:
        super().__init__(text)
        self.line = line


def read_flagfile(path: str) -> str:
    """Return the text of a flagfile, or raise ``FlagfileError``."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FLAGFILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FlagfileError(reason) from error
    if len(data) > MAX_FLAGFILE_BYTES:
        raise FlagfileError(f"larger than {MAX_FLAGFILE_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FlagfileError(f"not valid UTF-8 in line {line}", line) from error


def split_lines(text: str, programs: Sequence[str]) -> Iterator[FlagLine]:
    """Yield the flag lines for ``programs``, and section lines that select none of them.

    A section that does not match is reported (``is_flag`` False) because a
    forgotten dash looks the same and would silently drop the rest of the file.
    """
    is_selected, is_section_open = True, False
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.removesuffix("\r").lstrip()
        if not line.strip() or line.startswith(("#", "//")):
            continue
        if line.startswith("-"):
            is_section_open = False
            if is_selected:
                yield FlagLine(number, line, is_flag=True)
            continue
        # Patterns on consecutive lines are one section.
        was_selected = is_selected and is_section_open
        is_section_open = True
        is_selected = was_selected or _is_match(line.split(), programs)
        if not is_selected:
            yield FlagLine(number, line, is_flag=False)


def _is_match(patterns: Sequence[str], programs: Sequence[str]) -> bool:
    return any(fnmatchcase(program, pattern) for pattern in patterns for program in programs)
