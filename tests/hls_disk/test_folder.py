"""Files appear whole, and only below the directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.hls_disk.folder import Folder


def test_a_file_appears_in_one_step_and_changes_in_one(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "not" / "there"))
    folder.write("live/a.ts", b"one")
    folder.write("live/a.ts", b"other")
    assert folder.read("live/a.ts", 5) == b"other"
    assert folder.read("live/a.ts", 4) is None
    assert os.listdir(tmp_path / "not" / "there" / "live") == ["a.ts"]
    assert folder.exists("live/a.ts")
    folder.remove("live/a.ts")
    folder.remove("live/a.ts")
    folder.remove("nowhere/a.ts")
    assert not folder.exists("live/a.ts")
    assert folder.read("live/a.ts", 5) is None


@pytest.mark.parametrize("path", ["../a", "a/../../b", "/a", "a//b", "a/./b", "a\0b", ".", ""])
def test_L10_nothing_leads_out(tmp_path: Path, path: str) -> None:
    folder = Folder(str(tmp_path / "root"))
    with pytest.raises(OSError, match="leads out"):
        folder.write(path, b"")
    with pytest.raises(OSError, match="leads out"):
        folder.remove(path)
    assert not folder.exists(path)


def test_L10_links_among_the_directories_are_not_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for made in (root, outside):
        made.mkdir()
    (outside / "a.ts").write_bytes(b"theirs")
    (root / "live").symlink_to(outside)
    (root / "b.ts").symlink_to(outside / "a.ts")
    folder = Folder(str(root))
    for call in (lambda: folder.write("live/a.ts", b"ours"), lambda: folder.remove("live/a.ts")):
        with pytest.raises(OSError, match="live"):
            call()
    assert folder.read("b.ts", 10) is None
    folder.write("b.ts", b"ours")  # takes the place of the link
    assert (outside / "a.ts").read_bytes() == b"theirs"
    assert (root / "b.ts").read_bytes() == b"ours"


def test_the_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    Folder(str(tmp_path / "root")).write("live/a.ts", b"x")
    assert (tmp_path / "disk" / "live" / "a.ts").exists()


def test_L10_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    (tmp_path / "a.ts").mkdir()
    with pytest.raises(OSError, match=r"a\.ts"):
        folder.write("a.ts", b"x")
    assert os.listdir(tmp_path) == ["a.ts"]
    (tmp_path / "live").write_bytes(b"a file where a directory is to be")
    with pytest.raises(OSError, match="live"):
        folder.write("live/a.ts", b"x")


def test_hidden_files_are_found_and_half_written_ones_go(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    for name in ("a/.x.m3u8.state", ".y.state", "a/z.state", "a/.cam-5.ts.edge-tmp"):
        folder.write(name, b"")
    assert sorted(folder.hidden(".state")) == [".y.state", "a/.x.m3u8.state"]
    assert not folder.exists("a/.cam-5.ts.edge-tmp")


def test_case_is_tried(tmp_path: Path) -> None:
    (tmp_path / "Aa").write_bytes(b"")
    folder = Folder(str(tmp_path))
    assert folder.folds_case() == (tmp_path / "aA").exists()
    assert os.listdir(tmp_path) == ["Aa"]
    (tmp_path / "file").write_bytes(b"")
    assert not Folder(str(tmp_path / "file" / "below")).folds_case()
