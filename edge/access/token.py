"""What a request says to be let in, and what comes of looking at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import unquote

from edge.service.refusal import Reason, Refusal

#: Longer queries are looked at by nobody.
MAX_QUERY = 2048


class Admitted(NamedTuple):
    """A credential is right.

    Attributes:
        ends_s: until when, seconds since 1970; 0.0 for ever.
    """

    ends_s: float = 0.0


class UnknownKey:
    """No key has the id that a token (``jwt.py``) names: there may be others by now."""


UNKNOWN_KEY: Final = UnknownKey()
NO_KEY = Refusal(Reason.TOKEN_INVALID, "the token is signed with no key of -jwt_keys, or by another algorithm")
KEYS_MISSING = Refusal(Reason.KEYS_MISSING, "no keys of -jwt_keys have been got as yet")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a signature sees it.

    Attributes:
        action: ``play`` or ``publish``.
        vhost: as resolved, ``_`` for the default one.
        path: ``/app/stream``, with the suffix of its container where the URL has one.
        app, stream: as resolved.
        address: of the client, in the one form (``addresses.canonical``).
        now_s: seconds since 1970.
    """

    action: str
    vhost: str
    app: str
    stream: str
    path: str
    address: str
    now_s: float

    @property
    def scope(self) -> str:
        """``app/stream``."""
        return f"{self.app}/{self.stream}"


class Arguments:
    """The parameters of a query, decoded once."""

    __slots__ = ("_values",)

    def __init__(self, query: str) -> None:
        self._values: dict[str, list[str]] = {}
        has_escapes = "%" in query
        for part in query.split("&"):
            if part:
                name, _, value = part.partition("=")
                if has_escapes:
                    name, value = unquote(name), unquote(value)
                self._values.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def one(self, name: str) -> str | None:
        """Its value, None without; raises ``Malformed`` when it is there twice: which one counts is anybody's guess."""
        values = self._values.get(name, ())
        if len(values) > 1:
            raise MalformedError(f"{name} is there {len(values)} times")
        return values[0] if values else None


class MalformedError(ValueError):
    """No token could look like that; the text says why, and is for the log."""


MISSING = Refusal(Reason.TOKEN_MISSING, "there is no signature")
INVALID = Refusal(Reason.TOKEN_INVALID, "the signature is not that of this request")
EXPIRED = Refusal(Reason.TOKEN_EXPIRED, "the signature is right, and its time is over")
TOO_EARLY = Refusal(Reason.TOKEN_INVALID, "the signature is right, and its time has not come")
TOO_LONG = Refusal(Reason.TOKEN_INVALID, f"the query has more than {MAX_QUERY} bytes")


def malformed(error: MalformedError) -> Refusal:
    """Of what could be no token."""
    return Refusal(Reason.TOKEN_MALFORMED, str(error))
