"""What was set while the program ran is written, whole or not at all."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge.flags.gflags import Parsed, parse
from edge.flags.registry import value_of
from edge.runtime.save_flags import SaveError, save


def running(path: Path | str, *arguments: str, **values: object) -> Parsed:
    """Flags that were started with, then set."""
    parsed = parse([*arguments, f"-save_flagfile={path}"])
    for name, value in values.items():
        parsed.flags[name].value = value
    return parsed


def test_it_is_read_again_at_its_place_and_nobody_else_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "saved.flags"
    parsed = running(path, "-v=1", v=3, log_error_text=True, admin_allowed_hosts=("a", "b"), vmodule="x=1")
    saved = save(parsed, ["v", "log_error_text", "admin_allowed_hosts", "vmodule"], "10.0.0.1:5")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().splitlines()[1:] == [
        *("-admin_allowed_hosts=a,b", "-log_error_text=true", "-v=3", "-vmodule=x=1"),
    ]
    assert "for 10.0.0.1:5" in path.read_text().splitlines()[0]
    read = parse(parsed.arguments)
    assert not read.problems
    for name in saved.names:
        assert value_of(read.flags, name) == value_of(parsed.flags, name)
        assert read.where(name).startswith(f"{path}:")
    assert list(tmp_path.iterdir()) == [path]


def test_what_stands_in_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "saved.flags"
    save(running(path, v=3), ["v"], "a")
    saved = save(running(path, minloglevel=1), ["minloglevel"], "b")
    assert saved.names == ("minloglevel", "v")
    assert value_of(saved.read.flags, "v") == 3


def test_before_the_first_save_there_is_no_file_and_no_fault(tmp_path: Path) -> None:
    parsed = running(tmp_path / "saved.flags")
    assert (parsed.problems, parsed.flagfiles) == ([], [])


def test_what_it_says_is_judged_as_any_flagfile(tmp_path: Path) -> None:
    path = tmp_path / "saved.flags"
    path.write_text("-v=x\n")
    (problem,) = running(path).problems
    assert problem.where == f"{path}:1"


@pytest.mark.parametrize("name", ["", "folder", "nowhere/saved.flags"])
def test_what_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    parsed = parse([])
    parsed.flags["save_flagfile"].value = str(tmp_path / name) if name else ""
    with pytest.raises(SaveError, match="-save_flagfile"):
        save(parsed, ["v"], "a")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_value_that_no_line_can_hold_is_refused_and_the_file_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "saved.flags"
    save(running(path, v=3), ["v"], "a")
    before = path.read_text()
    with pytest.raises(SaveError, match="-vmodule"):
        save(running(path, vmodule="a=1 "), ["vmodule"], "a")
    assert path.read_text() == before
