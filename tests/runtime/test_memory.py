"""What a process may have of memory, as control groups of both versions tell it, and what it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.net import system
from edge.runtime.memory import group_bytes, machine_bytes, memory_limit_bytes, resident_bytes

MIB = 1 << 20


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


GROUPS: dict[str, tuple[str, dict[str, str], int]] = {
    "its own": ("0::/a/b\n", {"a/b/memory.max": "104857600\n"}, 100),
    "one above it": ("0::/a/b\n", {"a/memory.max": "104857600\n", "a/b/memory.max": "max\n"}, 100),
    "the least": ("0::/a/b\n", {"a/memory.max": "52428800\n", "a/b/memory.max": "104857600\n"}, 50),
    "of a container": ("0::/not/seen/here\n", {"memory.max": "104857600\n"}, 100),
    "of the first version": (
        "4:memory:/a\n3:cpu:/x\n0::/\n",
        {"memory/a/memory.limit_in_bytes": "104857600\n", "memory/memory.limit_in_bytes": "9223372036854771712\n"},
        100,
    ),
    "none": ("0::/a\n", {"a/memory.max": "max\n"}, 0),
    "nothing that can be read": ("what is this", {}, 0),
}


@pytest.mark.parametrize("group", GROUPS)
def test_the_least_limit_of_the_groups_counts(group: str, tmp_path: Path) -> None:
    said, files, mib = GROUPS[group]
    proc, cgroups = tree(tmp_path / "proc", {"cgroup": said}), tree(tmp_path / "cg", files)
    assert group_bytes(proc, cgroups) == mib * MIB


def test_the_limit_is_the_flag_or_80_percent_of_what_there_is(tmp_path: Path) -> None:
    proc = tree(tmp_path, {"cgroup": "0::/\n", "cg/memory.max": "104857600\n"})
    assert memory_limit_bytes(64, proc=proc, cgroups=proc / "cg") == 64 * MIB
    assert memory_limit_bytes(0, proc=proc, cgroups=proc / "cg") == 80 * MIB
    assert memory_limit_bytes(0, proc=tmp_path / "none", cgroups=tmp_path) == int(machine_bytes() * 0.8) > MIB


def test_what_this_process_has() -> None:
    held = resident_bytes()
    if system.PROCESS_FOLDER.exists():
        assert held is not None and MIB < held < machine_bytes()
    else:
        assert held is None
    assert resident_bytes(Path("/nowhere")) is None


def test_what_is_free_can_be_given_back() -> None:
    system.give_memory_back()
