"""JSON of the data of a page in pieces, one per record, so that a page of many streams is made in slices."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any

from edge.facts.rows import items_of, names_of, plain

#: A sequence or mapping of more is made item by item.
_MANY = 50


def json_pieces(data: Any) -> Iterator[str]:
    """Yield ``data`` as ``json.dumps(row_of(data), indent=1)`` has it, and the end of its line."""
    yield from _pieces(data, "\n")
    yield "\n"


def _pieces(value: Any, line: str) -> Iterator[str]:
    """``line``: the beginning of a line of what surrounds ``value``."""
    if not _is_much(value):
        yield json.dumps(plain(value), ensure_ascii=False, default=str, indent=1).replace("\n", line)
        return
    inner = f"{line} "
    if isinstance(value, list | tuple):
        yield "["
        for number, item in enumerate(value):
            yield f",{inner}" if number else inner
            yield from _pieces(item, inner)
        yield f"{line}]"
        return
    yield "{"
    for number, (name, item) in enumerate(_items(value)):
        yield f"{',' if number else ''}{inner}{json.dumps(name, ensure_ascii=False)}: "
        yield from _pieces(item, inner)
    yield f"{line}}}"


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((str(name), item) for name, item in value.items())
    else:
        yield from items_of(value)


def _is_much(value: Any) -> bool:
    if isinstance(value, Mapping):
        return len(value) > _MANY or any(map(_is_much, value.values()))
    if isinstance(value, list | tuple):
        return len(value) > _MANY or any(map(_is_much, value))
    if is_dataclass(value):
        return any(_is_much(getattr(value, name)) for name, _ in names_of(type(value)))
    return False
