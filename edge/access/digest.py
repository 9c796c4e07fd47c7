"""Sums over texts with a secret key, and how they are written and compared."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping

Sum = Callable[[bytes, bytes], bytes]
"""Key and text to digest."""


def _hash(name: str) -> Sum:
    """The key, where a template has one, is in the text."""
    made = getattr(hashlib, name)  # quicker than by name each time
    return lambda _key, text: bytes(made(text, usedforsecurity=False).digest())


def _hmac(name: str) -> Sum:
    return lambda key, text: hmac.digest(key, text, name)


SUMS: Mapping[str, Sum] = {
    "md5": _hash("md5"),
    "sha1": _hash("sha1"),
    "sha256": _hash("sha256"),
    "hmac-sha1": _hmac("sha1"),
    "hmac-sha256": _hmac("sha256"),
    "hmac-sha512": _hmac("sha512"),
}
HEX, BASE64URL = "hex", "base64url"


def write(digest: bytes, encoding: str) -> str:
    """``digest`` in hexadecimal, or base64url without ``=`` (RFC 4648 §5)."""
    return digest.hex() if encoding == HEX else base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def read(text: str, encoding: str) -> bytes | None:
    """The bytes of a sum as somebody wrote it, hexadecimal in any case, base64url with ``=`` or not; None for none."""
    try:
        if encoding == HEX:
            return bytes.fromhex(text) if text.isascii() and text.isalnum() else None
        if "+" in text or "/" in text:
            return None
        raw = text.rstrip("=").encode("ascii")
        return base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None


def is_equal(one: bytes, other: bytes) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)
