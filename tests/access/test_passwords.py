"""Hashes of passwords."""

from __future__ import annotations

import hashlib

import pytest

from edge.access.passwords import NOBODY, new_hash, parse_hash

# RFC 7914 §12, the second vector: password, NaCl, N 1024, r 8, p 16.
RFC = "scrypt$1024$8$16$TmFDbE5hQ2w$"


def test_scrypt_hash_is_known_again() -> None:
    found = parse_hash(new_hash("right", b"0123456789abcdef"))
    assert found.is_slow and found.check("right") and not found.check("wrong")


def test_scrypt_is_that_of_the_standard() -> None:
    digest = hashlib.scrypt(b"password", salt=b"NaClNaCl", n=1024, r=8, p=16, maxmem=2**26, dklen=32)
    import base64

    found = parse_hash(RFC + base64.urlsafe_b64encode(digest).rstrip(b"=").decode())
    assert (found.n, found.r, found.p, found.salt) == (1024, 8, 16, b"NaClNaCl") and found.check("password")


def test_sha256_is_for_random_ones() -> None:
    found = parse_hash(f"sha256:{hashlib.sha256(b'right').hexdigest()}")
    assert not found.is_slow and found.check("right") and not found.check("wrong")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "sha256:12",
        "md5:0",
        "argon2id$v=19$x",
        "scrypt$16384$8$1$x",
        "scrypt$16383$8$1$MDEyMzQ1Njc$MDEyMzQ1Njc4OWFiY2RlZg",
        "scrypt$1073741824$8$1$MDEyMzQ1Njc$MDEyMzQ1Njc4OWFiY2RlZg",
        "scrypt$16384$8$1$MDEy$MDEyMzQ1Njc4OWFiY2RlZg",
        "scrypt$a$8$1$MDEyMzQ1Njc$MDEyMzQ1Njc4OWFiY2RlZg",
        "scrypt$16384$8$1$!!$MDEyMzQ1Njc4OWFiY2RlZg",
    ],
)
def test_anything_else_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_hash(text)
    assert len(text) < 8 or text not in str(caught.value)


def test_nobody_has_no_password() -> None:
    assert NOBODY.is_slow and not NOBODY.check("")
