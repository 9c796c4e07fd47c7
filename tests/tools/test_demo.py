from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest

from edge.tools import demo
from tests.harness.clock import ROOT, deadline
from tests.harness.ports import free_port

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
LISTEN = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(60)
"""


def test_guide_names_the_urls() -> None:
    text = demo.guide(8079)
    for url in (
        "http://127.0.0.1:8079/",
        "http://127.0.0.1:8079/play/live/demo",
        "rtmp://127.0.0.1:8079/live/demo",
        "rtmp://127.0.0.1:8079/live/mine",
    ):
        assert url in text


def test_guide_names_a_relay_that_can_be_pasted() -> None:
    relay = next(line for line in demo.guide(18079).splitlines() if line.strip().startswith("relay"))
    program = relay.split()[1]
    assert subprocess.run([program, "--version"], capture_output=True).returncode == 0
    assert "-port=18080 -proxy_to=127.0.0.1:18079" in relay


def test_taken_port_is_told_before_anything_starts(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert demo.run(SLEEP, SLEEP, port, demo.Ending()) == 75
    assert f"port {port} is taken" in capfd.readouterr().err


def test_ends_both_when_the_picture_ends(capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    picture = [sys.executable, "-c", "raise SystemExit(3)"]
    code = demo.run([sys.executable, "-c", LISTEN, str(port)], picture, port, demo.Ending())
    assert code == 3
    assert "The origin is running" in capfd.readouterr().out
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_says_when_the_server_does_not_start(capfd: pytest.CaptureFixture[str]) -> None:
    code = demo.run([sys.executable, "-c", "raise SystemExit(75)"], SLEEP, free_port(), demo.Ending())
    assert code == 75
    assert "exit code 75" in capfd.readouterr().err


def test_two_interrupts_at_once_end_both() -> None:
    """As when Ctrl-C is pressed twice, or reaches us both from the terminal and from a program that passes it on."""
    port = free_port()
    script = "import sys; from edge.tools import demo; end = demo.Ending(); end.take_signals(); "
    script += f"sys.exit(demo.run({[sys.executable, '-c', LISTEN, str(port)]!r}, {SLEEP!r}, {port}, end))"
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        while "Ctrl-C" not in program.stdout.readline():
            assert program.poll() is None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            program.send_signal(number)
        assert program.wait(deadline(10)) == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_an_end_before_the_server_listens(capfd: pytest.CaptureFixture[str]) -> None:
    ending = demo.Ending()
    ending.ask()
    assert demo.run(SLEEP, SLEEP, free_port(), ending) == 0
    assert capfd.readouterr() == ("", "")
