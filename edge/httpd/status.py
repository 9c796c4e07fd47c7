"""How refusals of plays are said in HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from edge.service.overload import RETRY_AFTER_S
from edge.service.refusal import Reason, Refusal

#: What is true of a live stream now may be wrong the next moment.
NEVER_CACHED = {"Cache-Control": "no-store"}
#: Header with the number by which media-server's clients know an error.
ERROR_CODE = "x-bd-error-code"
_STREAM_NOT_FOUND = "NetStream.Play.StreamNotFound"


class Status(NamedTuple):
    """An HTTP status, and media-server's number of the error."""

    status: int
    code: int


_NOT_FOUND = Status(404, 1002)
_OF_PLAY: Mapping[Reason, Status] = {
    Reason.BAD_NAME: Status(400, 1003),
    Reason.NO_VHOST: _NOT_FOUND,
    Reason.NOT_FOUND: _NOT_FOUND,
    Reason.OVERLOAD: Status(503, 2004),
    Reason.OVERLOADED: Status(503, 2004),
    Reason.LOOP: Status(508, -1),
    Reason.UPSTREAM: Status(403, 1),
    Reason.UNREACHABLE: Status(502, -1),
    Reason.SILENT: Status(504, 1008),
    Reason.FORBIDDEN: Status(403, 1),
    Reason.RULE_FAILED: Status(500, -1),
}


def play_status(refusal: Refusal) -> Status:
    """What a player is answered; that an upstream does not have the stream is no refusal of this player."""
    if refusal.code == _STREAM_NOT_FOUND:
        return _NOT_FOUND
    return _OF_PLAY.get(refusal.reason, _NOT_FOUND)


def retry_after(refusal: Refusal) -> dict[str, str]:
    """When it may be asked again, where that is known (RFC 9110 §10.2.3)."""
    return {"Retry-After": str(RETRY_AFTER_S)} if refusal.reason is Reason.OVERLOADED else {}


def words(text: str) -> str:
    """``text``, which an upstream may have written in bytes that are no UTF-8, as the body of an answer."""
    return text.encode("utf-8", "replace").decode() + "\n"


def refuse_play(refusal: Refusal) -> web.Response:
    """The answer with its reason."""
    status, code = play_status(refusal)
    headers = {**NEVER_CACHED, ERROR_CODE: str(code), **retry_after(refusal)}
    return web.Response(status=status, text=words(refusal.detail), headers=headers)
