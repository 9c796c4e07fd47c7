"""Reads ``-vhost_config``: files with what they include, and SRS's environment, into the flags of a command line.

It may take a while, so it is done in slices: in a thread beside a loop that serves, each leaves the others their turn.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from glob import glob, has_magic

from edge.conf.block import Given
from edge.conf.environment import CONFIG_FILE, from_environment, variables_in
from edge.conf.findings import Finding, Findings, Level
from edge.conf.grammar import MAX_FILE_BYTES, Directive, GrammarError, Parser, decode
from edge.conf.precedence import apply
from edge.conf.settings import DEFAULT_VHOST, Builder, Configuration, foreign_fault
from edge.conf.srs_names import ROOT, VHOST
from edge.flags.gflags import Parsed
from edge.flags.problem import COMMAND_LINE, Problem
from edge.flags.registry import DEFINITIONS, value_of
from edge.net.plain_file import UnreadableError, read_plain
from naming.url import without_secrets

_MAX_DEPTH = 8
_MAX_FILES = 1000
_MAX_TRIES = 4
_TRY_AGAIN_S = 0.05
_IN_VAIN = "SRS_* variables are read with -vhost_config or -e only: these are ignored"


class Slices:
    """Gives way between slices of work.

    Attributes:
        count: how often.
    """

    def __init__(self) -> None:
        self.count = 0

    def work(self, slices: Iterator[None]) -> None:
        """Do all of it."""
        for _ in slices:
            self.count += 1
            time.sleep(0)  # the interpreter's lock is free meanwhile


def with_vhosts(parsed: Parsed, environ: Mapping[str, str], slices: Slices | None = None) -> None:
    """Take into ``parsed`` what ``-vhost_config`` and the environment say, with what is wrong with it."""
    files = list(value_of(parsed.flags, "vhost_config"))
    is_by_environment = value_of(parsed.flags, "vhost_environment")
    if is_by_environment and not files and environ.get(CONFIG_FILE):
        files = [environ[CONFIG_FILE]]
    if not files and not is_by_environment:
        names = variables_in(environ)
        if names:
            parsed.notes.append(Problem("environment", f"{_IN_VAIN}: {', '.join(names)}", is_warning=True))
        return
    reader = _Reader(slices or Slices(), is_lenient=value_of(parsed.flags, "lenient_vhost_config"))
    directives = [each for file in files for each in reader.read(file, COMMAND_LINE)]
    if not files:
        directives = [Directive("vhost", (DEFAULT_VHOST,), "environment", 0, ())]
    environment = from_environment(environ, reader.findings)
    configuration = reader.build(directives, environment)
    notes = apply(configuration, parsed)
    _report(parsed, (*configuration.findings, *notes))


def _report(parsed: Parsed, findings: Iterable[Finding]) -> None:
    is_strict = value_of(parsed.flags, "strict_vhost_config")
    for each in findings:
        message = without_secrets(each.message)
        if each.level is Level.NOTE:
            parsed.notes.append(Problem(each.where, message, is_warning=True))
        else:
            is_warning = each.level is Level.WARNING and not is_strict
            parsed.problems.append(Problem(each.where, message, is_warning=is_warning))


class _Reader:
    """Reads files with those that they include."""

    def __init__(self, slices: Slices, *, is_lenient: bool) -> None:
        self.findings = Findings()
        self._slices, self._is_lenient = slices, is_lenient
        self._open: list[str] = []
        self._files: list[str] = []
        self._bytes = 0

    def build(self, directives: list[Directive], environment: Mapping[str, Given]) -> Configuration:
        """The configuration that they make."""
        builder = Builder(self.findings)
        self._slices.work(builder.slices(directives, environment))
        return replace(builder.result, files=tuple(self._files))

    def read(self, file: str, where: str) -> list[Directive]:
        """What stands in a file, what it includes in its place; ``where`` it is named."""
        identity = os.path.realpath(file)
        if identity in self._open:
            self.findings.error(where, f"{file} includes itself")
            return []
        if len(self._open) > _MAX_DEPTH:
            self.findings.error(where, f"{file}: files are included more than {_MAX_DEPTH} deep")
            return []
        if len(self._files) >= _MAX_FILES:
            self.findings.error(where, f"{file}: more than {_MAX_FILES} files")
            return []
        try:
            data, mode = _read(file)
            self._bytes += len(data)
            if self._bytes > MAX_FILE_BYTES:
                raise GrammarError(file, f"all files together are larger than {MAX_FILE_BYTES} bytes")
            text = decode(data, file)
            fault = foreign_fault(text, file)
            if fault is not None:
                raise fault
            parser = Parser(text, file, is_lenient=self._is_lenient)
            self._slices.work(parser.slices())
        except UnreadableError as error:
            self.findings.error(where, f"-vhost_config={file}: {error}")
            return []
        except GrammarError as error:
            self.findings.error(error.where, error.message)
            return []
        for place, message in parser.warnings:
            self.findings.warning(place, message)
        self._files.append(file)
        if mode & stat.S_IROTH and (secret := _secret_in(parser.directives)) is not None:
            self.findings.warning(secret.where, f"{secret.name} is a secret, and everybody may read {file}")
        self._open.append(identity)
        expanded = self._expanded(parser.directives, file)
        self._open.pop()
        return expanded

    def _expanded(self, directives: Iterable[Directive], file: str) -> list[Directive]:
        """The same with what is included."""
        found: list[Directive] = []
        for each in directives:
            if each.name == "include" and each.block is None:
                for path in self._included(each, file):
                    found += self.read(path, each.where)
            elif each.block is not None and _has_include(each.block):
                found.append(replace(each, block=tuple(self._expanded(each.block, file))))
            else:
                found.append(each)
        return found

    def _included(self, directive: Directive, file: str) -> Iterator[str]:
        """Paths that are named, relative to the file that names them or to the working directory."""
        if not directive.args:
            self.findings.error(directive.where, "include takes names of files")
        for said in directive.args:
            beside = os.path.join(os.path.dirname(file), said)
            if has_magic(said):
                paths = sorted(glob(beside)) or sorted(glob(said))
                if not paths:
                    self.findings.warning(directive.where, f"include {said}: there is no such file")
                yield from paths
            else:
                yield beside if os.path.exists(beside) or not os.path.exists(said) else said


def _has_include(directives: Iterable[Directive]) -> bool:
    return any(each.name == "include" or (each.block is not None and _has_include(each.block)) for each in directives)


def _read(file: str) -> tuple[bytes, int]:
    """All of a file with its mode; one that is written meanwhile is read again, a few times."""
    for _ in range(_MAX_TRIES):
        data, before = read_plain(file, MAX_FILE_BYTES)
        try:
            after = os.stat(file)
        except OSError as error:
            raise UnreadableError(error.strerror or str(error)) from error
        if _identity(before) == _identity(after) and len(data) == after.st_size:
            return data, after.st_mode
        time.sleep(_TRY_AGAIN_S)
    raise UnreadableError("it is written all the time")


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


_SECRETS = frozenset(each.name for each in (*ROOT, *VHOST) if each.is_secret) | frozenset(
    name for name, definition in DEFINITIONS.items() if definition.is_secret
)


def _secret_in(directives: Iterable[Directive]) -> Directive | None:
    """The first directive whose value nobody is to see."""
    for each in directives:
        if each.block is None and each.name in _SECRETS and each.args:
            return each
        if each.block is not None and (found := _secret_in(each.block)) is not None:
            return found
    return None
