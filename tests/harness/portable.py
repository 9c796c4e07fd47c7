"""The portable run: end-to-end tests with all hidden that only Linux has.

``python -m tests.harness.portable [options of pytest] [tests]`` runs the tests given, or those chosen here,
in interpreters that ``tests/portable/sitecustomize.py`` has cut down, as are all programs they start.
"""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

import pytest

from tests.harness.clock import ROOT

#: This process is part of a portable run.
IS_HIDDEN = not hasattr(select, "epoll") and sys.platform == "linux"
HIDING = ROOT / "tests" / "portable"

#: For tests of what only Linux has, and of what a portable run is: elsewhere they are none of the tests.
needs_linux, hidden_only = pytest.mark.system("linux"), pytest.mark.system("hidden")
_SYSTEMS = {"linux": hasattr(select, "epoll"), "hidden": IS_HIDDEN, "could hide": sys.platform == "linux"}


def is_elsewhere(item: pytest.Item) -> bool:
    """Whether a test is of another system than this one."""
    return not all(_SYSTEMS[mark.args[0]] for mark in item.iter_markers("system"))


#: RTMP, HTTP and upstreams from end to end, in one process and with daemons.
CHOSEN = (
    "tests/harness/test_portable.py",
    "tests/net",
    "tests/httpd",
    *(f"tests/upstream/test_{name}.py" for name in ("health_check", "link", "manager", "pool", "pull", "push")),
    "tests/runtime/test_daemon.py",
    "tests/runtime/test_host.py",
    "tests/runtime/test_late_http.py",
    "tests/runtime/test_loop.py",
    "tests/runtime/test_node.py",
    "tests/runtime/test_gather.py",
    "tests/runtime/test_unit.py",
    "tests/hostile/test_detection.py",
    "tests/faults/test_upstream_rows.py",
    "tests/faults/test_decisions_publisher.py::test_push_cut_by_resets_loses_and_doubles_nothing_at_the_origins_players",
    "tests/interop/test_chain.py::test_R2_publisher_at_the_far_edge_reaches_a_player_at_each_node",
    "tests/interop/test_peers.py::test_R3_rtmpdump_plays",
)


def python_path(*first: Path) -> str:
    """``PYTHONPATH`` of a program of the tests: these places, ours, and what hides Linux if it is hidden here."""
    hiding = (HIDING,) if IS_HIDDEN else ()
    return os.pathsep.join(map(str, (*first, ROOT, *hiding)))


def check_is_hidden(pid: int) -> None:
    """In a portable run fail if the program holds an epoll set: it was started past what hides them."""
    if not IS_HIDDEN:
        return
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(link)
        except OSError:  # it has been closed
            continue
        assert "eventpoll" not in target, f"process {pid} of a portable run uses epoll"


def main(arguments: list[str]) -> None:
    """Become pytest."""
    has_tests = any((ROOT / argument.partition("::")[0]).exists() for argument in arguments if argument[:1] != "-")
    command = [sys.executable, "-m", "pytest", *arguments, *(() if has_tests else CHOSEN)]
    path = os.pathsep.join((str(HIDING), str(ROOT)))
    os.chdir(ROOT)
    os.execve(sys.executable, command, {**os.environ, "PYTHONPATH": path})


if __name__ == "__main__":
    main(sys.argv[1:])
