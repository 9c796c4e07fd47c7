"""Signatures, and the file with their secret."""

from __future__ import annotations

import pytest

from edge.hooks.signature import parse_secret, sign

_KEY = b"0123456789abcdef0123456789abcdef"


def test_a_known_signature() -> None:
    assert sign(_KEY, "msg_1", 1893456000, b'{"action":"on_play"}') == {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1893456000",
        "webhook-signature": "v1,TctVkULwgf0PLANSr1B5XR5qOBwAr9pKYs9GN0KJ5i4=",
    }


@pytest.mark.parametrize(
    "text", ["whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "\ufeff\r\n0123456789abcdef0123456789abcdef\r\nx"]
)
def test_a_secret_is_read(text: str) -> None:
    assert parse_secret(text.encode()) == _KEY


@pytest.mark.parametrize(
    ("data", "fault"),
    [(b"", "no secret"), (b"short", "no secret"), (b"whsec_%%%", "no base64"), (b"\xff" * 32, "not valid UTF-8")],
)
def test_what_is_none_is_refused(data: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_secret(data)
