"""How refusals of plays are said in HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from edge.service.overload import RETRY_AFTER_S
from edge.service.refusal import WORDS, Reason, Refusal

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
#: Denied by a rule: no credential, or another page, would help at once but those of a login.
_DENIED = Status(403, 1)
_OF_PLAY: Mapping[Reason, Status] = {
    **dict.fromkeys(WORDS, _DENIED),
    Reason.LOGIN_MISSING: Status(401, 1),
    Reason.LOGIN_INVALID: Status(401, 1),
    Reason.GUESSING: Status(429, 1),
    Reason.HOOK_UNAVAILABLE: Status(503, 2004),
    Reason.KEYS_MISSING: Status(503, 2004),
    Reason.ASK_UNANSWERED: Status(503, 2004),
    Reason.LIMIT: Status(503, 2004),
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


#: When to ask again, in seconds, where the refusal does not say it itself.
_RETRY_AFTER_S: Mapping[Reason, int] = {
    Reason.OVERLOADED: RETRY_AFTER_S,
    Reason.HOOK_UNAVAILABLE: 2,
    Reason.KEYS_MISSING: 10,
    Reason.ASK_UNANSWERED: 2,
    Reason.LIMIT: 10,
    Reason.GUESSING: 60,
}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="edge", charset="UTF-8"'}


def play_status(refusal: Refusal) -> Status:
    """What a player is answered; that an upstream does not have the stream is no refusal of this player."""
    if refusal.code == _STREAM_NOT_FOUND:
        return _NOT_FOUND
    return _OF_PLAY.get(refusal.reason, _NOT_FOUND)


def retry_after(refusal: Refusal) -> dict[str, str]:
    """When it may be asked again, where that is known (RFC 9110 §10.2.3)."""
    seconds = refusal.retry_after_s or _RETRY_AFTER_S.get(refusal.reason, 0)
    return {"Retry-After": str(seconds)} if seconds else {}


def challenge(refusal: Refusal) -> dict[str, str]:
    """How to log in, where that is asked for (RFC 9110 §11.6.1)."""
    return dict(_CHALLENGE) if play_status(refusal).status == 401 else {}


def words(text: str) -> str:
    """``text``, which an upstream may have written in bytes that are no UTF-8, as the body of an answer."""
    return text.encode("utf-8", "replace").decode() + "\n"


def refuse_play(refusal: Refusal) -> web.Response:
    """The answer with its reason."""
    status, code = play_status(refusal)
    headers = {**NEVER_CACHED, ERROR_CODE: str(code), **retry_after(refusal), **challenge(refusal)}
    return web.Response(status=status, text=words(refusal.told), headers=headers)
