"""Writes the tables of fields into a page of the documentation: ``python -m edge.facts.fields docs/pages.md``.

A table stands between ``<!-- fields of StreamFacts -->`` and ``<!-- end of fields -->``.
"""

from __future__ import annotations

import re
import sys
from dataclasses import is_dataclass
from pathlib import Path

from edge.facts import records
from edge.facts.merging import about

_TABLE = re.compile(r"(?P<begin><!-- fields of (?P<name>\w+) -->\n).*?(?P<end><!-- end of fields -->\n)", re.DOTALL)
_HEAD = "| field | is |\n|---|---|\n"


def render(page: str) -> str:
    """Return ``page`` with all of its tables made anew; raises ValueError for a record that is not there."""
    return _TABLE.sub(lambda found: f"{found['begin']}{table(found['name'])}{found['end']}", page)


def table(name: str) -> str:
    """The table of the fields of one record; raises ValueError when there is no such record."""
    kind = getattr(records, name, None)
    if not (isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == records.__name__):
        raise ValueError(f"there is no record {name}")
    return _HEAD + "".join(
        f"| `{field}` | {_cell(known.text)}{'; only where there is something to say' if known.is_rare else ''} |\n"
        for field, known in about(kind).items()
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(render(file.read_text(encoding="utf-8")), encoding="utf-8")
