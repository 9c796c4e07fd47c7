"""Keys of tokens, from files and from answers."""

from __future__ import annotations

import base64
import json
import sys

import pytest

from edge.access.jwt_keys import MAX_TRIED, JwtKey, Keyring, parse_key_file, parse_key_set
from tests.access.fakes import KEY
from tests.access.tokens import encoded, jwk, jwks, pem

SECRET = {"kty": "oct", "k": encoded(KEY)}


def kinds(keys: tuple[JwtKey, ...]) -> list[tuple[str, str]]:
    return [(each.algorithm, each.key_id) for each in keys]


def test_each_key_is_good_for_the_algorithm_of_its_kind() -> None:
    text = f"# ours\n{pem('RS256')}\n{pem('ES256')}{pem('EdDSA')}"
    assert kinds(parse_key_file(text)) == [("RS256", ""), ("ES256", ""), ("EdDSA", "")]
    assert kinds(parse_key_file("\ufeff" + text.replace("\n", "\r\n"))) == kinds(parse_key_file(text))
    of_set = jwks(jwk("RS256", "a"), jwk("ES256", "b", alg="ES256", use="sig"), jwk("EdDSA", key_ops=["verify"]))
    assert kinds(parse_key_file(of_set)) == [("RS256", "a"), ("ES256", "b"), ("EdDSA", "")]
    assert kinds(parse_key_file(json.dumps(jwk("ES256", "one")))) == [("ES256", "one")]
    (one, other) = parse_key_file(f"# secrets\n\nHS256 {KEY.decode()}\nHS256   {'x' * 32}\n")
    assert (one, other.algorithm) == (JwtKey("HS256", "", KEY), "HS256")
    assert parse_key_file(jwks({**SECRET, "kid": "s"})) == (JwtKey("HS256", "s", KEY),)


def test_keys_of_other_kinds_and_uses_are_left_out() -> None:
    others = (
        jwk("RS256", use="enc"),
        jwk("RS256", alg="RS512"),
        jwk("RS256", alg="HS256"),
        jwk("RS256", key_ops=["encrypt"]),
        {"kty": "EC", "crv": "P-521", "x": "a", "y": "b"},
        {"kty": "OKP", "crv": "X25519", "x": "a"},
        {"kty": "new"},
    )
    assert kinds(parse_key_file(jwks(*others, jwk("ES256", "b")))) == [("ES256", "b")]
    with pytest.raises(ValueError, match="0: there is no key"):
        parse_key_file(jwks(*others))


_PRIVATE = "-----BEGIN PRIVATE KEY-----\nMC4CAQAw\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "0: there is no key"),
        ("# nothing\n", "0: there is no key"),
        (f"# a\n{_PRIVATE}", "2: a private key"),
        (_PRIVATE.replace("PRIVATE KEY", "CERTIFICATE"), "1: no public key"),
        (_PRIVATE.replace("PRIVATE KEY", "PUBLIC KEY"), "1: a public key that cannot be read"),
        ("-----BEGIN PUBLIC KEY-----\nMC4CAQAw\n", "0: something in PEM has no end"),
        (pem("ES384"), "1: a key is RSA of"),
        (pem("RS256", bits=1024), "1: a key is RSA of"),
        ("{", "0: it is no JSON"),
        ("{}", "0: no set of keys"),
        ('{"keys": {}}', "0: no set of keys"),
        ('{"keys": [1]}', "0: key 1 of the set: it is no object"),
        (jwks(jwk("ES256"), {"kty": "EC", "crv": "P-256", "x": "!"}), "0: key 2 of the set: it cannot be read"),
        (jwks({**jwk("ES256"), "d": "AAAA"}), "0: key 1 of the set: a private key"),
        (jwks({**jwk("ES256"), "kid": 7}), "0: key 1 of the set: kid"),
        (jwks({"kty": "oct", "k": encoded(b"short")}), "0: key 1 of the set: a secret has"),
        ("HS256 short", "1: a secret has 32 bytes"),
        (f"\n{KEY.decode()}", "2: neither PEM"),
        (f"HS512 {KEY.decode()}", "1: neither PEM"),
        ("\n".join(f"HS256 {KEY.decode()}{number}" for number in range(MAX_TRIED + 1)), "0: more than"),
    ],
)
def test_file_that_cannot_be_used_is_told_by_its_line(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}") as error:
        parse_key_file(text)
    assert KEY.decode() not in str(error.value) and "MC4C" not in str(error.value)


def test_public_key_without_its_frame_is_never_a_secret() -> None:
    """Else whoever knows it, which is everybody, signed with it by HS256."""
    body = "".join(pem("RS256").splitlines()[1:-1])
    for text in (body, base64.b64decode(body).hex(), f"{body}\n"):
        with pytest.raises(ValueError, match="1: neither PEM"):
            parse_key_file(text)


def test_answer_gives_what_can_be_used_and_never_a_secret() -> None:
    bad = {"kty": "EC", "crv": "P-256", "x": "!"}
    answer = jwks(SECRET, bad, {**jwk("ES256"), "d": "AAAA"}, jwk("RS256", "a"), jwk("EdDSA", use="enc"))
    assert kinds(parse_key_set(answer.encode())) == [("RS256", "a")]
    for text in (jwks(SECRET), jwks(), "[]", "<html>", "{}"):
        with pytest.raises(ValueError, match=r"no key|no object|no JSON|no set"):
            parse_key_set(text.encode())


def test_ring_gives_no_more_keys_than_are_tried() -> None:
    keys = [JwtKey("RS256", kid, None) for kid in ("a", "b", "c", "d", "e", "b")]
    ring = Keyring([*keys, JwtKey("ES256", "b", None)])
    assert [each.key_id for each in ring.candidates("RS256", "b")] == ["b", "b"]
    assert len(ring.candidates("RS256", None)) == MAX_TRIED and not ring.candidates("HS256", None)
    assert ring.knows("e") and ring.knows(None) and not ring.knows("f")
    assert Keyring([JwtKey("RS256", "", None)]).knows("f"), "a key without a name may have signed any"
    assert not Keyring().knows(None) and not ring.wants(lambda: None)


def test_without_the_libraries_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)
    for text in (pem("RS256"), f"HS256 {KEY.decode()}"):
        with pytest.raises(ValueError, match=r"^0: jwt needs the extra auth, .*edge-media\[auth\]"):
            parse_key_file(text)
