"""Sums are read as lenient clients write them, and no other way."""

from __future__ import annotations

import pytest

from edge.access import digest


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("ABcd", "hex", b"\xab\xcd"),
        ("ab c", "hex", None),
        ("abc", "hex", None),
        ("_-8", "base64url", b"\xff\xef"),
        ("_-8=", "base64url", b"\xff\xef"),
        ("/+8=", "base64url", None),
        ("ä", "base64url", None),
        ("ａｂ", "hex", None),
    ],
)
def test_sum_is_read_or_none(text: str, encoding: str, found: bytes | None) -> None:
    assert digest.read(text, encoding) == found


def test_what_is_written_is_read_again() -> None:
    for encoding in (digest.HEX, digest.BASE64URL):
        assert digest.read(digest.write(b"\x00\xff\xfe", encoding), encoding) == b"\x00\xff\xfe"
    assert digest.is_equal(b"a", b"a") and not digest.is_equal(b"a", b"b")
