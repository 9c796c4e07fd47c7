"""The command line as gflags reads it: flags, flagfiles and the environment, in order, the last one wins.

absl keeps the flags; this module reads the text, because absl differs from
gflags in sections and lists of flagfiles, unknown lines, ``-`` for ``_``,
``-fromenv`` and in the range of numbers, and does not remember where a value
came from.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from absl import flags as absl_flags

from edge.flags import all as _all_flags
from edge.flags.flagfile import FlagfileError, read_flagfile, split_lines
from edge.flags.not_acted_on import used_in_vain
from edge.flags.problem import COMMAND_LINE, DEFAULT, Problem, cut
from edge.flags.registry import DEFINITIONS, FlagValues, new_flags, value_of, without_secrets
from edge.flags.vhost_file import VhostFile

__all__ = ["PROGRAMS", "Parsed", "parse"]

# The second name lets a flagfile written for the reference server keep its sections.
PROGRAMS = ("edge", "media_server")
# -c, -t and -e as SRS has them.
_SHORT_NAMES = {
    **{"h": "helpshort", "?": "helpshort", "V": "version"},
    **{"c": "vhost_config", "t": "check", "e": "vhost_environment"},
}
# Nested files may name each other without a cycle and still be read 2**n times.
_MAX_FLAGFILES = 100
_READERS = frozenset({"flagfile", "save_flagfile", "fromenv", "tryfromenv", "undefok"})

assert _all_flags.AREAS, "importing it defines the flags"


@dataclass(slots=True)
class Parsed:
    """What the command line came to.

    Attributes:
        flags: every flag with its value in force.
        origins: flag name to ``command line``, ``file:line`` or ``environment FLAGS_x``; only flags that were set.
        problems: errors and warnings, in the order found.
        notes: what is no fault and to be known.
        flagfiles: the files read, as named.
        arguments: the words of the command line, to be read again.
        vhosts: what ``-vhost_config`` says; None without it. Whoever reads it puts it here.
    """

    flags: FlagValues
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    flagfiles: list[str] = field(default_factory=list)
    arguments: tuple[str, ...] = field(default=(), repr=False)  # may bear secrets
    vhosts: VhostFile | None = field(default=None, repr=False)

    def where(self, name: str) -> str:
        """Where the value of a flag came from."""
        return self.origins.get(name, DEFAULT)

    @property
    def has_errors(self) -> bool:
        """Whether the server must not start."""
        return any(not problem.is_warning for problem in self.problems)

    @property
    def not_acted_on(self) -> tuple[str, ...]:
        """The flags that were set and do nothing yet."""
        return used_in_vain(self.origins)


def parse(
    arguments: Sequence[str], *, environ: Mapping[str, str] | None = None, programs: Sequence[str] = PROGRAMS
) -> Parsed:
    """Read a command line without the program's name; never raises for what it says."""
    reader = _Reader(os.environ if environ is None else environ, programs)
    reader.read_arguments(arguments)
    parsed = reader.finish()
    parsed.arguments = tuple(arguments)
    return parsed


def may_have_vhosts(parsed: Parsed, environ: Mapping[str, str]) -> bool:
    """Whether files by vhost, or variables of SRS, are to be looked at."""
    names = ("vhost_config", "vhost_environment")
    return any(value_of(parsed.flags, name) for name in names) or any(name.startswith("SRS_") for name in environ)


class _Reader:
    """Reads one command line into one ``Parsed``."""

    def __init__(self, environ: Mapping[str, str], programs: Sequence[str]) -> None:
        self._environ = environ
        self._programs = programs
        self._parsed = Parsed(new_flags())
        self._open_files: list[str] = []
        self._undefok: set[str] = set()
        self._unknown: list[tuple[str, str]] = []
        self._unknown_lines: list[tuple[str, str, str]] = []

    def finish(self) -> Parsed:
        """Settle what depends on flags that may stand behind: -undefok, -strict_flagfile."""
        for where, name in self._unknown:
            if not self._undefok & {name, name.removeprefix("no")}:
                self._error(where, f"unknown flag -{cut(without_secrets(name))}{_nearest(name)}")
        is_lenient = not self._parsed.flags["strict_flagfile"].value
        for where, name, message in self._unknown_lines:
            if name not in self._undefok:
                self._parsed.problems.append(Problem(where, message, is_warning=is_lenient))
        return self._parsed

    def read_arguments(self, arguments: Sequence[str]) -> None:
        """Take the words of the command line in turn."""
        words = iter(arguments)
        for word in words:
            if word == "--":
                for rest in words:
                    self._ignored(rest)
                return
            if not word.startswith("-") or word == "-":
                self._ignored(word)
                continue
            name, has_value, value = _split(word)
            definition = DEFINITIONS.get(name)
            if definition is not None and definition.kind != "bool" and not has_value:
                next_word = next(words, None)
                if next_word is None:
                    self._error(COMMAND_LINE, f"flag -{name} is missing its value")
                    return
                has_value, value = True, next_word
            if not self._set(name, value if has_value else None, COMMAND_LINE):
                self._unknown.append((COMMAND_LINE, name))

    def _set(self, name: str, value: str | None, where: str) -> bool:
        """Give a flag its value, None for a bare bool; whether such a flag exists."""
        if name in DEFINITIONS:
            self._assign(name, "true" if value is None and DEFINITIONS[name].kind == "bool" else value, where)
            return True
        negated = name.removeprefix("no")
        if negated != name and negated in DEFINITIONS and DEFINITIONS[negated].kind == "bool":
            if value is None:
                self._assign(negated, "false", where)
            else:
                self._error(where, f"flag -{name} takes no value; write -{name} or -{negated}={value}")
            return True
        return False

    def _assign(self, name: str, value: str | None, where: str) -> None:
        if value is None:
            self._error(where, f"flag -{name} is missing its value")
            return
        flag = self._parsed.flags[name]
        try:
            flag.parse(value)
        except absl_flags.IllegalFlagValueError as error:
            cause = error.__context__ if error.__context__ is not None else error
            shown = "***" if DEFINITIONS[name].is_secret else cut(value)
            self._error(where, f"flag -{name}={shown}: {cause}")
            return
        flag.using_default_value = False
        self._parsed.origins[name] = where
        if name in _READERS:
            self._follow(name, value_of(self._parsed.flags, name), where)

    def _follow(self, name: str, value: str | Sequence[str], where: str) -> None:
        """Act on the flags that bring other flags, at their place in the order."""
        items = (value,) if isinstance(value, str) else value
        if name == "save_flagfile":
            if value and os.path.exists(items[0]):  # before the first save there is none
                self._read_flagfile(items[0], where)
            return
        if name == "undefok":
            self._undefok.update(item.lstrip("-").replace("-", "_") for item in items)
            return
        for item in items:
            if name == "flagfile":
                self._read_flagfile(item, where)
            else:
                self._read_environment(item.lstrip("-").replace("-", "_"), where, is_needed=name == "fromenv")

    def _read_environment(self, name: str, where: str, *, is_needed: bool) -> None:
        variable = f"FLAGS_{name}"
        if name in _READERS:
            self._error(where, f"flag -{name} cannot come from the environment")
        elif name not in DEFINITIONS:
            self._unknown.append((where, name))
        elif variable in self._environ:
            self._set(name, self._environ[variable], f"environment {variable}")
        elif is_needed:
            self._error(where, f"{variable} is not set in the environment")

    def _read_flagfile(self, path: str, where: str) -> None:
        identity = os.path.realpath(path)
        if identity in self._open_files:
            self._error(where, f"flagfile {path} includes itself")
            return
        if len(self._parsed.flagfiles) >= _MAX_FLAGFILES:
            self._error(where, f"flagfile {path}: more than {_MAX_FLAGFILES} flagfiles")
            return
        try:
            text = read_flagfile(path)
        except FlagfileError as error:
            place = f"{path}:{error.line}" if error.line else where
            self._error(place, f"flagfile {cut(path)}: {error}")
            return
        self._parsed.flagfiles.append(path)
        self._open_files.append(identity)
        for line in split_lines(text, self._programs):
            place = f"{path}:{line.number}"
            if line.is_flag:
                self._read_line(line.text, place)
            elif "=" in line.text or line.text.split()[0].replace("-", "_") in DEFINITIONS:
                shown = cut(without_secrets(line.text))
                message = f'"{shown}" is no flag: it is read as a section, and what follows is left out'
                self._unknown_lines.append((place, "", message))
        self._open_files.pop()

    def _read_line(self, line: str, where: str) -> None:
        name, has_value, value = _split(line)
        if has_value and value != value.rstrip():
            self._error(where, f"flag -{name}: the value ends with a blank")
        elif not self._set(name.rstrip(), value if has_value else None, where):
            self._report_unknown_line(name.rstrip(), where)

    def _report_unknown_line(self, name: str, where: str) -> None:
        first_word = name.partition(" ")[0]
        hint = '; write "=" before the value' if first_word in DEFINITIONS else _nearest(name)
        self._unknown_lines.append((where, first_word, f"unknown flag -{cut(without_secrets(name))}{hint}"))

    def _ignored(self, word: str) -> None:
        message = f'"{cut(without_secrets(word))}" is no flag and is ignored'
        self._parsed.problems.append(Problem(COMMAND_LINE, message, is_warning=True))

    def _error(self, where: str, message: str) -> None:
        self._parsed.problems.append(Problem(where, message))


def _split(word: str) -> tuple[str, bool, str]:
    """``-na-me=value`` as ``("na_me", True, "value")``."""
    name, equals, value = word.removeprefix("-").removeprefix("-").partition("=")
    return _SHORT_NAMES.get(name, name.replace("-", "_")), bool(equals), value


def _nearest(name: str) -> str:
    import difflib  # for mistakes only

    found = difflib.get_close_matches(name, DEFINITIONS, n=1) or difflib.get_close_matches(
        name.removeprefix("no"), DEFINITIONS, n=1
    )
    return f"; did you mean -{found[0]}?" if found else ""
