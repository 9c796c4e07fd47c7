"""How the records of several processes become those of one server: each field says by which rule.

A field is annotated with :class:`About`: what it is, for the documentation, and its rule. Fields whose rule is
``IDENTITY`` tell which records are of the same thing; the other rules make one value of those that the processes
have of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

#: Makes one value of those that several processes have, the most important process first.
Rule = Callable[[Sequence[Any]], Any]

Record = TypeVar("Record")


def first(values: Sequence[Any]) -> Any:
    """That of the most important process."""
    return values[0]


def first_said(values: Sequence[Any]) -> Any:
    """The first that says anything."""
    return next((value for value in values if value not in (None, "", ())), values[0])


def first_known(values: Sequence[Any]) -> Any:
    """The first that is not None: fields that are known together stay those of one process."""
    return next((value for value in values if value is not None), None)


def total(values: Sequence[Any]) -> Any:
    """All together; None where no process knows."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def largest(values: Sequence[Any]) -> Any:
    """The largest; None where no process knows."""
    return max((value for value in values if value is not None), default=None)


def smallest(values: Sequence[Any]) -> Any:
    """The smallest; None where no process knows."""
    return min((value for value in values if value is not None), default=None)


def joined(values: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """All items, each once, in the order of the processes."""
    return tuple(dict.fromkeys(item for value in values for item in value))


def identity(values: Sequence[Any]) -> Any:
    """Equal by definition: records of the same thing have the same."""
    return values[0]


def one_of(values: Sequence[Any]) -> Any:
    """Records within a record become one by their own rules."""
    (record,) = merge([value] for value in values)
    return record


def known_as_one(values: Sequence[Any]) -> Any:
    """As ``one_of``, of records that not all processes have; None where none has one."""
    known = [value for value in values if value is not None]
    return one_of(known) if known else None


@dataclass(frozen=True, slots=True)
class About:
    """What a field is.

    Attributes:
        text: for the documentation, a phrase that goes on from the field's name.
        rule: makes one value of those of several processes.
        is_rare: most records have nothing to say in it, and then it is None.
    """

    text: str
    rule: Rule = first
    is_rare: bool = False


_ABOUT: dict[type, dict[str, About]] = {}


def about(record_type: type) -> dict[str, About]:
    """What is said of each field; raises TypeError for one of which nothing is said."""
    if record_type not in _ABOUT:
        _ABOUT[record_type] = _read_about(record_type)
    return _ABOUT[record_type]


def _read_about(record_type: type) -> dict[str, About]:
    found: dict[str, About] = {}
    for name, hint in get_type_hints(record_type, include_extras=True).items():
        words = (
            [each for each in get_args(hint)[1:] if isinstance(each, About)] if get_origin(hint) is Annotated else []
        )
        if not words:
            raise TypeError(f"{record_type.__name__}.{name} says nothing about itself")
        found[name] = words[0]
    return found


def merge(processes: Iterable[Iterable[Record]]) -> list[Record]:
    """Make the records of one server of those of its processes, the most important process first.

    Records without a field of ``identity`` are all of one thing.
    """
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for records in processes:
        for record in records:
            known = about(type(record))
            same = tuple(getattr(record, name) for name, each in known.items() if each.rule is identity)
            groups.setdefault((type(record), *same), []).append(record)
    return [_merged(group) for group in groups.values()]


def _merged(group: list[Record]) -> Record:
    if len(group) == 1:
        return group[0]
    kind = type(group[0])
    known = about(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: known[name].rule([getattr(record, name) for record in group]) for name in names})
