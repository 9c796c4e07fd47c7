"""What a token says, read strictly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge.access.jwt_claims import parse_claims
from edge.access.token import MalformedError
from tests.access.fakes import EXPIRY, asked


def claims(**said: Any) -> bytes:
    return json.dumps({"exp": EXPIRY, **said}).encode()


def may(action: str, scope: str, **said: Any) -> bool:
    return parse_claims(claims(**said)).may(asked(action, scope))


@pytest.mark.parametrize(
    ("path", "in_scope", "outside"),
    [
        ("live/cam1", ["live/cam1"], ["live/cam10", "live/cam", "live2/cam1", "live/cam1/x"]),
        ("live/*", ["live/cam1", "live/a/b"], ["live2/x", "liv/e"]),
        ("*", ["live/cam1", "x/y/z"], []),
    ],
)
def test_AU5_permissions_are_scopes_as_those_of_signed_urls(path: str, in_scope: list[str], outside: list[str]) -> None:
    said = {"edge_permissions": [{"action": "play", "path": path}]}
    assert all(may("play", scope, **said) for scope in in_scope)
    assert not any(may("play", scope, **said) for scope in outside)
    assert not any(may("publish", scope, **said) for scope in in_scope)


def test_all_permissions_count_and_without_any_nothing_is_allowed() -> None:
    both = {
        "edge_permissions": [{"action": "play", "path": "a/b"}, {"action": "publish", "path": "a/*"}],
        "mediamtx_permissions": [{"action": "read", "path": "c/d"}],
    }
    assert may("play", "a/b", **both) and may("publish", "a/x", **both) and may("play", "c/d", **both)
    assert not may("publish", "c/d", **both)
    assert not may("play", "a/b") and not may("play", "a/b", edge_permissions=[])


@pytest.mark.parametrize("as_text", [False, True])
def test_words_of_mediamtx(as_text: bool) -> None:
    def said(*permissions: dict[str, str]) -> dict[str, Any]:
        return {"mediamtx_permissions": json.dumps(permissions) if as_text else list(permissions)}

    assert may("play", "live/cam1", **said({"action": "read", "path": "live/cam1"}))
    assert may("publish", "live/cam1", **said({"action": "publish", "path": ""}))
    assert may("publish", "live/cam1", **said({"action": "api"}, {"action": "publish"}))
    for permission in (
        {"action": "playback", "path": ""},
        {"action": "api", "path": ""},
        {"action": "play", "path": ""},
        {"action": "read", "path": "live/*"},
        {"action": "read", "path": "*"},
        {"action": "read", "path": "live"},
        {"action": "read", "path": "/live/cam1"},
        {"action": "read", "path": "~^live/.*$"},
        {"action": "read", "path": "~(a+)+$"},
    ):
        assert not may("play", "live/cam1", **said(permission)), permission


def test_expressions_are_told_of() -> None:
    found = parse_claims(claims(mediamtx_permissions=[{"action": "read", "path": "~.*"}]))
    assert found.has_expressions and not found.permissions
    assert not parse_claims(claims(mediamtx_permissions=[{"action": "api", "path": "~.*"}])).has_expressions


def test_whose_and_when() -> None:
    found = parse_claims(claims(nbf=EXPIRY - 10.5, iss="https://issuer", aud=["a", "b"], sub="x", iat="whatever"))
    assert (found.ends_s, found.begins_s) == (float(EXPIRY), EXPIRY - 10.5)
    assert (found.issuer, found.audiences) == ("https://issuer", ("a", "b"))
    assert parse_claims(claims(aud="a")).audiences == ("a",)


_NO_TIMES = ["1893456000", True, None, [1893456000], {}, -1, 0, 1e99, 1e12, 10**19]


@pytest.mark.parametrize("value", _NO_TIMES, ids=str)
def test_AU3_AU23_time_is_a_number_that_a_clock_may_have(value: Any) -> None:
    for said in ({"exp": value}, {"exp": EXPIRY, "nbf": value}):
        with pytest.raises(MalformedError, match="is no"):
            parse_claims(json.dumps(said).encode())


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"{}", "exp is missing"),
        (b"[]", "no object"),
        (b"not json", "no JSON"),
        (b'{"exp":1893456000,"exp":9893456000}', "twice"),
        (b'{"exp":1893456000,"x":' + b"[" * 100 + b"]" * 100 + b"}", "nested"),
        (b'{"exp":1e400}', "no time"),
        (b'{"exp":' + b"9" * 400 + b"}", "digits"),
        (b'{"exp":NaN}', "none"),
        (claims(iss=1), "iss"),
        (claims(aud=1), "aud"),
        (claims(aud=[]), "aud"),
        (claims(aud=["a", 1]), "aud"),
        (claims(aud=None), "aud"),
    ],
)
def test_AU23_claims_that_could_be_none(payload: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        parse_claims(payload)


_PLAY = {"action": "play", "path": "*"}


@pytest.mark.parametrize(
    "permissions",
    [
        {"action": "play", "path": "*"},
        '[{"action": "play", "path": "*"}]',
        [_PLAY, "play"],
        [_PLAY, {"action": "play"}],
        [_PLAY, {"action": "read", "path": "*"}],
        [_PLAY, {"action": ["play"], "path": "*"}],
        [_PLAY, {"action": "play", "path": None}],
        *([_PLAY, {"action": "play", "path": path}] for path in ("", "a", "a/../b", "a/%2e%2e", "*/*", "a/b*", "~.*")),
        [{**_PLAY, "vhost": "a.example"}],
        [{**_PLAY, "ips": ["10.0.0.1"]}],
    ],
    ids=str,
)
def test_AU6_one_doubtful_permission_spoils_the_token(permissions: Any) -> None:
    with pytest.raises(MalformedError, match="edge_permissions"):
        parse_claims(claims(edge_permissions=permissions))


@pytest.mark.parametrize("permissions", ["", "x", "{}", "[" * 100 + "]" * 100, '[{"action":"read","action":"api"}]', 1])
def test_AU23_permissions_of_mediamtx_that_are_none(permissions: Any) -> None:
    with pytest.raises(MalformedError, match="mediamtx_permissions"):
        parse_claims(claims(mediamtx_permissions=permissions))
