"""Keys and tokens, made by PyJWT, and by hand where it makes none so bad."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.access.fakes import EXPIRY, KEY

#: Play of ``live/cam1``, HS256 by ``KEY``, until ``EXPIRY``.
VECTOR = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJleHAiOjE4OTM0NTYwMDAsImVkZ2VfcGVybWlzc2lvbnMiOlt7ImFjdGlvbiI6InBsYXkiLCJwYXRoIjoibGl2ZS9jYW0xIn1dfQ."
    "zNiTbZUGUCZnvmntgZ3-kUaesRSR0SIHGlgbu_YYgSs"
)


@functools.cache
def private_key(algorithm: str, number: int = 0, *, bits: int = 2048) -> Any:
    """Of a signer; ``number`` tells several from each other."""
    match algorithm:
        case "RS256":
            return rsa.generate_private_key(public_exponent=65537, key_size=bits)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
    return ed25519.Ed25519PrivateKey.generate()


def pem(algorithm: str, number: int = 0, **more: int) -> str:
    """The public key."""
    key = private_key(algorithm, number, **more).public_key()
    return str(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def jwk(algorithm: str, kid: str = "", number: int = 0, **more: Any) -> dict[str, Any]:
    """The same as a member of a set."""
    kind = {"RS256": jwt.algorithms.RSAAlgorithm, "ES256": jwt.algorithms.ECAlgorithm, "EdDSA": None}[algorithm]
    made = (kind or jwt.algorithms.OKPAlgorithm).to_jwk(private_key(algorithm, number).public_key())
    return {**json.loads(made), **({"kid": kid} if kid else {}), **more}


def jwks(*keys: dict[str, Any]) -> str:
    return json.dumps({"keys": keys})


def claims(action: str = "play", path: str = "live/cam1", **more: Any) -> dict[str, Any]:
    return {"exp": EXPIRY, "edge_permissions": [{"action": action, "path": path}], **more}


def token(said: dict[str, Any], algorithm: str = "HS256", number: int = 0, *, kid: str = "", **header: Any) -> str:
    """Signed as it should be."""
    key = KEY if algorithm == "HS256" else private_key(algorithm, number)
    return jwt.encode(said, key, algorithm, headers={**({"kid": kid} if kid else {}), **header})


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_hand(header: Any, payload: Any, secret: bytes = KEY) -> str:
    """With whatever stands in it, signed by HMAC-SHA256; bytes and texts go in as they are."""
    parts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in (header, payload)]
    text = ".".join(encoded(each) for each in parts)
    return f"{text}.{encoded(hmac.digest(secret, text.encode(), hashlib.sha256))}"
