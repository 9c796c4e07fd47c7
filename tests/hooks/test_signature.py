"""Signatures, and the file with their secret."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.hooks.signature import read_secret, sign

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
def test_a_secret_is_read(tmp_path: Path, text: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text, encoding="utf-8")
    assert read_secret(str(file)) == _KEY


@pytest.mark.parametrize(("text", "fault"), [("", "no secret"), ("short", "no secret"), ("whsec_%%%", "no base64")])
def test_what_is_none_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    with pytest.raises(ConfigError, match=fault):
        read_secret(str(file))


def test_a_file_that_cannot_be_trusted_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(_KEY)
    file.chmod(0o666)
    with pytest.raises(ConfigError, match="everybody may write it"):
        read_secret(str(file))
    with pytest.raises(ConfigError, match="No such file"):
        read_secret(str(tmp_path / "none"))
    with pytest.raises(ConfigError):
        read_secret(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")  # nobody will ever write to it
    with pytest.raises(ConfigError, match="it is no file"):
        read_secret(str(tmp_path / "pipe"))
