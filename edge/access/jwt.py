"""Tokens in JSON (JWT, RFC 7519) as the only credential: which one a request bears, and whether it is right.

What a token says of itself decides nothing: its algorithm has to be that of a key of ours, and what is not needed to
find that key (``jwk``, ``jku``, ``x5u``) is not looked at. The signature is checked by PyJWT, the rest is read here,
once, strictly, and after the signature.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from edge.access import strict_json
from edge.access.jwt_claims import Claims, parse_claims
from edge.access.jwt_keys import ALGORITHMS, MAX_KEY_ID, JwtKey, Keyring
from edge.access.token import (
    MAX_QUERY,
    NO_KEY,
    UNKNOWN_KEY,
    Admitted,
    Arguments,
    Asked,
    MalformedError,
    UnknownKey,
    malformed,
)
from edge.service.refusal import Reason, Refusal

if TYPE_CHECKING:
    from jwt import PyJWS

#: Longer ones are looked at by nobody.
MAX_TOKEN = 8192
#: Parameters of a query that may be a token.
PARAMETERS = ("token", "jwt")
#: So long a token that was right is known by its digest, and so many of them.
KNOWN_S = 60.0
MAX_KNOWN = 4096
_BEARER = "bearer"
_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
#: What must not stand in a header: it says that more has to be understood than is understood here.
_BINDING = ("crit", "b64", "zip", "enc")

MISSING = Refusal(Reason.TOKEN_MISSING, "there is no token")
TOO_LONG = Refusal(Reason.TOKEN_INVALID, f"the token has more than {MAX_TOKEN} bytes")
BAD_SIGNATURE = Refusal(Reason.TOKEN_INVALID, "the signature of the token is wrong")
WRONG_ISSUER = Refusal(Reason.TOKEN_INVALID, "the token is right, and not by -jwt_issuer")
WRONG_AUDIENCE = Refusal(Reason.TOKEN_INVALID, "the token is right, and for another audience than -jwt_audience")
NOT_THIS = Refusal(Reason.TOKEN_INVALID, "the token is right, and not meant for this")
EXPRESSION = Refusal(
    Reason.TOKEN_INVALID, "the token is right, and not meant for this: its regular expressions are not taken"
)
TOO_EARLY = Refusal(Reason.TOKEN_INVALID, "the token is right, and its time has not come")
EXPIRED = Refusal(Reason.TOKEN_EXPIRED, "the token is right, and its time is over")


def token_of(authorization: str, query: str) -> str | None:
    """The token of a request: that of ``Authorization: Bearer``, ``token`` or ``jwt``; None without.

    Raises:
        MalformedError: there is more than one, or what is there could be none; each may be the one that counts.
    """
    found: list[str] = []
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == _BEARER:
        found.append(rest.strip())
    if query:
        if len(query) > MAX_TOKEN + MAX_QUERY:
            raise MalformedError(f"the query has more than {MAX_TOKEN + MAX_QUERY} bytes")
        arguments = Arguments(query)
        found += [value for name in PARAMETERS if (value := arguments.one(name)) is not None]
    if len(found) > 1:
        raise MalformedError(f"there are {len(found)} tokens")
    return found[0] if found else None


class _Parts(NamedTuple):
    algorithm: str
    key_id: str | None


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What is asked of a token beside its signature, see ``AccessConfig``."""

    issuer: str = ""
    audiences: tuple[str, ...] = ()
    skew_s: int = 0


class Tokens:
    """Looks at the tokens of requests, with the keys of one ring."""

    def __init__(self, ring: Keyring, terms: TokenTerms) -> None:
        self.ring = ring
        self._terms = terms
        self._known: OrderedDict[bytes, tuple[float, Claims]] = OrderedDict()
        self._known_of = ring.keys

    def check(self, asked: Asked, authorization: str, query: str) -> Admitted | Refusal | UnknownKey:
        """Whether the token of a request lets it in."""
        try:
            token = token_of(authorization, query)
            if token is None:
                return MISSING
            if len(token) > MAX_TOKEN:
                return TOO_LONG
            claims = self._claims_of(token, asked.now_s)
        except MalformedError as error:
            return malformed(error)
        return self._judge(claims, asked) if isinstance(claims, Claims) else claims

    def _claims_of(self, token: str, now_s: float) -> Claims | Refusal | UnknownKey:
        """What a token with a right signature says; checked once in a while."""
        if self._known_of is not self.ring.keys:
            self._known.clear()
            self._known_of = self.ring.keys
        mark = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        since_s, claims = self._known.get(mark, (0.0, None))
        if claims is not None and 0 <= now_s - since_s < KNOWN_S:
            return claims
        found = read(token, self.ring)
        if isinstance(found, Claims):
            self._known[mark] = now_s, found
            self._known.move_to_end(mark)
            self._forget(now_s)
        return found

    def _forget(self, now_s: float) -> None:
        """What is known for too long, or too much of it; the oldest stand in front."""
        while len(self._known) > MAX_KNOWN or not 0 <= now_s - next(iter(self._known.values()))[0] < KNOWN_S:
            self._known.popitem(last=False)

    def _judge(self, claims: Claims, asked: Asked) -> Admitted | Refusal:
        terms = self._terms
        if asked.now_s > claims.ends_s + terms.skew_s:
            return EXPIRED
        if asked.now_s < claims.begins_s - terms.skew_s:
            return TOO_EARLY
        if terms.issuer and claims.issuer != terms.issuer:
            return WRONG_ISSUER
        # RFC 7519 §4.1.3: one for others is to be refused, whoever we may be.
        if (terms.audiences or claims.audiences) and not set(terms.audiences).intersection(claims.audiences):
            return WRONG_AUDIENCE
        if claims.may(asked):
            return Admitted(claims.ends_s)
        return EXPRESSION if claims.has_expressions else NOT_THIS


def read(token: str, ring: Keyring) -> Claims | Refusal | UnknownKey:
    """What a token says, where a key of ``ring`` has signed it, whatever its time; raises MalformedError."""
    parts = _parts_of(token)
    if not ring.knows(parts.key_id):
        return UNKNOWN_KEY
    candidates = ring.candidates(parts.algorithm, parts.key_id)
    if not candidates:
        return NO_KEY
    for key in candidates:
        payload = _verified(token, key)
        if payload is not None:
            return parse_claims(payload)
    return BAD_SIGNATURE


def _parts_of(token: str) -> _Parts:
    """The form of a compact JWS (RFC 7515 §7.1), with each part in its one spelling, and what its header says."""
    found = _FORM.fullmatch(token)
    if found is None:
        raise MalformedError("the token is not made of three parts")
    head, *_ = (_decoded(part) for part in found.groups())
    try:
        header = strict_json.parse_object(head)
    except ValueError as error:
        raise MalformedError(f"the header of the token: {error}") from None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise MalformedError(f"its algorithm is none of {', '.join(ALGORITHMS)}")
    if any(name in header for name in _BINDING):
        raise MalformedError(f"its header has one of {', '.join(_BINDING)}")
    if key_id is not None and not (isinstance(key_id, str) and 0 < len(key_id) <= MAX_KEY_ID):
        raise MalformedError("kid is none")
    return _Parts(str(algorithm), key_id)


def _decoded(part: str) -> bytes:
    """Base64url without ``=`` (RFC 7515 §2), whose last bits are 0: else one token had several spellings."""
    try:
        data = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise MalformedError("a part of the token is no base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise MalformedError("a part of the token ends in bits that mean nothing")
    return data


_CHECKERS: dict[str, PyJWS] = {}


def _verified(token: str, key: JwtKey) -> bytes | None:
    """The payload, where ``key`` has signed it by its own algorithm; None where it has not."""
    import jwt

    checker = _CHECKERS.get(key.algorithm)
    if checker is None:
        checker = _CHECKERS[key.algorithm] = jwt.PyJWS(algorithms=[key.algorithm])
    try:
        return bytes(checker.decode(token, key.material, algorithms=[key.algorithm]))
    except jwt.PyJWTError:
        return None
