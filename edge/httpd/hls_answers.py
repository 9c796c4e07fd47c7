"""Answers of HLS: their types, and how long caches may keep them."""

from __future__ import annotations

import hashlib

from aiohttp import web

from edge.httpd.status import ERROR_CODE, NEVER_CACHED, Status, play_status, refuse_play, retry_after, words
from edge.service.refusal import Reason, Refusal

_PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
_TYPES = {"ts": "video/mp2t", "m4s": "video/mp4", "mp4": "video/mp4"}
#: Names are never used again.
_FOR_EVER = "public, max-age=31536000, immutable"
#: Caches must not ask again and again for what there is not, nor long after it has come.
_MISSING_S = 1
#: What may be otherwise in a moment, and is no fault of the client: hls.js and Safari never ask again after a 4xx.
_PASSING = frozenset(
    {Reason.OVERLOAD, Reason.OVERLOADED, Reason.UNREACHABLE, Reason.SILENT, Reason.LOOP, Reason.RULE_FAILED}
)
RETRY_AFTER_S = 1
_OVERLOADED = Status(503, 2004)


class PlaylistText:
    """A playlist as it is answered, made once for all who ask for it."""

    __slots__ = ("body", "etag", "max_age_s")

    def __init__(self, text: str, max_age_s: int) -> None:
        """``max_age_s``: how long caches may keep it; 0: they may not."""
        self.body = text.encode()
        self.etag = f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'
        self.max_age_s = max_age_s

    def answer(self, request: web.BaseRequest) -> web.Response:
        """200, or 304 to one who has it (RFC 9110 §13.1.2)."""
        control = f"public, max-age={self.max_age_s}" if self.max_age_s else "no-store"
        headers = {"Cache-Control": control, "ETag": self.etag, "Accept-Ranges": "none"}
        said = request.headers.get("If-None-Match", "")
        if said and (said.strip() == "*" or self.etag in (part.strip().removeprefix("W/") for part in said.split(","))):
            return web.Response(status=304, headers=headers)
        headers["Content-Type"] = _PLAYLIST_TYPE
        return web.Response(body=self.body, headers=headers)


def head_of_playlist() -> web.Response:
    """Of one that is not there, and would be made for somebody who wants it."""
    return web.Response(headers={**NEVER_CACHED, "Content-Type": _PLAYLIST_TYPE, "Accept-Ranges": "none"})


def media_headers(kind: str) -> dict[str, str]:
    """Of a segment, part or configuration, which never changes."""
    return {"Content-Type": _TYPES[kind], "Cache-Control": _FOR_EVER, "Accept-Ranges": "none"}


def media_answer(kind: str, body: bytes) -> web.Response:
    """A segment, part or configuration."""
    return web.Response(body=body, headers=media_headers(kind))


def missing(text: str) -> web.Response:
    """404 that caches forget soon."""
    headers = {"Cache-Control": f"public, max-age={_MISSING_S}", ERROR_CODE: "1002"}
    return web.Response(status=404, text=words(text), headers=headers)


def bad_request(text: str) -> web.Response:
    """400, for good."""
    return web.Response(status=400, text=f"{text}\n", headers={**NEVER_CACHED, ERROR_CODE: "1003"})


def not_yet(text: str, status: Status = _OVERLOADED) -> web.Response:
    """503, or another 5xx: ask again in a moment."""
    headers = {**NEVER_CACHED, "Retry-After": str(RETRY_AFTER_S), ERROR_CODE: str(status.code)}
    return web.Response(status=status.status, text=words(text), headers=headers)


def refuse(refusal: Refusal) -> web.Response:
    """Why a viewer is not let in: a 5xx for what may pass, since players take a 4xx for the last word."""
    if refusal.is_of_a_gate:
        return refuse_play(refusal)
    status, code = found = play_status(refusal)
    if refusal.reason is Reason.NOT_FOUND or status == 404:
        return missing(refusal.detail)
    if refusal.reason in _PASSING:
        answer = not_yet(refusal.detail, found if refusal.reason is Reason.UNREACHABLE else _OVERLOADED)
        answer.headers.update(retry_after(refusal))
        return answer
    return web.Response(status=status, text=words(refusal.detail), headers={**NEVER_CACHED, ERROR_CODE: str(code)})
