"""How passwords are kept: ``scrypt$N$r$p$SALT$HASH`` (base64url), or ``sha256:`` and hexadecimal for random ones.

``check`` of a scrypt hash takes some hundred milliseconds on purpose: it belongs into a thread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass

SCRYPT = "scrypt"
SHA256 = "sha256"
#: 128 * N * r bytes of memory are used by each check.
N, R, P = 16384, 8, 1
SALT_BYTES = 16
_HASH_BYTES = 32
_MAX_MEMORY = 256 * 1024 * 1024
_HEX = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """What is kept of a password.

    Attributes:
        n, r, p: cost of scrypt; 0 for a plain SHA-256.
    """

    digest: bytes
    salt: bytes = b""
    n: int = 0
    r: int = 0
    p: int = 0

    @property
    def is_slow(self) -> bool:
        """Checking it takes long."""
        return self.n > 0

    def check(self, password: str) -> bool:
        """Whether it is that of ``password``."""
        return hmac.compare_digest(self._of(password.encode("utf-8", "surrogatepass")), self.digest)

    def _of(self, password: bytes) -> bytes:
        if not self.is_slow:
            return hashlib.sha256(password).digest()
        size = len(self.digest)
        return hashlib.scrypt(password, salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=_MAX_MEMORY, dklen=size)


def parse_hash(text: str) -> PasswordHash:
    """What stands in a file; raises ValueError, without what was there, for anything else."""
    scheme, _, rest = text.partition(":")
    if scheme == SHA256:
        if not _HEX.fullmatch(rest):
            raise ValueError("sha256: is followed by 64 hexadecimal digits")
        return PasswordHash(bytes.fromhex(rest))
    parts = text.split("$")
    if parts[0].startswith("argon2"):
        raise ValueError("argon2 is not supported: use scrypt$...")
    if parts[0] != SCRYPT or len(parts) != 6:
        raise ValueError("a hash is scrypt$N$r$p$SALT$HASH or sha256:HEX")
    try:
        n, r, p = (int(part) for part in parts[1:4])
        salt, found = (_decode(part) for part in parts[4:])
    except (ValueError, binascii.Error) as error:
        raise ValueError("the numbers or the base64url of a scrypt hash cannot be read") from error
    if n < 2 or n & (n - 1) or not 0 < r <= 64 or not 0 < p <= 16 or 128 * n * r > _MAX_MEMORY // 2:
        raise ValueError("N is a power of 2, and 128 * N * r at most 128 MiB")
    if len(salt) < 8 or len(found) < 16:
        raise ValueError("the salt has 8 bytes or more, the hash 16 or more")
    return PasswordHash(found, salt, n, r, p)


def _decode(text: str) -> bytes:
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_hash(password: str, salt: bytes) -> str:
    """The scrypt hash of a password, as a file has it."""
    digest = hashlib.scrypt(password.encode(), salt=salt, n=N, r=R, p=P, maxmem=_MAX_MEMORY, dklen=_HASH_BYTES)
    return f"{SCRYPT}${N}${R}${P}${_encode(salt)}${_encode(digest)}"


#: Takes as long as any, and is that of no password.
NOBODY = PasswordHash(bytes(_HASH_BYTES), bytes(SALT_BYTES), N, R, P)
#: The same where all passwords are random ones.
QUICK_NOBODY = PasswordHash(bytes(_HASH_BYTES))
