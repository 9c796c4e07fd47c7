"""How the tests are dealt out to the two workers, and what a missing program means."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TypeVar

import hypothesis
import pytest
from _pytest.terminal import TerminalReporter

from tests.harness.clock import left_out
from tests.harness.portable import is_elsewhere

Value = TypeVar("Value")

# However busy the machine is: pytest-timeout ends what hangs.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

# Images that run checks forbid bytecode often; each program of the tests would then compile the daemon anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_REAL_TIME_MARKERS = ("interop", "faults", "slow", "browser")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out those of other systems, and deal out the rest.

    The tests of one file stay on one worker (``--dist loadfile``). Files that measure real time mostly wait, and two
    side by side would falsify each other's deadlines; so they are spread evenly among those that keep a core busy.
    """
    if elsewhere := [item for item in items if is_elsewhere(item)]:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    waiting = [file for file in files.values() if any(map(_is_real_time, file))]
    busy = [file for file in files.values() if not any(map(_is_real_time, file))]
    items[:] = [item for file in evenly(waiting, busy) for item in file]


def _is_real_time(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in _REAL_TIME_MARKERS)


def evenly(fewer: Sequence[Value], more: Sequence[Value]) -> list[Value]:
    """Both in their order, with equal distances between those of each."""
    placed = [((number + 1) / (len(each) + 1), value) for each in (fewer, more) for number, value in enumerate(each)]
    return [value for _, value in sorted(placed, key=lambda one: one[0])]


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say in one line which tests did not run for want of a program, and how to get it."""
    skipped = terminalreporter.stats.get("skipped", ())
    line = left_out(str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple))
    if line:
        terminalreporter.write_line(line, yellow=True)
