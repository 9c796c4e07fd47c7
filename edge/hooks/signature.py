"""Signs calls as Standard Webhooks do, for which there are verifiers in all languages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

_PREFIX = "whsec_"
_MIN_SECRET_BYTES = 16


def sign(secret: bytes, call_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of a call: HMAC-SHA256 over id, time (seconds since 1970) and body."""
    text = f"{call_id}.{at_s}.".encode() + body
    digest = base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode()
    return {"webhook-id": call_id, "webhook-timestamp": str(at_s), "webhook-signature": f"v1,{digest}"}


def parse_secret(data: bytes) -> bytes:
    """The secret in a file: its first line, as it is or ``whsec_`` and base64.

    Raises:
        ValueError: there is no secret of 16 bytes in it; the text does not hold what stands there.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("not valid UTF-8") from error
    line = next((each.strip() for each in text.splitlines() if each.strip()), "")
    secret = line.encode()
    if line.startswith(_PREFIX):
        try:
            secret = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
        except binascii.Error as error:
            raise ValueError(f"what follows {_PREFIX} is no base64") from error
    if len(secret) < _MIN_SECRET_BYTES:
        raise ValueError(f"no secret of {_MIN_SECRET_BYTES} bytes or more")
    return secret
