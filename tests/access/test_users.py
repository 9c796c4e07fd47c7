"""Users: who may do what, with which streams, from where."""

from __future__ import annotations

import base64
import hashlib

import pytest

from edge.access.token import MalformedError
from edge.access.users import Login, login_of, parse_users

HASH = f"sha256:{hashlib.sha256(b'right').hexdigest()}"
SCRYPT = "scrypt$16384$8$1$MDEyMzQ1Njc$MDEyMzQ1Njc4OWFiY2RlZg"


def test_line_says_what_a_user_may_do() -> None:
    users = parse_users(
        f"\ufeff# who\r\nann:{HASH}:publish,play:live/*,vod/a:10.0.0.0/8,2001:db8::/32\r\nbob:{SCRYPT}:play\r\n"
    )
    ann, bob = users["ann"], users["bob"]
    assert ann.may("publish", "live", "x", "10.1.1.1") and ann.may("play", "vod", "a", "2001:db8::1")
    assert not ann.may("play", "vod", "b", "10.1.1.1")
    assert not ann.may("play", "live2", "x", "10.1.1.1")
    assert not ann.may("play", "live", "x", "192.0.2.1")
    assert not ann.may("api", "live", "x", "10.1.1.1")
    assert bob.may("play", "any", "thing", "192.0.2.1") and not bob.may("publish", "any", "thing", "192.0.2.1")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ann", "a line is"),
        (f":{HASH}:play", "a line is"),
        (f"ann:{HASH}", "a line is"),
        (f"ann:{HASH}:fly", "actions"),
        (f"ann:{HASH}:", "actions"),
        ("ann:plain:play", "scrypt"),
        (f"ann:{HASH}:play::10.0.0.0/99", "CIDR"),
        (f"ann:{HASH}:play\nann:{HASH}:play", "line 1"),
        ("", "no user"),
    ],
)
def test_fault_is_named_by_its_line(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=rf"^\d+:.*{words}"):
        parse_users(line)


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("authorization", "query", "login"),
    [
        (basic("ann:a:b"), "", Login("ann", "a:b")),
        ("basic !!", "", Login("", "")),
        ("Bearer abc", "", None),
        ("Bearer abc", "user=ann&pass=%41", Login("ann", "A")),
        ("", "pass=x", Login("", "x")),
        ("", "a=b", None),
        ("", "", None),
    ],
)
def test_login_is_read(authorization: str, query: str, login: Login | None) -> None:
    assert login_of(authorization, query) == login


def test_AU4_name_that_is_there_twice_is_malformed() -> None:
    with pytest.raises(MalformedError):
        login_of("", "user=a&user=b&pass=c")
