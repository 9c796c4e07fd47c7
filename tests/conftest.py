"""How the tests are dealt out to the two workers, and what a missing program means."""

from __future__ import annotations

import pytest
from _pytest.terminal import TerminalReporter

from tests.harness.clock import left_out
from tests.harness.portable import is_elsewhere

_REAL_TIME_MARKERS = ("interop", "faults", "slow", "browser")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out those of other systems, and deal out the rest.

    The tests of one file stay on one worker, and all that measure real time on the
    same one: two of them side by side would falsify each other's deadlines. They go
    first, since together they take longest.
    """
    if elsewhere := [item for item in items if is_elsewhere(item)]:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]
    for item in items:
        is_real_time = any(item.get_closest_marker(name) for name in _REAL_TIME_MARKERS)
        group = "real-time" if is_real_time else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in _REAL_TIME_MARKERS))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say in one line which tests did not run for want of a program, and how to get it."""
    skipped = terminalreporter.stats.get("skipped", ())
    line = left_out(str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple))
    if line:
        terminalreporter.write_line(line, yellow=True)
