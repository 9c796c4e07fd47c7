from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from edge.builtin import folder
from edge.builtin.folder import Entry, NotShownError, look


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder to be shown, and one beside it that is not."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("geheim")
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "file").write_bytes(b"hello")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "key").symlink_to(tmp_path / "secret" / "key")
    (root / "inside").symlink_to("a/file")
    os.mkfifo(root / "pipe")
    return root


def test_folders_and_files(tree: Path) -> None:
    assert look(str(tree), "a").entries == (
        Entry("b", "folder", os.stat(tree / "a" / "b").st_size),
        Entry("file", "file", 5),
    )
    assert look(str(tree), "a/b").entries == ()
    found = look(str(tree), "/a//file")
    assert (found.entries, found.data, found.more_bytes) == (None, b"hello", 0)
    assert {entry.name: entry.kind for entry in look(str(tree), "").entries or ()} == {
        **{"a": "folder", "inside": "link", "key": "link", "out": "link", "pipe": "other"},
    }


@pytest.mark.parametrize(
    "path",
    [
        *("out", "out/key", "key", "inside", "pipe", "..", "../secret/key", "a/../../secret/key", "a/./file"),
        *("a/..", "\0", "a/file\0"),
    ],
)
def test_X9_nothing_leads_out_and_nothing_else_is_opened(tree: Path, path: str) -> None:
    with pytest.raises(NotShownError):
        look(str(tree), path)


@pytest.mark.parametrize("path", ["x", "a/x", "a/file/x", "x/y"])
def test_what_is_not_there(tree: Path, path: str) -> None:
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        look(str(tree), path)


def test_devices_and_sockets_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotShownError):
        look("/dev", "null")
    with socket.socket(socket.AF_UNIX) as sock:
        monkeypatch.chdir(tmp_path)
        sock.bind("s")
        with pytest.raises(NotShownError):
            look(".", "s")
        assert [entry.kind for entry in look("", "").entries or ()] == ["other"]


def test_name_that_is_another_thing_when_it_is_opened(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_stat = os.stat

    def swapped(path: str, **options: object) -> os.stat_result:
        if path == "key":  # a link has taken the place of a file
            return real_stat(tree / "a" / "file")
        return real_stat(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", swapped)
    with pytest.raises(OSError) as raised:
        look(str(tree), "key")
    assert not isinstance(raised.value, FileNotFoundError)


def test_sizes_are_bounded(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_BYTES", 2)
    monkeypatch.setattr(folder, "MAX_NAMES", 1)
    found = look(str(tree), "a/file")
    assert (found.data, found.more_bytes) == (b"he", 3)
    listed = look(str(tree), "a")
    assert listed.entries is not None and (len(listed.entries), listed.more_count) == (1, 1)


def test_descriptors_are_closed(tree: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in ("", "a", "a/file", "x", "out", "a/file/x"):
        with contextlib.suppress(OSError, NotShownError):
            look(str(tree), path)
    assert len(os.listdir("/proc/self/fd")) == before
