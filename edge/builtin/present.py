"""Numbers and names as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

ABSENT = "-"
# One long name must not push the other columns of all rows out of sight; its own row gives way.
_MAX_WIDTH = 48


def duration(seconds: float | None) -> str:
    """Return ``3 d 4 h``, ``5 min 2 s`` and so on: the two largest units."""
    if seconds is None:
        return ABSENT
    rest = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def bit_rate(bits_per_s: float | None) -> str:
    """Return ``1.2 Mbit/s`` or ``64 kbit/s``."""
    if bits_per_s is None:
        return ABSENT
    if bits_per_s >= 1_000_000:
        return f"{bits_per_s / 1_000_000:.1f} Mbit/s"
    return f"{bits_per_s / 1000:.0f} kbit/s"


def cell(value: Any) -> str:
    """Return one value as text, items with blanks between; control characters are made visible: a row stays a line."""
    if value is None or value == "":
        return ABSENT
    if isinstance(value, list | tuple):
        return " ".join(map(cell, value)) or ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    return "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in str(value))


def moment(at_ms: int) -> str:
    """Return a Unix time in milliseconds as people read it: ``2026-11-30 09:15:02Z``."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def shorten(value: Any, width: int = _MAX_WIDTH) -> str:
    """Return ``cell(value)``, with its middle left out when it is longer than ``width``."""
    text = cell(value)
    if len(text) <= width:
        return text
    tail = (width - 3) // 2
    return f"{text[: width - 3 - tail]}...{text[-tail:]}"


def columns(rows: Sequence[Mapping[str, Any]], first: Sequence[str] = ()) -> list[str]:
    """Return the keys of all rows: those of ``first`` that occur, then the others as they come."""
    present = dict.fromkeys(key for row in rows for key in row)
    return [*(key for key in first if key in present), *(key for key in present if key not in first)]


def table(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """Return an aligned text table with a head line; "" without rows. A cell that is too wide shifts its row."""
    if not rows:
        return ""
    lines = [list(names), *([cell(row.get(name)) for name in names] for row in rows)]
    widths = [min(max(len(line[index]) for line in lines), _MAX_WIDTH) for index in range(len(names))]
    return "".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def pairs(values: Mapping[str, Any]) -> str:
    """Return one ``name: value`` line each."""
    return "".join(f"{cell(name)}: {cell(value)}\n" for name, value in values.items())
