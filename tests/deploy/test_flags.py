"""Every flag that a deployment sets, or names in a comment, is there, and acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import edge.flags.all  # noqa: F401 - defines them
from edge.flags.not_acted_on import NOT_ACTED_ON
from edge.flags.registry import new_flags
from edge.runtime.main import main
from tests.harness.clock import ROOT
from tests.harness.deployed import flag_lines, flagfiles, places

#: At least one underscore, so that options of other programs are left alone.
_NAMED = re.compile(r"(?<![\w-])-([a-z]+(?:_[a-z0-9]+)+)\b")


def names() -> frozenset[str]:
    return frozenset(new_flags())


def named_flags(path: Path) -> Iterator[str]:
    """Flags that a file names, as ``-name`` or ``-noname``."""
    for name in _NAMED.findall(path.read_text()):
        bare = name.removeprefix("no")
        yield bare if name not in names() and bare in names() else name


@pytest.mark.parametrize("place", flagfiles())
def test_flagfile_passes_the_check(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "edge.flags"
    path.write_text(flagfiles()[place])
    code = main(["--check", "--strict_flagfile", f"--flagfile={path}"])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "not acted on" not in said, said


@pytest.mark.parametrize("path", [*places(), ROOT / "docs" / "deploy.md"], ids=lambda path: path.name)
def test_flags_that_a_file_names_are_there_and_act(path: Path) -> None:
    unknown = {name for name in named_flags(path) if name not in names() or name in NOT_ACTED_ON}
    assert not unknown, f"{path.relative_to(ROOT)}: {sorted(unknown)}"


def test_each_deployment_keeps_the_pages_from_its_public_port() -> None:
    for place, text in flagfiles().items():
        flags = flag_lines(text)
        assert int(flags["internal_port"]) > 0 and flags["internal_port"] != flags["port"], place
