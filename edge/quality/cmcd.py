"""Reads Common Media Client Data: lists of keys and values in requests, headers and events (CTA-5004, CTA-5004-B).

``bl=3200,br=1500,bs,sid="6e2f"`` is a report of version 1. Version 2 has the dictionaries of Structured Fields (RFC
9651 §3.2): items may have parameters (``br=1500;v``), and several stand in brackets (``bl=(3200;v 4100;a)``). One
grammar reads both, and the keys of any case that version 1 allows. What nobody here asks for is read and left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

#: A bare item; of a dictionary's member a tuple where it is an inner list.
Item = str | float | bool
Value = Item | tuple[Item, ...]

# All from the space on but the two; said by what is left out, which compiles twenty times faster, at each start.
_STRING = r'"(?:[^\x00-\x1f"\\]|\\["\\])*+"'
_BARE = (
    rf"(?:{_STRING}|-?[0-9]{{1,15}}(?:\.[0-9]{{1,15}})?|\?[01]|@-?[0-9]{{1,15}}|:[A-Za-z0-9+/=]*:"
    r"|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*)"
)
_KEY = r"[A-Za-z*][A-Za-z0-9_.*-]*"
_PARAMETERS = rf"(?:;[ ]*{_KEY}(?:={_BARE})?)*+"
_INNER = rf"\([ ]*(?:{_BARE}{_PARAMETERS}[ ]*)*+\)"
_MEMBER = re.compile(
    rf"[ \t]*(?P<key>{_KEY})(?:=(?:(?P<bare>{_BARE})|(?P<inner>{_INNER})))?{_PARAMETERS}[ \t]*(?:,|\Z)"
)
_ITEM = re.compile(rf"(?P<bare>{_BARE}){_PARAMETERS}[ ]*")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_ESCAPED = re.compile(r'\\(["\\])')


class CmcdError(ValueError):
    """A report that cannot be read.

    Attributes:
        reason: a word for counting: ``too_long``, ``too_many_keys`` or ``bad_syntax``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def parse(text: str, *, max_bytes: int, max_keys: int) -> dict[str, Value]:
    """The keys and values of one report; of a key that stands twice the last value.

    Raises:
        CmcdError: it is too long, has too many keys, or is none.
    """
    if len(text) > max_bytes:
        raise CmcdError("too_long")
    found: dict[str, Value] = {}
    at, count = 0, 0
    while at < len(text):
        member = _MEMBER.match(text, at)
        if member is None:
            raise CmcdError("bad_syntax")
        count += 1
        if count > max_keys:
            raise CmcdError("too_many_keys")
        at = member.end()
        found[member["key"]] = _value_of(member)
    return found


def parse_body(
    body: bytes, *, max_lines: int, max_bytes: int, max_keys: int
) -> tuple[list[dict[str, Value]], list[str]]:
    """The reports of a body of ``application/cmcd``, one a line, and the reasons for which others were left out.

    Lines beyond ``max_lines`` are one reason; ``max_bytes`` and ``max_keys`` are of each line.
    """
    reports: list[dict[str, Value]] = []
    faults: list[str] = []
    lines = [line for line in body.replace(b"\r\n", b"\n").split(b"\n", max_lines + 1) if line.strip()]
    if len(lines) > max_lines:
        faults.append("too_many_lines")
    for line in lines[:max_lines]:
        try:
            if len(line) > max_bytes:
                raise CmcdError("too_long")
            reports.append(parse(line.decode(), max_bytes=max_bytes, max_keys=max_keys))
        except UnicodeDecodeError:
            faults.append("not_utf8")
        except CmcdError as error:
            faults.append(error.reason)
    return reports, faults


def _value_of(member: re.Match[str]) -> Value:
    if member["bare"] is not None:
        return _item_of(member["bare"])
    if member["inner"] is not None:
        inner = member["inner"][1:-1]
        return tuple(_item_of(item["bare"]) for item in _ITEM.finditer(inner))
    return True


def _item_of(text: str) -> Item:
    if text[0] == '"':
        return _ESCAPED.sub(r"\1", text[1:-1])
    if text[0] == "?":
        return text == "?1"
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text


def text_of(report: Mapping[str, Value], key: str, *, max_chars: int) -> str:
    """A string or token; "" where there is none of at most ``max_chars``."""
    value = report.get(key)
    return value if isinstance(value, str) and len(value) <= max_chars else ""


def number_of(report: Mapping[str, Value], key: str, *, most: float, takes_least: bool = False) -> float | None:
    """A number from 0 to ``most``; of an inner list the largest, or the least. None where there is none."""
    value = report.get(key)
    items = value if isinstance(value, tuple) else (value,)
    numbers = [
        item for item in items if isinstance(item, int | float) and not isinstance(item, bool) and 0 <= item <= most
    ]
    if not numbers:
        return None
    return min(numbers) if takes_least else max(numbers)


def is_set(report: Mapping[str, Value], key: str) -> bool:
    """Whether a boolean is true."""
    return report.get(key) is True
