"""Answers in SRS's form: yes, no, and all that is neither."""

from __future__ import annotations

import pytest

from edge.hooks.answer import Answer, No, Unusable, Yes, clean_reason, read_srs


@pytest.mark.parametrize(
    "body", [b"0", b"0\n", b' "0" ', b'{"code":0}', b'{"code":0,"data":null}', b'{"code":0,"data":""}']
)
def test_yes(body: bytes) -> None:
    assert read_srs(200, body) == Yes()
    assert read_srs(201, body) == Yes()


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, b'{"code":403}', No("", "code 403")),
        (200, b"1", No("", "code 1")),
        (200, b'{"code":1,"data":{"reason":"Not paid"}}', No("Not paid", "code 1")),
        (401, b"", No("", "status 401")),
        (403, b'{"data":{"reason":"Not paid"}}', No("Not paid", "status 403")),
        (404, b"<html>", No("", "status 404")),
    ],
)
def test_no(status: int, body: bytes, answer: Answer) -> None:
    assert read_srs(status, body) == answer


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"<html>OK</html>",
        b'{"code":"0"}',
        b'{"code":0.0}',
        b'{"code":false}',
        b'{"code":null}',
        b"{}",
        b"[0]",
        b"0.0",
        b"false",
        b'"1"',
        "0".encode("utf-16"),
        b"\xef\xbb\xbf0",
        b"NaN",
        b'{"code":NaN}',
        b"[" * 30000,
        b'{"code":' * 30000,
        b"0" * 2,
        b"1" * 60000,
        b'{"code":1,"code":0}',
        b'{"code":0,"data":[1]}',
        b'{"code":0,"data":{"stream":1}}',
        b'{"code":0,"data":{"urls":"rtmp://h"}}',
        b'{"code":0,"data":{"lifetime_s":-1}}',
        b'{"code":0,"data":{"lifetime_s":"60"}}',
        b'{"code":0,"data":{"max_kbps":true}}',
    ],
)
def test_AU13_what_is_neither(body: bytes) -> None:
    assert isinstance(read_srs(200, body), Unusable)


@pytest.mark.parametrize("status", [204, 301, 302, 400, 429, 500, 503])
def test_AU14_other_statuses_say_nothing(status: int) -> None:
    assert read_srs(status, b"0") == Unusable(f"status {status}")


def test_what_a_yes_says_besides() -> None:
    body = b'{"code":0,"data":{"stream":"s","app":"a","lifetime_s":60,"max_kbps":800,"urls":["rtmp://h"],"x":1}}'
    assert read_srs(200, body) == Yes("s", "a", 60, 800, ("rtmp://h",))
    first, second = Yes("s", "a", 60, 0, ("u",)), Yes("t", "", 90, 500, ("v",))
    assert first.and_then(second) == Yes("t", "a", 60, 500, ("u", "v"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Not paid", "Not paid"),
        ("a\r\nb\x00c\u2028d\u00e9", "abcd"),
        ("see http://h/x?token=1", "see http://h/x"),
        ("code=403 need auth; authmod=adobe", ""),
        ("AuthMod=llnw", ""),
        ("x" * 500, "x" * 120),
        ("?reason=needauth", ""),
        (7, ""),
    ],
)
def test_reasons_are_cleaned(text: object, shown: str) -> None:
    assert clean_reason(text) == shown
