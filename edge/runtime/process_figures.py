"""What the system tells of this process: CPU, memory, descriptors, and its beginning."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from edge.net import system

_PROC = system.PROCESS_FOLDER
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """Figures of a moment; what the system does not tell is None.

    Attributes:
        cpu_user_s, cpu_system_s: since the start.
        resident_bytes: on systems without /proc the most that there has been.
        voluntary_switches, involuntary_switches: of context, since the start.
    """

    cpu_user_s: float
    cpu_system_s: float
    resident_bytes: int
    virtual_bytes: int | None
    shared_bytes: int | None
    fd_count: int | None
    fd_max: int
    thread_count: int | None
    minor_faults: int
    major_faults: int
    voluntary_switches: int
    involuntary_switches: int


def process_figures(proc: Path = _PROC) -> ProcessFigures:
    """Ask the system now: some 0.1 ms."""
    usage = system.usage()
    virtual, resident, shared = _memory(proc)
    if resident is None:
        resident = system.most_resident_bytes()
    return ProcessFigures(
        cpu_user_s=usage.ru_utime,
        cpu_system_s=usage.ru_stime,
        resident_bytes=resident,
        virtual_bytes=virtual,
        shared_bytes=shared,
        fd_count=_told_count(proc / "fd") or _entries(proc / "fd"),
        fd_max=system.descriptor_limit(),
        thread_count=_entries(proc / "task"),
        minor_faults=usage.ru_minflt,
        major_faults=usage.ru_majflt,
        voluntary_switches=usage.ru_nvcsw,
        involuntary_switches=usage.ru_nivcsw,
    )


def _memory(proc: Path) -> tuple[int | None, int | None, int | None]:
    """Virtual, resident and shared bytes: proc(5), statm."""
    with contextlib.suppress(OSError, ValueError):
        virtual, resident, shared = (int(word) for word in (proc / "statm").read_text().split()[:3])
        return virtual * _PAGE_BYTES, resident * _PAGE_BYTES, shared * _PAGE_BYTES
    return None, None, None


def _told_count(folder: Path) -> int:
    """Entries as the kernel tells them (Linux 6.2), 0 where it does not: to list thousands takes milliseconds."""
    with contextlib.suppress(OSError):
        return folder.stat().st_size if folder.is_relative_to(_PROC) else 0
    return 0


def _entries(folder: Path) -> int | None:
    with contextlib.suppress(OSError):
        return len(os.listdir(folder))
    return None


def io_figures(proc: Path = _PROC) -> dict[str, int]:
    """What was read and written since the start, by the names of proc(5); nothing where the system does not tell."""
    found: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        for line in (proc / "io").read_text().splitlines():
            name, _, value = line.partition(":")
            found[name] = int(value)
    return found


def age_s() -> float:
    """Time since the process began, as the system tells; 0.0 where it does not."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # After the name, which may hold anything but ends with the last bracket: field 22 of proc(5), stat.
        ticks = int((_PROC / "stat").read_text().rpartition(")")[2].split()[19])
        return max(time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"), 0.0)
    return 0.0
