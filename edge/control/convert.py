"""Records of the server as messages: fields of the same names, which a test holds equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from google.protobuf.message import Message

from edge.facts.rows import row_of
from edge.net.slices import in_slices

Made = TypeVar("Made", bound=Message)


def message_of(kind: type[Made], record: Any) -> Made:
    """A dataclass as a message; what is None in it stays unset, and what the message has no field for is left out."""
    row = row_of(record)
    try:
        made: Made = kind(**_known(kind.DESCRIPTOR, row))
    except UnicodeEncodeError:  # a name that a client sent is no text
        made = kind(**_known(kind.DESCRIPTOR, _as_text(row)))
    return made


def _as_text(value: Any) -> Any:
    """The same, with bytes that are no UTF-8 written as ``\\udcXX``."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _as_text(item) for name, item in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, list) else value


def _known(descriptor: Any, row: dict[str, Any]) -> dict[str, Any]:
    """What of a row a message has fields for, and so on within."""
    fields = descriptor.fields_by_name
    return {name: _fitting(fields[name], value) for name, value in row.items() if value is not None and name in fields}


def _fitting(field: Any, value: Any) -> Any:
    if field.message_type is None:
        return value
    if isinstance(value, list):
        return [_known(field.message_type, item) for item in value]
    return _known(field.message_type, value)


async def messages_of(kind: type[Made], records: Sequence[Any]) -> list[Made]:
    """One for each; others have their turn meanwhile."""
    return [message_of(kind, record) async for record in in_slices(records)]


def plain_of(message: Message) -> dict[str, Any]:
    """A message as what JSON is made of: all fields by name, None for those that are unset and may be."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.is_repeated:
            found[field.name] = [_plain(item) for item in value]
        elif field.has_presence and not message.HasField(field.name):
            found[field.name] = None
        elif field.enum_type is not None:
            found[field.name] = field.enum_type.values_by_number[value].name
        else:
            found[field.name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    return plain_of(value) if isinstance(value, Message) else value
