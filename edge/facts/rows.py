"""Records as rows: what JSON and tables of text are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from edge.facts.merging import About

#: One value in a table.
Cell = str | int | float | bool | None


_NAMES: dict[type, tuple[tuple[str, bool], ...]] = {}


def names_of(kind: type) -> tuple[tuple[str, bool], ...]:
    """The fields of a dataclass, each with whether it is rare."""
    if kind not in _NAMES:
        _NAMES[kind] = _read_names(kind)
    return _NAMES[kind]


def _read_names(kind: type) -> tuple[tuple[str, bool], ...]:
    rare = {
        name
        for name, hint in get_type_hints(kind, include_extras=True).items()
        for word in get_args(hint)[1:]
        if isinstance(word, About) and word.is_rare
    }
    return tuple((field.name, field.name in rare) for field in fields(kind))


def items_of(record: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a dataclass as they are, by name; rare ones that are None are left out."""
    for name, is_rare in names_of(type(record)):
        value = getattr(record, name)
        if value is not None or not is_rare:
            yield name, value


def row_of(record: Any) -> dict[str, Any]:
    """The same as a row: records within are rows too."""
    return {name: plain(value) for name, value in items_of(record)}


def rows_of(records: Iterable[Any]) -> list[dict[str, Any]]:
    """One row for each."""
    return [row_of(record) for record in records]


def plain(value: Any) -> Any:
    """Return ``value`` as what JSON is made of, as far as it consists of records, mappings and sequences."""
    if is_dataclass(value) and not isinstance(value, type):
        return row_of(value)
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
