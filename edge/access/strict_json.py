"""JSON of strangers (RFC 8259), read so that two programs on the way cannot read it differently, and in bounds.

A name that stands twice in an object is no mistake to be mended, but a fault; so are numbers that no clock and no
counter has, and what is nested deeper than anything that is meant.
"""

from __future__ import annotations

import json
import re
from typing import Any

MAX_DEPTH = 8
MAX_DIGITS = 20
# A string, and so is one that never ends: looked for from each of its quotes, it would take the square of its length.
_STRING = re.compile(r'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")
_INNERMOST = re.compile(r"\[\]|\{\}")


def parse(text: str | bytes) -> Any:
    """The value that ``text`` is; raises ValueError, whose text says why and quotes nothing."""
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            raise ValueError("it is no text in UTF-8") from None
    if not _is_shallow(text):
        raise ValueError(f"it is no JSON, or nested more than {MAX_DEPTH} deep")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise ValueError("it is no JSON") from None


def parse_object(text: str | bytes) -> dict[str, Any]:
    """The same where it has to be an object."""
    found = parse(text)
    if not isinstance(found, dict):
        raise ValueError("it is no object of JSON")
    return found


def _is_shallow(text: str) -> bool:
    """Whether all brackets have their ends, and none stands in too many others: level by level, from within."""
    brackets = _NO_BRACKETS.sub("", _STRING.sub("", text))
    for _ in range(MAX_DEPTH):
        brackets, count = _INNERMOST.subn("", brackets)
        if not count:
            break
    return not brackets


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands in it twice")
    return found


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(text)


def _constant(_: str) -> Any:
    raise ValueError("a number is none")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)
