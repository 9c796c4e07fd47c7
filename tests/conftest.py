"""How the tests are dealt out to the workers, and what a missing program means."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import hypothesis
import pytest
from _pytest.terminal import TerminalReporter

from tests.harness.clock import left_out
from tests.harness.portable import is_elsewhere

# However busy the machine is: pytest-timeout ends what hangs.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

# Images that run checks forbid bytecode often; each program of the tests would then compile the daemon anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Whoever starts the tests in the background of a shell has them ignore SIGINT, and so would all programs of theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_REAL_TIME_MARKERS = ("interop", "faults", "slow", "browser")
_BROWSER = "tests/browser/"
#: Rooms of which no test waits for anything.
_PURE = frozenset(
    ["conf", "facts", "flags", "hls", "hub", "lb", "logbook", "media", "properties", "quality", "rtmp", "service"]
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out those of other systems, and put the rest in the order in which they are dealt out.

    The tests of one file stay on one worker (``--dist loadfile``). Files that measure real time mostly wait, so that
    there are more workers than cores; they come first, those with the most tests before others, and no file that keeps
    a core busy for long runs beside them. The pure ones do, and come last; they are short, so that all workers end at
    nearly the same time.
    """
    if elsewhere := [item for item in items if is_elsewhere(item)]:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]
    scopes: dict[str, list[pytest.Item]] = {}
    for item in items:
        scopes.setdefault(scope_of(item.nodeid), []).append(item)
    in_order = sorted(scopes.values(), key=_turn)
    items[:] = [item for scope in in_order for item in scope]


def scope_of(nodeid: str) -> str:
    """What stays on one worker: a file, and all that need a browser, of which one at a time is enough for a machine."""
    file = nodeid.partition("::")[0]
    return _BROWSER if file.startswith(_BROWSER) else file


def _turn(scope: list[pytest.Item]) -> tuple[int, bool, int]:
    """What a scope is sorted by."""
    room = scope[0].nodeid.split("/")[1]
    return -sum(map(_is_real_time, scope)), room in _PURE, -len(scope)


def _is_real_time(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in _REAL_TIME_MARKERS)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """That of ``--dist loadfile``, by :func:`scope_of`."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scope_of(nodeid)

    return Scheduling(config, log)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say in one line which tests did not run for want of a program, and how to get it."""
    skipped = terminalreporter.stats.get("skipped", ())
    line = left_out(str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple))
    if line:
        terminalreporter.write_line(line, yellow=True)
