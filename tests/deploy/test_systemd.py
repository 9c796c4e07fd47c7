"""The units are in order for systemd itself, and fit the drain."""

from __future__ import annotations

import subprocess
from pathlib import Path

import edge.flags.all  # noqa: F401 - defines them
from edge.flags.registry import new_flags
from edge.runtime import exit_codes
from tests.harness.clock import deadline, require_program
from tests.harness.deployed import DEPLOY, flag_lines

UNITS = DEPLOY / "systemd"
PROGRAM = "/opt/edge/bin/edge"


def directives(name: str) -> dict[str, list[str]]:
    """All values of each directive of a unit file, whatever its section."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    """Its paths are taken to be there: the program is not installed where the tests run."""
    for path in UNITS.glob("edge.s*"):
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAM, "/bin/true"))
    done = subprocess.run(
        [require_program("systemd-analyze"), "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        timeout=deadline(20),
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) not in done.stderr, done.stderr


def test_service_is_shut_in(tmp_path: Path) -> None:
    """By systemd's own account of how much a service could do to the machine: 0 is nothing, 100 all."""
    path = tmp_path / "edge.service"
    path.write_text((UNITS / "edge.service").read_text().replace(PROGRAM, "/bin/true"))
    done = subprocess.run(
        [require_program("systemd-analyze"), "security", "--no-pager", "--offline=yes", "--threshold=25", str(path)],
        capture_output=True,
        text=True,
        timeout=deadline(20),
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_service_waits_longer_than_the_drain() -> None:
    service = directives("edge.service")
    assert service["Type"] == ["notify"]
    assert service["NotifyAccess"] == ["all"], "a process that takes over by -upgrade_socket is not the main one yet"
    assert int(service["TimeoutStopSec"][0]) >= new_flags()["grace_term_s"].value + 5
    assert service["KillMode"] == ["mixed"] and service["KillSignal"] == ["SIGTERM"]


def test_service_is_started_again_after_all_but_wrong_flags() -> None:
    service = directives("edge.service")
    assert service["Restart"] == ["on-failure"]
    assert service["RestartPreventExitStatus"] == [str(exit_codes.CONFIG)]
    assert exit_codes.CONFIG not in (exit_codes.INTERNAL, exit_codes.BUSY)


def test_service_checks_the_flags_before_it_reloads() -> None:
    service = directives("edge.service")
    start = service["ExecStart"][0].removeprefix(PROGRAM)
    check, reload = service["ExecReload"]
    assert check == f"{PROGRAM} --check{start}"
    assert reload == "/bin/kill -HUP $MAINPID"


def test_socket_has_the_ports_of_the_flagfile() -> None:
    flags = flag_lines((UNITS / "edge.flags").read_text())
    assert directives("edge.socket")["ListenStream"] == [flags["port"], *flags["listen"].split(",")]
