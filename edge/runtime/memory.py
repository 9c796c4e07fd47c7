"""How much memory this process may have and has, and giving back to the system what is free."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from edge.net import system

#: Of what the control group, or else the machine, allows: the rest is the kernel's, for sockets and files.
_SHARE = 0.8
#: A control group of the first version without a limit says a number near 2**63.
_NO_LIMIT_BYTES = 1 << 60
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def memory_limit_bytes(
    max_memory_mb: int, *, proc: Path = system.PROCESS_FOLDER, cgroups: Path = system.CONTROL_GROUPS
) -> int:
    """What ``-max_memory_mb`` means here: 0 is 80 % of the control group's limit or of the machine, whichever is less.

    0 when nobody tells.
    """
    if max_memory_mb:
        return max_memory_mb << 20
    limits = [limit for limit in (machine_bytes(), group_bytes(proc, cgroups)) if limit]
    return int(min(limits) * _SHARE) if limits else 0


def machine_bytes() -> int:
    """Memory of the machine, 0 when it does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * _PAGE_BYTES
    except (AttributeError, OSError, ValueError):
        return 0


def group_bytes(proc: Path, cgroups: Path) -> int:
    """The least limit of the control groups that this process is in, of both versions; 0 for none (cgroups(7))."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        for line in (proc / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                found += _limits(cgroups, path, "memory.max")
            elif "memory" in controllers.split(","):
                found += _limits(cgroups / "memory", path, "memory.limit_in_bytes")
    return min(found, default=0)


def _limits(root: Path, path: str, name: str) -> list[int]:
    """Of a group and those above it; where the group's own folder cannot be seen, as in a container, of the root's."""
    found: list[int] = []
    parts = Path(path.lstrip("/")).parts
    for count in range(len(parts), -1, -1):
        with contextlib.suppress(OSError, ValueError):
            limit = int(root.joinpath(*parts[:count], name).read_text())
            if 0 < limit < _NO_LIMIT_BYTES:
                found.append(limit)
    return found


def resident_bytes(proc: Path = system.PROCESS_FOLDER) -> int | None:
    """Memory that this process has now: some 10 us. None where only the most there has been is known."""
    try:
        return int((proc / "statm").read_bytes().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None
