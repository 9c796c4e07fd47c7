"""Writes the reference of all flags: ``python -m edge.flags.document > docs/flags.md``."""

from __future__ import annotations

import sys

from edge.flags import all as all_flags
from edge.flags.not_acted_on import NOT_ACTED_ON
from edge.flags.registry import DEFINITIONS, TOPICS, Definition

_HEAD = """\
# Flags

This page is generated: `python -m edge.flags.document > docs/flags.md`.

A flag is written `-name=value`, `--name=value` or `-name value`; a bool also `-name` and `-noname`. A dash in a name
counts as an underscore, and the last of several wins. `-flagfile=FILE` reads flags from a file, one per line, with
`#` and `//` comments. `edge -check` with the same flags says whether a server would start.

*Live* marks the values that act at once when they change while the server runs; *new* those that act on what comes from
then on, such as connections and plays. All others are read at start. Flags marked *accepted* keep flagfiles working and
do nothing yet; setting one is reported at start.
"""


def render() -> str:
    """The whole page."""
    assert all_flags.AREAS, "importing it defines the flags"
    parts = [_HEAD]
    for topic, title in TOPICS.items():
        rows = [_row(each) for each in DEFINITIONS.values() if each.topic == topic]
        parts.append(f"\n## {title}\n\n| flag | type | default | unit | meaning |\n|---|---|---|---|---|\n")
        parts.extend(rows)
    return "".join(parts)


def _row(definition: Definition) -> str:
    notes = []
    if definition.range_text:
        notes.append(f"Accepts {definition.range_text}.")
    if definition.is_zero_off:
        notes.append("0 switches it off.")
    if definition.is_reloadable:
        notes.append(f"*{definition.reload.value.capitalize()}.*")
    if definition.is_secret:
        notes.append("Shown nowhere.")
    if definition.name in NOT_ACTED_ON:
        notes.append("*Accepted.*")
    meaning = _cell(" ".join([definition.help, *notes]))
    default = f"`{_cell(definition.default_text)}`" if definition.default_text else "empty"
    return f"| `{definition.name}` | {definition.kind} | {default} | {definition.unit} | {meaning} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render())
