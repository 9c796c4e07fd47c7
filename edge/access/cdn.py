"""A CDN that checks viewers itself shows a secret: ``Authorization: Bearer`` (RFC 6750 §2.1), in no other way."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence

from edge.access.signing import parse_keys

_SCHEME = "bearer"
#: What may stand behind the scheme, of which RFC 9110 §11.2 wants less.
_SENDABLE = re.compile(rb"[!-~]+")


def parse_cdn_secrets(text: str) -> tuple[bytes, ...]:
    """The secrets of a file, as ``parse_keys`` reads keys: more than one while a CDN changes from one to the next.

    Raises:
        ValueError: with the number of the line and a colon before the reason.
    """
    text = text.removeprefix("\ufeff")
    for number, line in enumerate(text.splitlines(), 1):
        found = line.strip().encode()
        if found and not found.startswith(b"#") and not _SENDABLE.fullmatch(found):
            raise ValueError(f"{number}: a header cannot bear it: letters, digits and signs of ASCII, without spaces")
    return parse_keys(text)


def shows_secret(said: Sequence[str], secrets: Sequence[bytes]) -> bool | None:
    """Whether the one of all ``Authorization`` headers is a secret; None where none of them says to be one."""
    parts = [header.strip().partition(" ") for header in said]
    if not any(scheme.lower() == _SCHEME for scheme, _, _ in parts):
        return None
    got = parts[0][2].strip().encode("utf-8", "surrogateescape")
    is_one = False
    for secret in secrets:  # all of them, so that the time tells nothing
        is_one |= hmac.compare_digest(got, secret)
    return is_one and len(parts) == 1
