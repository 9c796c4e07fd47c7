"""What a callback's answer means, read as strictly as SRS's own servers write it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from edge.service.refusal import Refusal, clean_words

#: Longest life and greatest rate that make sense; beyond them an answer is none.
_MAX_NUMBER = 1 << 31
_YES_STATUS = (200, 201)
_NO_STATUS = (401, 403, 404)


class Yes(NamedTuple):
    """The client may.

    Attributes:
        stream, app: the name to go on under, "" for that which was asked for.
        lifetime_s: how long, 0 for ever.
        max_kbps: most that a publisher may send, 0 for what the flags say.
        urls: where to forward the stream to.
    """

    stream: str = ""
    app: str = ""
    lifetime_s: int = 0
    max_kbps: int = 0
    urls: tuple[str, ...] = ()

    def and_then(self, other: Yes) -> Yes:
        """Both; of what both say the later counts, and of the limits the lesser."""
        return Yes(
            other.stream or self.stream,
            other.app or self.app,
            _lesser(self.lifetime_s, other.lifetime_s),
            _lesser(self.max_kbps, other.max_kbps),
            (*self.urls, *other.urls),
        )


class No(NamedTuple):
    """The client may not; ``reason`` is for it, cleaned, "" for none, and ``why`` for the log.

    ``refusal``: what it is told in place of that, where it is known; who calls servers never knows it.
    """

    reason: str = ""
    why: str = ""
    refusal: Refusal | None = None


class Unusable(NamedTuple):
    """Nobody has said anything that counts.

    Attributes:
        why: for the log.
        is_said: the server has answered all the same, with what is no answer to this question.
    """

    why: str
    is_said: bool = False


Answer = Yes | No | Unusable


def _lesser(one: int, other: int) -> int:
    return min(one, other) if one and other else one or other


def clean_reason(text: object) -> str:
    """What of a hook's words a client may be told; nothing of what is no text."""
    return clean_words(text) if isinstance(text, str) else ""


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object; that a name stands in it twice makes it none, for who counts the first differs from us."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:32]!r} twice")
        found[name] = value
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _parse(body: bytes) -> Any:
    """Raises ValueError or RecursionError for what is no JSON in UTF-8."""
    return json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)


def read_srs(status: int, body: bytes) -> Answer:
    """An answer in SRS's form: 200 or 201, and ``0`` or an object whose ``code`` is the integer 0."""
    if status in _NO_STATUS:
        return No(_reason_of(body), f"status {status}")
    if status not in _YES_STATUS:
        return Unusable(f"status {status}")
    try:
        found = _parse(body)
    except (ValueError, RecursionError) as error:
        return Unusable("the body is empty" if not body.strip() else f"the body is no JSON: {str(error)[:60]}")
    if found == "0":
        return Yes()
    code, data = (found.get("code"), found.get("data")) if isinstance(found, dict) else (found, None)
    if type(code) is not int:
        return Unusable("no integer code")
    if code:
        return No(clean_reason(data.get("reason")) if isinstance(data, dict) else "", f"code {code}")
    return Yes() if data is None else _read_data(data)


def _reason_of(body: bytes) -> str:
    try:
        found = _parse(body)
    except (ValueError, RecursionError):
        return ""
    data = found.get("data") if isinstance(found, dict) else None
    return clean_reason(data.get("reason")) if isinstance(data, dict) else ""


def _read_data(data: object) -> Answer:
    """What a yes says besides; with what makes no sense in it, it is none: half of it might be too much."""
    if not isinstance(data, dict):
        return Unusable("data is no object") if data not in ("", []) else Yes()
    stream, app, urls = data.get("stream", ""), data.get("app", ""), data.get("urls", [])
    if not (isinstance(stream, str) and isinstance(app, str)):
        return Unusable("data.stream or data.app is no text")
    if urls is None:
        urls = []
    if not (isinstance(urls, list) and all(isinstance(url, str) for url in urls)):
        return Unusable("data.urls is no list of texts")
    lifetime_s, max_kbps = data.get("lifetime_s", 0), data.get("max_kbps", 0)
    if not all(type(number) is int and 0 <= number < _MAX_NUMBER for number in (lifetime_s, max_kbps)):
        return Unusable("data.lifetime_s or data.max_kbps is no number that makes sense")
    return Yes(stream, app, lifetime_s, max_kbps, tuple(urls))


def read_status(status: int) -> Answer:
    """An answer whose status alone counts."""
    if 200 <= status < 300:
        return Yes()
    if 400 <= status < 500:
        return No(why=f"status {status}")
    return Unusable(f"status {status}")
