"""Tokens as a credential: the right ones, and all that must not be one."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.access import jwt as ours
from edge.access.config import AccessConfig
from edge.access.jwt import EXPRESSION, KNOWN_S, MAX_TOKEN, NOT_THIS, Tokens, TokenTerms, UnknownKey, token_of
from edge.access.jwt_keys import Keyring, parse_key_file
from edge.access.token import Admitted, MalformedError
from edge.service.admission import LATER, Granted, Later, Verdict
from edge.service.refusal import Reason, Refusal
from tests.access.fakes import EXPIRY, KEY, NOW, Rig, asked
from tests.access.tokens import VECTOR, by_hand, claims, encoded, jwk, jwks, pem, private_key, token
from tests.harness.clock import ROOT

SECRET_FILE = f"HS256 {KEY.decode()}\n"
EVERY_KEY = jwks(jwk("RS256", "r"), jwk("ES256", "e"), jwk("EdDSA", "d"), {"kty": "oct", "kid": "s", "k": encoded(KEY)})


def ring_of(text: str) -> Keyring:
    return Keyring(parse_key_file(text))


def check(said: str, keys: str = SECRET_FILE, *, terms: TokenTerms | None = None, **more: Any) -> Any:
    """What is said of a token that comes in a query: when it ends, or why not."""
    answer = Tokens(ring_of(keys), terms or TokenTerms()).check(asked(**more), "", f"token={said}")
    return answer.ends_s if isinstance(answer, Admitted) else answer.reason if isinstance(answer, Refusal) else answer


def test_examples_of_the_document_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "access.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"^\$ TOKEN=(\S+)$", text, re.MULTILINE)
    assert check(said, (ROOT / "flagfiles" / "access" / "jwt.keys").read_text(encoding="utf-8")) == EXPIRY
    (program,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    key = private_key("ES256", 0).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "signer.pem").write_bytes(key)
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "docs/access.md", "exec"), {})
    made = capsys.readouterr().out.strip()
    now_s = time.time()
    assert abs(check(made, pem("ES256"), now_s=now_s) - now_s - 3600) < 60


def test_the_vector_lets_in_what_it_is_of() -> None:
    assert check(VECTOR) == EXPIRY
    assert check(VECTOR, action="publish") is check(VECTOR, scope="live/cam10") is Reason.TOKEN_INVALID
    assert token(claims()) == VECTOR, "PyJWT signs the same"


@pytest.mark.parametrize(("algorithm", "kid"), [("RS256", "r"), ("ES256", "e"), ("EdDSA", "d"), ("HS256", "s")])
def test_each_algorithm_with_its_own_key_and_no_other(algorithm: str, kid: str) -> None:
    assert check(token(claims(), algorithm, kid=kid), EVERY_KEY) == EXPIRY
    assert check(token(claims(), algorithm), EVERY_KEY) == EXPIRY, "the kid is there to choose"
    for other in {"r", "e", "d", "s"} - {kid}:
        assert check(token(claims(), algorithm, kid=other), EVERY_KEY) is Reason.TOKEN_INVALID
    if algorithm != "HS256":
        assert check(token(claims(), algorithm, 1, kid=kid), EVERY_KEY) is Reason.TOKEN_INVALID, "another signer"
        assert check(token(claims(), algorithm), pem(algorithm)) == EXPIRY
        assert check(token(claims(), algorithm, kid="any"), pem(algorithm)) == EXPIRY, "the key has no name"


_HEAD = {"alg": "HS256", "typ": "JWT"}
_PUBLIC = pem("RS256")
_WHOLE = token(claims())


def _odd_bits(text: str) -> str:
    """The same bytes, spelt in another way, where that can be."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(text.rpartition(".")[2]) % 4 == 3
    return text[:-1] + letters[letters.index(text[-1]) ^ 1]


def _unsigned(header: dict[str, str]) -> str:
    return by_hand(header, claims()).rpartition(".")[0] + "."


#: AU23, and its kin: a token, the keys, and what is said; INVALID unless it could be no token at all.
_BAD: dict[str, tuple[str, str, Reason]] = {
    name: (said, keys, Reason.TOKEN_MALFORMED if is_malformed else Reason.TOKEN_INVALID)
    for name, said, keys, is_malformed in (
        ("alg none", _unsigned({"alg": "none"}), SECRET_FILE, True),
        ("alg none, signed", by_hand({"alg": "none"}, claims()), SECRET_FILE, True),
        ("alg None", by_hand({"alg": "nOnE"}, claims()), SECRET_FILE, True),
        ("alg is missing", by_hand({}, claims()), SECRET_FILE, True),
        ("alg is a list", by_hand({"alg": ["HS256"]}, claims()), SECRET_FILE, True),
        ("alg not allowed", by_hand({"alg": "HS512"}, claims()), SECRET_FILE, True),
        ("the public key as secret", by_hand(_HEAD, claims(), _PUBLIC.encode()), _PUBLIC, False),
        ("the same, of a set", by_hand({**_HEAD, "kid": "r"}, claims(), _PUBLIC.encode()), EVERY_KEY, False),
        ("RS256 said, HS256 done", by_hand({"alg": "RS256"}, claims(), _PUBLIC.encode()), _PUBLIC, False),
        ("RS256 said with a secret's name", by_hand({"alg": "RS256", "kid": "s"}, claims()), EVERY_KEY, False),
        ("another secret", by_hand(_HEAD, claims(), KEY[::-1]), SECRET_FILE, False),
        ("key of its own", token(claims(), "RS256", 1, jwk=jwk("RS256", number=1)), EVERY_KEY, False),
        ("exp missing", by_hand(_HEAD, {"edge_permissions": []}), SECRET_FILE, True),
        ("exp a text", by_hand(_HEAD, claims(exp=str(EXPIRY))), SECRET_FILE, True),
        ("exp a bool", by_hand(_HEAD, claims(exp=True)), SECRET_FILE, True),
        ("exp huge", by_hand(_HEAD, claims(exp=10**30)), SECRET_FILE, True),
        ("exp twice", by_hand(_HEAD, b'{"exp":1,"exp":1893456000}'), SECRET_FILE, True),
        ("alg twice", by_hand(b'{"alg":"none","alg":"HS256"}', claims()), SECRET_FILE, True),
        ("claims nested 100 deep", by_hand(_HEAD, claims(x=json.loads("[" * 100 + "]" * 100))), SECRET_FILE, True),
        ("header nested 100 deep", by_hand(b'{"alg":' + b"[" * 100 + b"]" * 100 + b"}", {}), SECRET_FILE, True),
        ("16 KiB", by_hand(_HEAD, claims(x="x" * 12288)), SECRET_FILE, True),
        ("9 KiB", by_hand(_HEAD, claims(x="x" * 6500)), SECRET_FILE, False),
        ("two signatures", f"{_WHOLE}.{_WHOLE.rpartition('.')[2]}", SECRET_FILE, True),
        ("two signatures, as JSON", '{"payload":"","signatures":[{},{}]}', SECRET_FILE, True),
        ("encrypted: five parts", ".".join(["e30"] * 5), SECRET_FILE, True),
        ("crit", by_hand({**_HEAD, "crit": ["exp"]}, claims()), SECRET_FILE, True),
        ("crit, empty", by_hand({**_HEAD, "crit": []}, claims()), SECRET_FILE, True),
        ("b64 false", by_hand({**_HEAD, "b64": False, "crit": ["b64"]}, claims()), SECRET_FILE, True),
        ("b64 false, not critical", by_hand({**_HEAD, "b64": False}, claims()), SECRET_FILE, True),
        ("compressed", by_hand({**_HEAD, "zip": "DEF"}, claims()), SECRET_FILE, True),
        ("kid a number", by_hand({**_HEAD, "kid": 1}, claims()), SECRET_FILE, True),
        ("kid empty", by_hand({**_HEAD, "kid": ""}, claims()), SECRET_FILE, True),
        ("kid long", by_hand({**_HEAD, "kid": "k" * 300}, claims()), SECRET_FILE, True),
        ("header no object", by_hand([_HEAD], claims()), SECRET_FILE, True),
        ("header no JSON", by_hand(b"{", claims()), SECRET_FILE, True),
        ("claims no object", by_hand(_HEAD, [claims()]), SECRET_FILE, True),
        ("claims no JSON", by_hand(_HEAD, b"exp"), SECRET_FILE, True),
        ("claims no UTF-8", by_hand(_HEAD, b"\xff\xfe"), SECRET_FILE, True),
        ("a bit wrong", _WHOLE[:-2] + ("A" if _WHOLE[-2] != "A" else "B") + _WHOLE[-1], SECRET_FILE, False),
        ("no signature", f"{_WHOLE.rpartition('.')[0]}.", SECRET_FILE, True),
        ("cut", _WHOLE[:-4], SECRET_FILE, False),
        ("padding", f"{_WHOLE}=", SECRET_FILE, True),
        ("padding in front", _WHOLE.replace(".", "=.", 1), SECRET_FILE, True),
        ("a blank behind", f"{_WHOLE}%20", SECRET_FILE, True),
        ("a line's end behind", f"{_WHOLE}%0A", SECRET_FILE, True),
        ("a blank within", _WHOLE[:9] + "%20" + _WHOLE[9:], SECRET_FILE, True),
        ("plain base64", f"{_WHOLE.rpartition('.')[0]}.{'+' * 43}", SECRET_FILE, True),
        ("last bits", _odd_bits(_WHOLE), SECRET_FILE, True),
        ("a length that is none", f"{_WHOLE[:-1]}AAA", SECRET_FILE, True),
        ("full width", _WHOLE.replace("e", "\uff45", 1), SECRET_FILE, True),
        ("empty", "", SECRET_FILE, True),
        ("dots", "..", SECRET_FILE, True),
    )
}


@pytest.mark.parametrize("name", _BAD)
def test_AU23_what_is_no_token_of_ours(name: str) -> None:
    said, keys, reason = _BAD[name]
    assert check(said, keys) is reason


def test_AU23_nothing_is_parsed_before_its_size_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(*_: object) -> None:
        raise AssertionError("it was looked at")

    monkeypatch.setattr(ours, "_FORM", parsed)
    long = _WHOLE + "A" * MAX_TOKEN
    assert check(long) is Reason.TOKEN_INVALID
    rest = Tokens(ring_of(SECRET_FILE), TokenTerms()).check(asked(), "", f"x={'y' * 20_000}&token={_WHOLE}")
    assert isinstance(rest, Refusal) and rest.reason is Reason.TOKEN_MALFORMED


def test_unknown_kid_is_no_guess_yet() -> None:
    other = token(claims(), "ES256", kid="new")
    assert isinstance(check(other, EVERY_KEY), UnknownKey)
    tokens = Tokens(Keyring(), TokenTerms())
    assert isinstance(tokens.check(asked(), "", f"token={VECTOR}"), UnknownKey), "no keys as yet"


# --- time, issuer, audience ----------------------------------------------------------


def test_AU2_time_is_judged_with_the_clocks_differing() -> None:
    terms = TokenTerms(skew_s=30)
    said = token(claims(nbf=NOW))
    for now_s, found in (
        (NOW - 31.0, Reason.TOKEN_INVALID),
        (NOW - 29.0, EXPIRY),
        (EXPIRY + 29.0, EXPIRY),
        (EXPIRY + 31.0, Reason.TOKEN_EXPIRED),
    ):
        assert check(said, terms=terms, now_s=now_s) == found
    forged = by_hand(_HEAD, claims(), KEY[::-1])
    assert check(forged, now_s=EXPIRY + 31.0) is Reason.TOKEN_INVALID, "nothing is said of one that is forged"


def test_issuer_and_audience_where_they_are_set() -> None:
    said = token(claims(iss="https://a", aud=["tv", "radio"]))
    fits = {"issuer": "https://a", "audiences": ("x", "tv")}
    assert check(said, terms=TokenTerms(**fits)) == EXPIRY
    for other in ({**fits, "issuer": "https://b"}, {**fits, "audiences": ("x",)}, {"issuer": "https://a"}):
        assert check(said, terms=TokenTerms(**other)) is Reason.TOKEN_INVALID
    assert check(VECTOR, terms=TokenTerms(issuer="https://a")) is Reason.TOKEN_INVALID
    assert check(VECTOR, terms=TokenTerms(audiences=("tv",))) is Reason.TOKEN_INVALID


def test_why_it_is_not_meant_for_this() -> None:
    tokens = Tokens(ring_of(SECRET_FILE), TokenTerms())
    expression = {"exp": EXPIRY, "mediamtx_permissions": [{"action": "read", "path": "~^live/"}]}
    for said, refusal in ((VECTOR, NOT_THIS), (token(expression), EXPRESSION)):
        assert tokens.check(asked(scope="live/x"), "", f"token={said}") is refusal


# --- where it stands -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "query", "found"),
    [
        ("", "token=a", "a"),
        ("", "x=1&jwt=a&y=2", "a"),
        ("", "token=%61", "a"),
        ("Bearer a", "", "a"),
        ("bEARER  a ", "x=1", "a"),
        ("Basic a", "", None),
        ("", "", None),
        ("", "tokens=a&TOKEN=b", None),
        ("Bearer", "", ""),
    ],
)
def test_where_a_token_is_taken_from(authorization: str, query: str, found: str | None) -> None:
    assert token_of(authorization, query) == found


@pytest.mark.parametrize(
    ("authorization", "query"),
    [("", "token=a&token=a"), ("", "token=a&jwt=a"), ("", "jwt=a&jwt=b"), ("Bearer a", "token=a")],
)
def test_AU4_token_that_is_there_twice_is_none(authorization: str, query: str) -> None:
    with pytest.raises(MalformedError, match="there"):
        token_of(authorization, query)


# --- what is kept --------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tokens whose signature is checked."""
    seen: list[str] = []
    whole: Callable[..., Any] = ours._verified

    def verified(said: str, key: Any) -> Any:
        seen.append(said)
        return whole(said, key)

    monkeypatch.setattr(ours, "_verified", verified)
    return seen


def test_right_one_is_known_for_a_while_and_judged_anew_each_time(counted: list[str]) -> None:
    ring = ring_of(SECRET_FILE)
    tokens, query = Tokens(ring, TokenTerms()), f"token={VECTOR}"
    for _ in range(3):
        assert tokens.check(asked(), "", query) == Admitted(EXPIRY)
    assert tokens.check(asked("publish"), "", query) is NOT_THIS
    assert len(counted) == 1
    tokens.check(asked(now_s=NOW + KNOWN_S), "", query)
    assert len(counted) == 2
    tokens.check(asked(now_s=float(NOW)), "", query)  # the clock has been set back
    assert len(counted) == 3
    late = tokens.check(asked(now_s=EXPIRY + 1.0), "", query)
    assert isinstance(late, Refusal) and late.reason is Reason.TOKEN_EXPIRED
    ring.keys = parse_key_file(f"HS256 {KEY[::-1].decode()}")
    other = tokens.check(asked(), "", query)
    assert isinstance(other, Refusal) and other.reason is Reason.TOKEN_INVALID, "its key is one no more"


def test_wrong_one_is_never_known_and_what_is_known_is_bounded(
    counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "MAX_KNOWN", 2)
    tokens = Tokens(ring_of(SECRET_FILE), TokenTerms())
    for _ in range(2):
        tokens.check(asked(), "", f"token={by_hand(_HEAD, claims(), KEY[::-1])}")
    assert len(counted) == 2
    for number in (1, 2, 3, 1):
        tokens.check(asked(), "", f"token={token(claims(sub=str(number)))}")
    assert len(counted) == 6 and len(tokens._known) == 2
    tokens.check(asked(now_s=NOW + KNOWN_S), "", f"token={token(claims(sub='4'))}")
    assert len(tokens._known) == 1, "the others are forgotten in time"
    tokens.check(asked(now_s=NOW - KNOWN_S), "", f"token={token(claims(sub='5'))}")
    assert len(tokens._known) == 1, "and where the clock has been set back"


# --- in the gates ----------------------------------------------------------------------


BY_TOKEN = AccessConfig(play_auth=("jwt",), publish_auth=("key", "jwt"), stream_keys_file="keys", jwt_keys="jwt")


def reason_of(verdict: Verdict | Later) -> Reason | None:
    return verdict.reason if isinstance(verdict, Refusal) else None


def test_gate_takes_tokens_of_queries_and_headers_and_says_three_words() -> None:
    rig = Rig(BY_TOKEN, ring=ring_of(SECRET_FILE))
    assert rig.ask("play", f"cam1?jwt={VECTOR}") == rig.ask("play", "cam1", authorization=f"Bearer {VECTOR}")
    assert rig.ask("play", f"cam1?token={VECTOR}") == Granted()
    publish = token(claims("publish", "live/*"))
    assert rig.ask("publish", f"cam1?token={publish}") == Granted()
    assert reason_of(rig.ask("publish", f"cam1?token={VECTOR}")) is Reason.TOKEN_INVALID
    assert reason_of(rig.ask("play", f"cam1?token={VECTOR}&token={VECTOR}")) is Reason.TOKEN_MALFORMED
    assert reason_of(rig.ask("play", "cam1")) is Reason.TOKEN_MISSING
    rig.wall_s = EXPIRY + 31.0
    verdict = rig.ask("play", f"cam1?token={VECTOR}")
    assert isinstance(verdict, Refusal) and verdict.told == "TokenExpired"


def test_session_ends_with_its_token_and_what_is_spent_stays_here() -> None:
    config = AccessConfig(play_auth=("jwt",), jwt_keys="jwt", auth_end_at_expiry=True, auth_upstream="off")
    rig = Rig(config, ring=ring_of(SECRET_FILE))
    assert rig.ask("play", f"cam1?a=1&token={VECTOR}") == Granted(query="a=1", lifetime_s=float(EXPIRY - NOW))


def test_token_or_password_each_lets_in() -> None:
    quick = f"sha256:{'9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'}"
    config = AccessConfig(play_auth=("user", "jwt"), users_file="users", jwt_keys="jwt")
    rig = Rig(config, users_text=f"ann:{quick}:play\n", ring=ring_of(SECRET_FILE))
    basic = f"Basic {base64.b64encode(b'ann:test').decode()}"
    assert rig.ask("play", f"cam1?token={VECTOR}") == rig.ask("play", "cam1", authorization=basic) == Granted()
    assert reason_of(rig.ask("play", "cam1")) is Reason.LOGIN_MISSING
    assert reason_of(rig.ask("play", "cam1", authorization=f"Bearer {VECTOR}x")) is Reason.TOKEN_INVALID


def test_AU21_wrong_tokens_are_guesses() -> None:
    rig = Rig(BY_TOKEN, ring=ring_of(SECRET_FILE))
    for _ in range(30):
        verdict = rig.ask("play", f"cam1?token={VECTOR[:-4]}")
        assert isinstance(verdict, Refusal)
        rig.gates.refused(rig.request, verdict)
    assert reason_of(rig.ask("play", f"cam1?token={VECTOR}")) is Reason.GUESSING


def test_who_brings_a_new_key_waits_for_it_and_is_judged_then() -> None:
    waiting: list[Callable[[], None]] = []
    ring = ring_of(jwks(jwk("ES256", "old")))
    ring.wants = lambda then: waiting.append(then) or len(waiting) < 3  # type: ignore[func-returns-value]
    rig = Rig(BY_TOKEN, ring=ring)
    said = f"cam1?token={token(claims(), 'EdDSA', kid='new')}"
    assert rig.ask("play", said) is LATER
    ring.keys = parse_key_file(jwks(jwk("EdDSA", "new")))
    waiting[0]()
    assert rig.answers == [Granted()]
    other = f"cam1?token={token(claims(), 'ES256', kid='other')}"
    assert rig.ask("play", other) is LATER
    waiting[1]()
    assert [reason_of(each) for each in rig.answers] == [Reason.TOKEN_INVALID] and len(waiting) == 2
    assert reason_of(rig.ask("play", other)) is Reason.TOKEN_INVALID, "nobody asks as yet"


def test_AU24_without_keys_nobody_guesses() -> None:
    rig = Rig(BY_TOKEN)
    verdict = rig.ask("play", f"cam1?token={VECTOR}")
    assert isinstance(verdict, Refusal) and verdict.reason is Reason.KEYS_MISSING and verdict.told == "TokenInvalid"
    for _ in range(40):
        rig.gates.refused(rig.request, verdict)
    assert not rig.gates.shuts_out("203.0.113.9")
