from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from edge.tools import demo
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
        assert demo.run(SLEEP, SLEEP, port) == 75
    assert f"port {port} is taken" in capfd.readouterr().err


def test_ends_both_when_the_picture_ends(capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    code = demo.run([sys.executable, "-c", LISTEN, str(port)], [sys.executable, "-c", "raise SystemExit(3)"], port)
    assert code == 3
    assert "The origin is running" in capfd.readouterr().out
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_says_when_the_server_does_not_start(capfd: pytest.CaptureFixture[str]) -> None:
    code = demo.run([sys.executable, "-c", "raise SystemExit(75)"], SLEEP, free_port())
    assert code == 75
    assert "exit code 75" in capfd.readouterr().err


def test_interrupt_ends_both(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def open_and_keep(command: list[str], **options: int) -> subprocess.Popen[bytes]:
        started.append(popen(command, **options))
        return started[-1]

    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", open_and_keep)
    monkeypatch.setattr(demo, "guide", interrupt)
    port = free_port()
    assert demo.run([sys.executable, "-c", LISTEN, str(port)], SLEEP, port) == 0
    assert len(started) == 2
    assert all(child.poll() is not None for child in started)
