"""What a service manager is told, read from a socket as systemd's."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.runtime.service_manager import ServiceManager, forget_descriptors
from tests.harness.clock import deadline


class Manager:
    """The other side: a datagram socket at a path, or in the abstract name space."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(deadline(2))

    def read(self) -> dict[str, str]:
        """The fields of the next message."""
        return dict(line.split("=", 1) for line in self._socket.recv(65536).decode().split("\n"))

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    if request.param == "abstract" and not Path("/proc").exists():
        pytest.skip("only Linux has abstract names")
    one = Manager(f"@edge-test-{secrets.token_hex(8)}" if request.param == "abstract" else str(tmp_path / "notify"))
    yield one
    one.close()


def test_each_message_is_one_datagram_with_its_fields(manager: Manager) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": manager.address}, 1)
    told.ready("serving on public=8079")
    assert manager.read() == {"READY": "1", "STATUS": "serving on public=8079"}
    told.ready("x", is_new_process=True)
    assert manager.read() == {"MAINPID": "1", "READY": "1", "STATUS": "x"}
    before_us = time.monotonic_ns() // 1000
    told.reloading()
    message = manager.read()
    assert message["RELOADING"] == "1"
    assert before_us <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    told.stopping("two\nlines")
    assert manager.read() == {"STOPPING": "1", "STATUS": "two lines"}
    told.extend(1500)
    assert manager.read() == {"EXTEND_TIMEOUT_USEC": "1500000"}
    told.alive()
    assert manager.read() == {"WATCHDOG": "1"}
    told.status("x" * 9999)
    assert len(manager.read()["STATUS"]) == 512
    told.close()
    told.alive()


@pytest.mark.parametrize(
    ("environ", "every_ms"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "30000000"}, 15000),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 15000),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0),
        ({"WATCHDOG_USEC": "0"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({"WATCHDOG_USEC": "3"}, 1),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_need_be(environ: dict[str, str], every_ms: int) -> None:
    told = ServiceManager({"NOTIFY_SOCKET": "/nowhere", **environ}, 7)
    assert told.watchdog_ms == every_ms
    told.close()
    assert ServiceManager(environ, 7).watchdog_ms == 0, "nobody listens"


def test_without_a_manager_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    for address in ("", "relative/path"):
        told = ServiceManager({"NOTIFY_SOCKET": address} if address else {}, 7)
        told.ready("x")
        told.close()
        assert not told.is_there
    assert "NOTIFY_SOCKET=relative/path is neither a path nor abstract" in caplog.text


def test_a_manager_that_has_gone_or_is_busy_does_no_harm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    busy = Manager(str(tmp_path / "busy"))
    told = ServiceManager({"NOTIFY_SOCKET": busy.address}, 7)
    for _ in range(5000):
        told.alive()
    assert not caplog.records
    busy.close()
    told.alive()
    assert "the service manager cannot be told: " in caplog.text
    told.close()


def test_children_inherit_where_the_manager_is_and_nothing_that_is_ours() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "LISTEN_FDS": "1", "LISTEN_PID": "1", "WATCHDOG_PID": "5", "WATCHDOG_USEC": "9"}
    forget_descriptors(environ)
    assert environ == {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "9"}
