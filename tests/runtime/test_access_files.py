"""Files of keys and users: what cannot be used is named by its place, and nothing of it is in the words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.access.config import AccessConfig, GuardConfig
from edge.runtime.access_files import MAX_BYTES, FileError, faults_of_files, read_file, read_files

KEY = "b7Qk-9sXw2-Lm4Tz8Rv1"


def written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_AU28_bom_and_crlf_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "keys", f"\ufeff# who\r\nlive/hall {KEY}\r\n".encode())
    assert read_file("stream_keys_file", path).stream_of("_", "live", KEY) == "hall"


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", 0, "no key"),
        (b"live/hall\n", 1, "NAME KEY"),
        (f"live/a {KEY}\nlive/b {KEY}\n".encode(), 2, "line 1"),
        (b"live/a \xff\xfe\n", 0, "UTF-8"),
        (b"#" * (MAX_BYTES + 1), 0, "more than"),
    ],
)
def test_AU28_fault_has_its_line(tmp_path: Path, data: bytes, line: int, words: str) -> None:
    path = written(tmp_path / "keys", data)
    (fault,) = faults_of_files(AccessConfig(stream_keys_file=path))
    assert (fault.path, fault.line) == (path, line) and words in fault.text
    assert KEY not in str(fault) and str(fault).startswith(f"{path}:{line}:" if line else f"{path}:")


def test_AU28_what_is_no_file_or_anybody_may_write(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    for make, words in ((lambda: None, "No such file"), (path.mkdir, "directory")):
        make()
        with pytest.raises(FileError, match=words):
            read_file("stream_keys_file", str(path))
    path.rmdir()
    os.mkfifo(path)  # nobody will ever write to it
    with pytest.raises(FileError, match="not a regular file"):
        read_file("stream_keys_file", str(path))
    path.unlink()
    written(path, f"live/hall {KEY}\n".encode())
    path.chmod(0o646)
    with pytest.raises(FileError, match="others may write"):
        read_file("stream_keys_file", str(path))


def test_each_file_is_read_once_and_all_or_none(tmp_path: Path) -> None:
    keys = written(tmp_path / "keys", f"live/hall {KEY}\n".encode())
    secret = written(tmp_path / "secret", b"0123456789abcdef\n")
    configs = [AccessConfig(stream_keys_file=keys), AccessConfig(stream_keys_file=keys, sign_keys_file=secret)]
    files = read_files(configs, GuardConfig(node_secret_file=secret))
    assert list(files.stream_keys) == [keys] and files.sign_keys[secret] == (b"0123456789abcdef",)
    assert files.node_secret == b"0123456789abcdef"
    with pytest.raises(FileError):
        read_files([*configs, AccessConfig(users_file=str(tmp_path / "none"))], GuardConfig())
