"""Our own signed URLs: an HMAC for one action, vhost and scope, until a time, and from one address if wanted.

``exp=UNIX&sig=...[&scope=app/*][&bind=ip]``. The text has six lines::

    v1
    play            or publish
    vhost           as resolved, "_" for the default one
    live/cam1       the scope: the stream itself, "app/*" or "*"
    1893456000
    203.0.113.9     empty without bind=ip

``sig`` is base64url(HMAC-SHA256(key, text)) without ``=``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from edge.access import digest
from edge.access.numbers import decimal_seconds
from edge.access.schemes import Terms
from edge.access.token import EXPIRED, INVALID, MISSING, Admitted, Arguments, Asked, MalformedError
from edge.service.refusal import Refusal

VERSION = "v1"
EVERYTHING = "*"
_SIGNATURE_BYTES = 32
_MAX_SIGNATURE = 44
_MAX_SCOPE = 1024
_NO_SCOPE = re.compile(r"[\x00-\x20\x7f%?\\]")


def is_scope(text: str) -> bool:
    """Whether ``text`` may be one: ``app/stream``, ``app/*`` or ``*``."""
    if text == EVERYTHING:
        return True
    app, _, rest = text.partition("/")
    parts = (app, *rest.split("/"))
    if len(text) > _MAX_SCOPE or _NO_SCOPE.search(text) or any(part in ("", ".", "..") for part in parts):
        return False
    return EVERYTHING not in text.removesuffix("/*")


def covers(scope: str, asked: Asked) -> bool:
    """Whether a scope holds for what is asked for; ``app/*`` for all of the app, and for none whose name it begins."""
    return scope in (EVERYTHING, asked.scope, f"{asked.app}/*")


def signed_text(action: str, vhost: str, scope: str, expires: str, address: str) -> bytes:
    """What is signed."""
    return "\n".join((VERSION, action, vhost, scope, expires, address)).encode("utf-8", "surrogatepass")


class EdgeScheme:
    """See the module."""

    name = "edge"
    parameters = frozenset({"exp", "sig", "scope", "bind"})

    def check(self, asked: Asked, arguments: Arguments, keys: Iterable[bytes], terms: Terms) -> Admitted | Refusal:
        """See ``Scheme``."""
        signature, expires = arguments.one("sig"), arguments.one("exp")
        scope, bind = arguments.one("scope"), arguments.one("bind")
        if signature is None:
            return MISSING
        if expires is None:
            raise MalformedError("exp is missing")
        ends_s = decimal_seconds(expires)
        if ends_s is None:
            raise MalformedError("exp is no time")
        if scope is not None and not is_scope(scope):
            raise MalformedError("scope is none")
        if bind not in (None, "ip"):
            raise MalformedError("bind is not ip")
        got = digest.read(signature, digest.BASE64URL) if len(signature) <= _MAX_SIGNATURE else None
        if got is None or len(got) != _SIGNATURE_BYTES:
            return INVALID
        scope = asked.scope if scope is None else scope
        text = signed_text(asked.action, asked.vhost, scope, expires, asked.address if bind else "")
        sums = (digest.SUMS["hmac-sha256"](key, text) for key in keys)
        # One that is wrong is compared with all: how long that takes tells nothing.
        if not any(digest.is_equal(got, each) for each in sums) or not covers(scope, asked):
            return INVALID
        return Admitted(ends_s) if asked.now_s <= ends_s + terms.skew_s else EXPIRED

    def sign(self, asked: Asked, key: bytes, ends_s: int, *, scope: str = "", binds: bool = False) -> str:
        """See ``Scheme``; ``scope``: "" for the stream itself; ``binds``: good from ``asked.address`` only."""
        address = asked.address if binds else ""
        text = signed_text(asked.action, asked.vhost, scope or asked.scope, str(ends_s), address)
        query = f"exp={ends_s}&sig={digest.write(digest.SUMS['hmac-sha256'](key, text), digest.BASE64URL)}"
        return query + (f"&scope={scope}" if scope else "") + ("&bind=ip" if binds else "")
