"""Writes the tables of directives into a page of the documentation: ``python -m edge.conf.document docs/vhosts.md``.

A table stands between ``<!-- directives of NAME -->`` and ``<!-- end of directives -->``: ``root`` and ``vhost`` have
SRS's, ``flags`` those flags that may stand in a vhost.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from edge.conf.srs_names import ROOT, VHOST, Effect, Name, Takes
from edge.conf.values import is_offered
from edge.flags import all as all_flags
from edge.flags.classes import Scope
from edge.flags.registry import DEFINITIONS, TOPICS, Definition

_TABLE = re.compile(
    r"(?P<begin><!-- directives of (?P<name>\w+) -->\n).*?(?P<end><!-- end of directives -->\n)", re.DOTALL
)
_EFFECTS = {
    Effect.NOTED: "no effect, noted",
    Effect.HOST: "no effect, noted: about processes and hosts",
    Effect.LESS: "**warning**",
    Effect.MORE: "**error**",
}


def render(page: str) -> str:
    """Return ``page`` with all of its tables made anew; raises KeyError for one that is not there."""
    assert all_flags.AREAS, "importing it defines the flags"
    return _TABLE.sub(_made, page)


def _made(found: re.Match[str]) -> str:
    return f"{found['begin']}{_TABLES[found['name']]()}{found['end']}"


def _directives(names: tuple[Name, ...]) -> str:
    """A row for each directive; those without effect of one section share a row."""
    lines = ["| directive | takes | here |\n|---|---|---|\n"]
    silent: dict[tuple[str, str], list[str]] = {}
    for row in names:
        section = row.path.rpartition("/")[0]
        if row.name == "enabled" and section:
            continue
        said = _said(row)
        if said in (_EFFECTS[Effect.NOTED], _EFFECTS[Effect.HOST]) and row.takes is not Takes.BLOCK:
            silent.setdefault((section, said), []).append(row.name)
        else:
            lines.append(f"| `{row.path.replace('/', ' / ')}` | {_takes(row)} | {said} |\n")
    for (section, said), found in silent.items():
        place = f"`{section.replace('/', ' / ')}`: " if section else ""
        lines.append(f"| {place}{', '.join(f'`{name}`' for name in found)} | | {said} |\n")
    return "".join(lines)


def _takes(row: Name) -> str:
    if row.takes is not Takes.BLOCK:
        return str(row.takes.value)
    return f"block, {row.default} unless `enabled` says otherwise" if row.default else "block"


def _said(row: Name) -> str:
    """What comes of it, by the flags that there are."""
    if is_offered(row):
        return f"`-{row.flag}`" if not row.how else f"`-{row.flag}` ([more](#directives-that-are-more-than-a-value))"
    if row.how and not row.flag:
        return "[more](#directives-that-are-more-than-a-value)"
    if row.takes is Takes.BLOCK and not row.flag and row.effect is Effect.NOTED:
        return "no effect, noted" if row.is_opaque else "what stands in it"
    says = f": {row.says}" if row.says else ""
    unless = f"; not for `{'`, `'.join(row.harmless)}`" if row.harmless else ""
    return f"{_EFFECTS[row.effect]}{says}{unless}".replace("|", "\\|")


def _flags() -> str:
    """The flags that may stand in a vhost, by area."""
    lines = ["| area | flags |\n|---|---|\n"]
    for topic, title in TOPICS.items():
        found = [_flag(each) for each in DEFINITIONS.values() if each.topic == topic and each.scope is Scope.VHOST]
        if found:
            lines.append(f"| {title} | {', '.join(found)} |\n")
    return "".join(lines)


def _flag(definition: Definition) -> str:
    return f"`{definition.name}`"


_TABLES: dict[str, Callable[[], str]] = {
    "root": lambda: _directives(ROOT),
    "vhost": lambda: _directives(VHOST),
    "flags": _flags,
}


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(render(file.read_text(encoding="utf-8")), encoding="utf-8")
