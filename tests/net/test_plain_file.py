"""Files that an operator names, and what is no such file, whoever asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.net.certificates import read_file as read_pem
from edge.net.plain_file import UnreadableError, read_plain
from edge.runtime.access_files import read_file as read_keys
from edge.runtime.hook_files import read_secret

_TEXT = b"0123456789abcdef0123456789abcdef"


def test_all_of_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(_TEXT)
    data, status = read_plain(str(file), len(_TEXT), is_guarded=True)
    assert (data, status.st_size, status.st_ino) == (_TEXT, len(_TEXT), file.stat().st_ino)


#: A kind of path, and why it is refused.
_BAD = [
    ("none", "No such file or directory"),
    ("folder", "Is a directory"),
    ("pipe", "not a regular file"),
    ("device", "not a regular file"),
    ("large", "more than"),
    ("zero", "null"),
]
_READERS: dict[str, Callable[[str], object]] = {
    "plain": lambda path: read_plain(path, 1 << 20),
    "guarded": lambda path: read_plain(path, 1 << 20, is_guarded=True),
    "keys of publishers": lambda path: read_keys("stream_keys_file", path),
    "secret of calls": read_secret,
    "certificate": read_pem,
}


def made(kind: str, folder: Path) -> str:
    """The path of something of a kind."""
    path = folder / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)  # nobody will ever write to it
    elif kind == "large":
        path.write_bytes(b"# " + b"x" * (1 << 20))
    return {"device": "/dev/zero", "zero": "a\0b"}.get(kind, str(path))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("reader", _READERS)
@pytest.mark.parametrize(("kind", "why"), _BAD)
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path, reader: str, kind: str, why: str) -> None:
    with pytest.raises((UnreadableError, ConfigError), match=why):
        _READERS[reader](made(kind, tmp_path))


@pytest.mark.parametrize("reader", ["guarded", "keys of publishers", "secret of calls"])
def test_what_strangers_may_write_is_refused_where_it_says_who_may_come(tmp_path: Path, reader: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(_TEXT)
    file.chmod(0o666)
    with pytest.raises((UnreadableError, ConfigError), match="others may write it"):
        _READERS[reader](str(file))
    assert read_plain(str(file), 100)[0] == _TEXT
