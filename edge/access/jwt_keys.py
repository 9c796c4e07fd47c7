"""Keys that tokens are signed with, each good for one algorithm, which follows from its kind and from nothing else.

A file holds public keys in PEM (RFC 7468), a set in JSON (JWKS, RFC 7517), or lines ``HS256 SECRET``. What a URL
answers is a set, and never holds a secret that is shared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from edge.access import strict_json
from edge.access.config import JWT_EXTRA_MISSING

RS256, ES256, EDDSA, HS256 = "RS256", "ES256", "EdDSA", "HS256"
ALGORITHMS = (RS256, ES256, EDDSA, HS256)
#: Of one file or answer.
MAX_KEYS = 64
#: Keys that a signature is tried with: what a stranger may make us do.
MAX_TRIED = 4
MAX_KEY_ID = 256
LEAST_SECRET_BYTES = 32
LEAST_RSA_BITS = 2048
#: By kind and curve of a key in a set (RFC 7518 §6.1, RFC 8037 §2).
_KINDS = {("RSA", ""): RS256, ("EC", "P-256"): ES256, ("OKP", "Ed25519"): EDDSA, ("oct", ""): HS256}
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----")
_PEM_BEGIN = "-----BEGIN "


class JwtKey(NamedTuple):
    """One key.

    Attributes:
        algorithm: the only one that it is good for.
        key_id: ``kid``, "" where it has none.
        material: as ``cryptography`` has it; bytes of HS256.
    """

    algorithm: str
    key_id: str
    material: Any


class Keyring:
    """The keys of one file or URL.

    Attributes:
        keys: those in force, in a tuple that is another one when they are others; empty while none has been got.
        wants: asks for others, since these did not know a token, and calls back once it is known whether there are
            some; returns whether it will.
    """

    def __init__(
        self, keys: Sequence[JwtKey] = (), wants: Callable[[Callable[[], None]], bool] = lambda _: False
    ) -> None:
        self.keys = tuple(keys)
        self.wants = wants

    def candidates(self, algorithm: str, key_id: str | None) -> list[JwtKey]:
        """Keys that may have signed a token; those without an id may have signed any.

        ``key_id``: None where the token names none.
        """
        named = [each for each in self.keys if key_id in (None, each.key_id) or not each.key_id]
        return [each for each in named if each.algorithm == algorithm][:MAX_TRIED]

    def knows(self, key_id: str | None) -> bool:
        """Whether a token with that id could be one of these keys' at all."""
        return any(key_id in (None, each.key_id) or not each.key_id for each in self.keys)


def parse_key_file(text: str) -> tuple[JwtKey, ...]:
    """The keys of a file.

    Raises:
        ValueError: with the number of the line and a colon before the reason, which holds no key.
    """
    text = text.removeprefix("\ufeff")
    try:
        import cryptography
        import jwt

        assert cryptography and jwt  # secrets alone can be read without, and nothing can be checked
        if _PEM_BEGIN in text:
            keys = _of_pem(text)
        elif text.lstrip().startswith("{"):
            keys = _of_set(text, is_own=True)
        else:
            keys = _of_lines(text)
    except ImportError as error:
        raise ValueError(f"0: {JWT_EXTRA_MISSING}: {error}") from None
    if not keys:
        raise ValueError("0: there is no key in it that is good for RS256, ES256, EdDSA or HS256")
    _check_count(keys)
    return tuple(keys)


def parse_key_set(data: bytes) -> tuple[JwtKey, ...]:
    """The keys that a URL has answered; those that cannot be used here are left out.

    Raises:
        ValueError: it is no set, or nothing of it can be used; the text says why.
        ImportError: the libraries are not there.
    """
    try:
        keys = _of_set(data, is_own=False)
    except ValueError as error:
        raise ValueError(str(error).partition(":")[2].strip()) from None
    if not keys:
        raise ValueError("there is no key in it that is good for RS256, ES256 or EdDSA")
    return tuple(keys[:MAX_KEYS])


def _check_count(keys: Sequence[JwtKey]) -> None:
    """Of keys that cannot be told apart no more than are tried."""
    alike: dict[tuple[str, str], int] = {}
    for each in keys:
        mark = each.algorithm, each.key_id
        alike[mark] = alike.get(mark, 0) + 1
    if len(keys) > MAX_KEYS or max(alike.values()) > MAX_TRIED:
        raise ValueError(f"0: more than {MAX_KEYS} keys, or more than {MAX_TRIED} that no kid tells apart")


def _of_lines(text: str) -> list[JwtKey]:
    keys: list[JwtKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or words[0] != HS256:
            raise ValueError(f"{number}: neither PEM, a set in JSON, nor a line {HS256} SECRET")
        keys.append(JwtKey(HS256, "", _secret(number, words[1].encode())))
    return keys


def _secret(line: int, secret: bytes) -> bytes:
    """RFC 7518 §3.2: as long as the hash, or longer."""
    if len(secret) < LEAST_SECRET_BYTES:
        raise ValueError(f"{line}: a secret has {LEAST_SECRET_BYTES} bytes or more")
    return secret


def _of_pem(text: str) -> list[JwtKey]:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    keys: list[JwtKey] = []
    blocks = list(_PEM.finditer(text))
    if len(blocks) != text.count(_PEM_BEGIN):
        raise ValueError("0: something in PEM has no end")
    for block in blocks:
        line = text.count("\n", 0, block.start()) + 1
        if "PRIVATE" in block[1]:
            raise ValueError(f"{line}: a private key: only its owner may have it (openssl pkey -pubout)")
        if "PUBLIC KEY" not in block[1]:
            raise ValueError(f"{line}: no public key (of a certificate: openssl x509 -pubkey -noout)")
        try:
            material = load_pem_public_key(block[0].encode())
        except Exception as error:  # as many kinds as there are faults in it
            raise ValueError(f"{line}: a public key that cannot be read") from error
        algorithm = _algorithm_of(material)
        if not algorithm:
            raise ValueError(f"{line}: {_KINDS_TAKEN}")
        keys.append(JwtKey(algorithm, "", material))
    return keys


_KINDS_TAKEN = f"a key is RSA of {LEAST_RSA_BITS} bits or more, EC of P-256, or Ed25519"


def _algorithm_of(material: object) -> str:
    """What a public key is good for; "" for nothing here."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(material, rsa.RSAPublicKey):
        return RS256 if material.key_size >= LEAST_RSA_BITS else ""
    if isinstance(material, ec.EllipticCurvePublicKey):
        return ES256 if material.curve.name == "secp256r1" else ""
    return EDDSA if isinstance(material, ed25519.Ed25519PublicKey) else ""


def _of_set(text: str | bytes, *, is_own: bool) -> list[JwtKey]:
    """Keys of other kinds and uses are left out (RFC 7517 §5); ``is_own``: an operator is told of what is wrong."""
    try:
        said = strict_json.parse_object(text)
    except ValueError as error:
        raise ValueError(f"0: {error}") from None
    found = said.get("keys", [said] if "kty" in said else None)
    if not isinstance(found, list):
        raise ValueError("0: no set of keys: a list called keys is missing")
    keys: list[JwtKey] = []
    for number, each in enumerate(found, 1):
        try:
            key = _of_json(each, is_own=is_own)
        except ValueError as error:
            if is_own:
                raise ValueError(f"0: key {number} of the set: {error}") from None
            continue
        if key is not None:
            keys.append(key)
        if len(keys) > MAX_KEYS:  # enough to say that it is too much
            break
    return keys


def _of_json(said: Any, *, is_own: bool) -> JwtKey | None:
    import jwt

    if not isinstance(said, dict):
        raise ValueError("it is no object")
    kind, curve = said.get("kty"), said.get("crv", "")
    if not isinstance(kind, str) or not isinstance(curve, str):
        raise ValueError("kty or crv is no text")
    algorithm = _KINDS.get((kind, curve if kind in ("EC", "OKP") else ""))
    operations = said.get("key_ops", ["verify"])
    is_of_use = said.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    if algorithm is None or said.get("alg", algorithm) != algorithm or not is_of_use:
        return None
    key_id = said.get("kid", "")
    if not isinstance(key_id, str) or len(key_id) > MAX_KEY_ID:
        raise ValueError(f"kid is no text of {MAX_KEY_ID} characters or less")
    if algorithm == HS256 and not is_own:
        raise ValueError("a secret that anybody is told is none")
    if algorithm != HS256 and "d" in said:
        raise ValueError("a private key: only its owner may have it")
    try:
        material = jwt.PyJWK(said, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise ValueError("it cannot be read") from error
    if algorithm == HS256:
        if len(material) < LEAST_SECRET_BYTES:
            raise ValueError(f"a secret has {LEAST_SECRET_BYTES} bytes or more")
    elif _algorithm_of(material) != algorithm:
        raise ValueError(_KINDS_TAKEN)
    return JwtKey(algorithm, key_id, material)
