"""Signs calls as Standard Webhooks do, for which there are verifiers in all languages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import stat
from pathlib import Path

from edge.errors import ConfigError

_PREFIX = "whsec_"
_MIN_SECRET_BYTES = 16
_MAX_FILE_BYTES = 65536


def sign(secret: bytes, call_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of a call: HMAC-SHA256 over id, time (seconds since 1970) and body."""
    text = f"{call_id}.{at_s}.".encode() + body
    digest = base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode()
    return {"webhook-id": call_id, "webhook-timestamp": str(at_s), "webhook-signature": f"v1,{digest}"}


def read_secret(path: str) -> bytes:
    """The secret in a file: its first line, as it is or ``whsec_`` and base64.

    Raises:
        ConfigError: it cannot be read, others may write it, or there is no secret of 16 bytes in it.
    """
    try:
        file = Path(path)
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a pipe might wait for ever
            raise ConfigError(f"-hook_secret_file={path}: it is no file")
        if mode & stat.S_IWOTH:
            raise ConfigError(f"-hook_secret_file={path}: everybody may write it")
        with file.open("rb") as opened:
            text = opened.read(_MAX_FILE_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError(f"-hook_secret_file={path}: {error}") from error
    line = next((each.strip() for each in text.splitlines() if each.strip()), "")
    secret = line.encode()
    if line.startswith(_PREFIX):
        try:
            secret = base64.b64decode(line.removeprefix(_PREFIX), validate=True)
        except binascii.Error as error:
            raise ConfigError(f"-hook_secret_file={path}: what follows {_PREFIX} is no base64") from error
    if len(secret) < _MIN_SECRET_BYTES:
        raise ConfigError(f"-hook_secret_file={path}: no secret of {_MIN_SECRET_BYTES} bytes or more")
    return secret
