"""What a token says once its signature is right (RFC 7519 §4): until when, for whom, and what its bearer may do.

``edge_permissions`` is a list of objects with ``action``, ``publish`` or ``play``, and ``path``, a scope as signed
URLs have it: ``app/stream``, ``app/*`` or ``*``. ``mediamtx_permissions`` is such a list, or the JSON of it in a
string, in the words of mediamtx: ``read`` for play, and a path that is a name, or "" for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from edge.access import strict_json
from edge.access.edge_scheme import EVERYTHING, covers, is_scope
from edge.access.token import Asked, MalformedError

OURS, OF_MEDIAMTX = "edge_permissions", "mediamtx_permissions"
#: Times after this one are none of a clock.
MAX_SECONDS = 1e11
_ACTIONS = {"publish": "publish", "play": "play"}
#: What else mediamtx lets somebody do (``playback`` of recordings, ``api`` ...) is nothing that is done here.
_ACTIONS_OF_MEDIAMTX = {"publish": "publish", "read": "play"}
_EXPRESSION = "~"


class Permission(NamedTuple):
    """``action``: ``publish`` or ``play``; ``scope``: as in ``edge_scheme``."""

    action: str
    scope: str


class Claims(NamedTuple):
    """What a token says.

    Attributes:
        ends_s, begins_s: seconds since 1970; ``begins_s`` is 0.0 where it does not say it.
        issuer: "" where it does not say it.
        audiences: for whom it is; empty for whoever it may concern.
        has_expressions: some permissions are regular expressions, and are none here.
    """

    ends_s: float
    begins_s: float
    issuer: str
    audiences: tuple[str, ...]
    permissions: tuple[Permission, ...]
    has_expressions: bool = False

    def may(self, asked: Asked) -> bool:
        """Whether its bearer may do what is asked for."""
        return any(each.action == asked.action and covers(each.scope, asked) for each in self.permissions)


def parse_claims(payload: bytes) -> Claims:
    """Read the payload of a token; raises MalformedError for what is missing, doubtful, or of another kind."""
    try:
        said = strict_json.parse_object(payload)
    except ValueError as error:
        raise MalformedError(f"its claims: {error}") from None
    if "exp" not in said:
        raise MalformedError("exp is missing")
    ours = _permissions(OURS, said.get(OURS, []), _own)
    mediamtx = said.get(OF_MEDIAMTX, [])
    if isinstance(mediamtx, str):
        try:
            mediamtx = strict_json.parse(mediamtx)
        except ValueError as error:
            raise MalformedError(f"{OF_MEDIAMTX}: {error}") from None
    theirs = _permissions(OF_MEDIAMTX, mediamtx, _of_mediamtx)
    issuer = said.get("iss", "")
    if not isinstance(issuer, str):
        raise MalformedError("iss is no text")
    return Claims(
        _seconds("exp", said["exp"]),
        _seconds("nbf", said["nbf"]) if "nbf" in said else 0.0,
        issuer,
        _audiences(said["aud"]) if "aud" in said else (),
        (*ours, *(each for each in theirs if not each.scope.startswith(_EXPRESSION))),
        any(each.scope.startswith(_EXPRESSION) for each in theirs),
    )


def _seconds(name: str, value: Any) -> float:
    """A NumericDate (RFC 7519 §2)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedError(f"{name} is no number")
    if not math.isfinite(value) or not 0 < value <= MAX_SECONDS:
        raise MalformedError(f"{name} is no time")
    return float(value)


def _audiences(value: Any) -> tuple[str, ...]:
    """One or a list of them; what names nobody is for nobody."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise MalformedError("aud is neither a text nor a list of some")
    return tuple(found)


def _permissions(claim: str, value: Any, read: Callable[[str, str], Permission | None]) -> list[Permission]:
    """Those of a claim; one with a member that is not known here may be meant to be less than it seems."""
    if not isinstance(value, list):
        raise MalformedError(f"{claim} is no list")
    found: list[Permission] = []
    for each in value:
        if not isinstance(each, dict) or not each.keys() <= {"action", "path"}:
            raise MalformedError(f"{claim}: one is no object of action and path")
        action, path = each.get("action"), each.get("path", "")
        if not isinstance(action, str) or not isinstance(path, str):
            raise MalformedError(f"{claim}: an action or a path is no text")
        permission = read(action, path)
        if permission is not None:
            found.append(permission)
    return found


def _own(action: str, path: str) -> Permission | None:
    if action not in _ACTIONS:
        raise MalformedError(f"{OURS}: an action is neither publish nor play")
    if not is_scope(path):
        raise MalformedError(f"{OURS}: a path is none")
    return Permission(action, path)


def _of_mediamtx(action: str, path: str) -> Permission | None:
    """None for what is not done here, and for a name that no stream has."""
    meant = _ACTIONS_OF_MEDIAMTX.get(action)
    if meant is None:
        return None
    if path.startswith(_EXPRESSION):
        return Permission(meant, path)
    if not path:
        return Permission(meant, EVERYTHING)
    # There, a star is a sign like any other; here it would be a scope.
    return Permission(meant, path) if is_scope(path) and EVERYTHING not in path else None
