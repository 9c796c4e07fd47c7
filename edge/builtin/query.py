"""What the query of a request for a page asks."""

from __future__ import annotations

import math
from urllib.parse import parse_qsl

from edge.builtin.page import Visit
from edge.errors import EdgeError
from edge.httpd.routes import MAX_QUERY_PARAMETERS


class BadQueryError(EdgeError):
    """A parameter of no use; answer 400."""

    reason = "bad_query"


def arguments(visit: Visit) -> dict[str, str]:
    """The parameters, the last of several of one name; the target has been parsed before, so that this cannot fail."""
    return dict(parse_qsl(visit.query, keep_blank_values=True, max_num_fields=MAX_QUERY_PARAMETERS))


def positive_number(asked: dict[str, str], name: str, *, default: float, most: float) -> float:
    """The value of ``name``, ``most`` where it is more; raises ``BadQueryError`` for none, and for 0 and below."""
    text = asked.get(name)
    if text is None:
        return min(default, most)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value > 0 or math.isinf(value) or not text.isascii() or "_" in text:
        raise BadQueryError(f"{name} must be a number above 0")
    return min(value, most)


def whole_number(asked: dict[str, str], name: str, *, default: int, least: int, most: int) -> int:
    """The same for whole numbers, moved into the range; raises ``BadQueryError`` for what is none."""
    text = asked.get(name)
    if text is None:
        return default
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        raise BadQueryError(f"{name} must be a whole number")
    return min(max(int(text), least), most)
