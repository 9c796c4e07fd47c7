"""Sockets that a service manager has opened: which are ours, and what each is for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from edge.errors import ConfigError
from edge.handover.keys import SocketKey
from edge.net.byte_stream import ListeningSocket
from edge.runtime.activation import Passed, open_passed, passed_descriptors, take_roles
from tests.harness.clock import ROOT, deadline, wait_until_sync


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, []),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "8", "LISTEN_FDNAMES": "public:internal"}, []),
        ({"LISTEN_FDS": "0", "LISTEN_PID": "7"}, []),
        (
            {"LISTEN_FDS": "2", "LISTEN_PID": "7", "LISTEN_FDNAMES": "public:internal"},
            [Passed(3, "public"), Passed(4, "internal")],
        ),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "7", "LISTEN_FDNAMES": "public"}, [Passed(3, ""), Passed(4, "")]),
        ({"LISTEN_FDS": "1"}, [Passed(3, "")]),
    ],
)
def test_descriptors_are_those_that_are_meant_for_this_process(environ: dict[str, str], found: list[Passed]) -> None:
    assert passed_descriptors(environ, 7) == found


def test_a_count_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="LISTEN_FDS=many: not a number"):
        passed_descriptors({"LISTEN_FDS": "many"}, 7)


@pytest.fixture
def listening() -> Iterator[list[ListeningSocket]]:
    """Three on the loopback."""
    sockets = []
    for _ in range(3):
        sock = ListeningSocket(socket.AF_INET)
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        sockets.append(sock)
    yield sockets
    for sock in sockets:
        sock.close()


def test_a_name_decides_what_a_socket_is_for_and_else_its_port(listening: list[ListeningSocket]) -> None:
    first, second, third = listening
    port = third.getsockname()[1]
    wanted = [SocketKey("", at, role) for at, role in ((8079, "public"), (1935, "public"), (8080, "internal"))]
    wanted.append(SocketKey("", port, "merge"))
    passed = [(first, "public"), (second, "public"), (third, "edge.socket")]
    found, left = take_roles(passed, wanted)
    assert [(sock, key.role) for sock, key in found] == [(first, "public"), (second, "public"), (third, "merge")]
    assert left == [SocketKey("", 8080, "internal")]
    assert take_roles([], wanted) == ([], wanted)


def test_a_socket_that_is_for_nothing_is_named(listening: list[ListeningSocket]) -> None:
    port = listening[0].getsockname()[1]
    for name in ("edge.socket", "internal"):
        with pytest.raises(ConfigError, match=rf"127.0.0.1:{port} \({name}\) is for nothing: name it public"):
            take_roles([(listening[0], name)], [SocketKey("", 8079, "public"), SocketKey("", 0, "public")])


def test_what_does_not_listen_is_refused_by_name_and_the_others_closed(listening: list[ListeningSocket]) -> None:
    good = os.dup(listening[0].fileno())
    unix, _other = socket.socketpair()
    with pytest.raises(ConfigError, match=rf"passed descriptor {unix.fileno()} \(odd\) is no listening TCP socket"):
        open_passed([Passed(good, "public"), Passed(unix.detach(), "odd")])
    with pytest.raises(OSError):
        os.fstat(good)
    _other.close()


def test_a_server_serves_on_a_socket_that_was_passed() -> None:
    """As systemd starts it: the descriptor is 3, and the environment says whose it is."""
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    script = (
        "import os, sys\nfd = int(sys.argv[1])\nif fd != 3:\n    os.dup2(fd, 3)\nos.set_inheritable(3, True)\n"
        "os.environ['LISTEN_PID'] = str(os.getpid())\nos.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
    )
    command = [sys.executable, "-c", script, str(sock.fileno()), "-m", "edge", "-port=0", "-bind=127.0.0.1"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "public"}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environ, pass_fds=[sock.fileno()], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        # Whoever connects before it is there waits in the socket.
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=deadline(10)) as answer:
            assert answer.read() == b"OK\n"
        process.terminate()
        _, log = process.communicate(timeout=deadline(5))
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert f"is serving on port={port}." in log.decode()
    with socket.create_connection(("127.0.0.1", port)):
        pass  # it is the manager's: it is still open
    sock.close()
    wait_until_sync(lambda: process.poll() is not None, deadline(1), "its end")
