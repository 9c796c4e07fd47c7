"""``/pprof/*``: profiles as files for ``go tool pprof``, speedscope and others that read profile.proto."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from edge.builtin.hotspots import FAULTS, profile_for, refusal_of
from edge.builtin.page import Attachment, Page, PageContext, Visit, register
from edge.flags import registry
from edge.net.aio import call_in_thread
from edge.profiling.pprof import compressed
from edge.profiling.stacks import CONTENTION, CPU, GROWTH, HEAP, Kind
from naming.url import without_secrets


@dataclass(frozen=True, slots=True)
class PprofData:
    """A profile by its name and size in bytes, or the ``error`` with its ``status``."""

    name: str = ""
    size_bytes: int = 0
    error: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class PprofFile(PprofData):
    """The same with the file itself, which is in no view."""

    body: bytes = b""


@dataclass(frozen=True, slots=True)
class TextData:
    """A few lines for the tool."""

    lines: tuple[str, ...]


def attachment(data: PprofData) -> Attachment | None:
    """The file."""
    if not isinstance(data, PprofFile):
        return None
    return Attachment(data.body, "application/octet-stream", f"{data.name}.pb.gz")


def _profile_page(path: str, title: str, kind: Kind, *, needs_seconds: bool) -> Page[PprofData]:
    async def collect(context: PageContext, visit: Visit) -> PprofData:
        try:
            profile = await profile_for(context, visit, kind, needs_seconds=needs_seconds)
        except FAULTS as error:
            status, text = refusal_of(error)
            # Of a profiler that is not there brpc says 404 here, and the tool knows that.
            return PprofData(error=text, status=404 if status == 403 else status)
        body = await call_in_thread(lambda: compressed(profile), name="profile-file")
        return PprofFile(profile.name, len(body), body=body)

    return register(
        Page(
            path,
            title,
            collect,
            lambda data: f"{data.error}\n",
            status=lambda data: data.status,
            is_listed=False,
            changes=lambda _visit: True,
            attachment=attachment,
        )
    )


def command_line(words: Iterable[str]) -> tuple[str, ...]:
    """The words of a command line without what is secret: values of secret flags, and tokens in URLs."""
    found, is_value = [], False
    for word in words:
        name = word.lstrip("-").partition("=")[0].replace("-", "_")
        definition = registry.DEFINITIONS.get(name) if word.startswith("-") else None
        is_secret = definition is not None and definition.is_secret
        if is_value:
            found.append("***")
        elif is_secret and "=" in word:
            found.append(f"{word.partition('=')[0]}=***")
        else:
            found.append(without_secrets(word))
        is_value = is_secret and "=" not in word and not is_value
    return tuple(found)


async def _collect_command_line(_context: PageContext, _visit: Visit) -> TextData:
    return TextData(command_line(sys.orig_argv))


async def _collect_symbols(_context: PageContext, _visit: Visit) -> TextData:
    """None: names stand in the profiles themselves, so that the tool need not ask."""
    return TextData(("num_symbols: 0",))


def _text(data: TextData) -> str:
    return "".join(f"{line}\n" for line in data.lines)


PROFILE = _profile_page("/pprof/profile", "CPU profile as a file", CPU, needs_seconds=True)
LAG = _profile_page("/pprof/contention", "Loop lag as a file", CONTENTION, needs_seconds=True)
HEAP_FILE = _profile_page("/pprof/heap", "Memory as a file", HEAP, needs_seconds=False)
GROWTH_FILE = _profile_page("/pprof/growth", "Growth of memory as a file", GROWTH, needs_seconds=False)
COMMAND_LINE = register(Page("/pprof/cmdline", "Command line", _collect_command_line, _text, is_listed=False))
SYMBOL = register(Page("/pprof/symbol", "Symbols for pprof", _collect_symbols, _text, is_listed=False))
