"""Writes ``-save_flagfile``: the values that were set while the program ran, and those that stood there before.

No other file is written. The file is there whole or as it was, and for nobody else to read (mode 0600), since a value
may be a secret.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.flags.gflags import Parsed
from edge.flags.problem import printable
from edge.flags.registry import DEFINITIONS, format_value, value_of
from edge.runtime.command_line import read_command_line

_MODE = 0o600


class SaveError(Exception):
    """Nothing has been written; the text says why."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What has been written.

    Attributes:
        names: all flags of the file.
        read: the command line with all files, as it is read from now on.
    """

    path: str
    names: tuple[str, ...]
    read: Parsed


def save(parsed: Parsed, names: Iterable[str], who: str) -> Saved:
    """Write the values that ``names`` have in ``parsed``; blocks. Raises SaveError."""
    path = value_of(parsed.flags, "save_flagfile")
    if not path:
        raise SaveError("-save_flagfile names no file to write")
    wanted = {*names, *_names_from(path, parsed)}
    text = _text_of(parsed, sorted(wanted), who)
    _check(text, parsed, wanted)
    try:
        _write(Path(path), text)
    except OSError as error:
        raise SaveError(f"-save_flagfile={path}: {error.strerror or error}") from error
    return Saved(path, tuple(sorted(wanted)), read_command_line(parsed.arguments))


def _names_from(path: str, parsed: Parsed) -> set[str]:
    """The flags that have their value from the file as it is."""
    prefix = f"{path}:"
    return {name for name, origin in parsed.origins.items() if origin.startswith(prefix)}


def _text_of(parsed: Parsed, names: Iterable[str], who: str) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    lines = [f"# Written by edge at {moment} for {printable(who)}: values that were set while it ran."]
    lines += [f"-{name}={format_value(value_of(parsed.flags, name))}" for name in names]
    return "".join(f"{line}\n" for line in lines)


def _check(text: str, parsed: Parsed, names: Iterable[str]) -> None:
    """Raise SaveError for a value that a flagfile cannot hold, such as one that ends with a blank."""
    lines = [line for line in text.split("\n") if not line.startswith("#")]
    for name in names:
        value = value_of(parsed.flags, name)
        line = f"-{name}={format_value(value)}"
        try:
            is_same = DEFINITIONS[name].parser.parse(format_value(value)) == value
        except ValueError:
            is_same = False
        if line not in lines or line != line.rstrip() or not is_same:
            raise SaveError(f"the value of -{name} cannot stand in a flagfile")


def _write(path: Path, text: str) -> None:
    """Put ``text`` in the place of the file: whole, or not at all. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()  # of a process that was killed
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
