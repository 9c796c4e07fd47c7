"""Passwords and tokens in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from naming.base import NamingError
from naming.secret_file import read_secret


@pytest.mark.parametrize("text", ["hunter2", "hunter2\n", "hunter2\r\n"])
def test_line_end_is_no_part_of_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(text)
    assert read_secret(str(tmp_path / "secret")) == "hunter2"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hunter2\nX-Other: 1\n", "not one line"),
        (b"hunter2\x00", "not one line"),
        ("hünter2".encode(), "not one line"),
        (b"hunter2" * 20_000, "larger than"),
    ],
)
def test_what_is_no_secret_is_refused_without_being_told(data: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(data)
    with pytest.raises(NamingError, match=reason) as caught:
        read_secret(str(tmp_path / "secret"))
    assert "hunter2" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(NamingError, match=path.name):
            read_secret(str(path))
