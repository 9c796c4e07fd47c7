"""The portable run is what it says, for itself and for all that it starts."""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import os
import select
import socket
import subprocess
import sys

import pytest

from tests.harness import portable
from tests.harness.clock import ROOT
from tests.harness.portable import HIDING, IS_HIDDEN, check_is_hidden, hidden_only, needs_linux, python_path
from tests.harness.server import EdgeServer

_TRIES = """
import asyncio, select, selectors, socket
assert selectors.DefaultSelector is selectors.PollSelector
assert not hasattr(select, "epoll") and not hasattr(socket, "TCP_INFO")
from edge.net.poller import LoopPoller, new_poller
from edge.runtime.loop import new_event_loop
loop = new_event_loop()
assert isinstance(loop, asyncio.SelectorEventLoop), loop
poller = new_poller(loop)
assert type(poller) is LoopPoller
for name, number in (("TCP_USER_TIMEOUT", 18), ("TCP_NOTSENT_LOWAT", 25)):
    try:
        socket.socket().setsockopt(6, number, 1)
    except OSError:
        continue
    raise SystemExit(name)
print("hidden")
"""


@pytest.mark.system("could hide")
def test_folder_on_the_path_is_enough() -> None:
    environment = {**os.environ, "PYTHONPATH": f"{HIDING}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", _TRIES], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("hidden\n", 0), done.stderr


@hidden_only
def test_this_process_has_only_what_macos_has_too() -> None:
    assert not hasattr(socket, "TCP_KEEPIDLE")
    loop = asyncio.new_event_loop()
    assert type(loop._selector).__name__ == "PollSelector"  # type: ignore[attr-defined]
    loop.close()
    with pytest.raises(ImportError):
        importlib.import_module("uvloop")
    with socket.socket() as sock, pytest.raises(OSError):
        fcntl.ioctl(sock.fileno(), 0x5411, b"\0\0\0\0")


def test_daemons_are_of_the_same_kind_as_the_run() -> None:
    with EdgeServer() as server:
        links = [os.readlink(f"/proc/{server.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{server.pid}/fd")]
        assert any("eventpoll" in link for link in links) is not IS_HIDDEN
        assert server.http("/health") == b"OK\n"


@needs_linux
def test_program_that_was_started_past_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    check_is_hidden(os.getpid())
    monkeypatch.setattr(portable, "IS_HIDDEN", True)
    assert python_path().split(os.pathsep) == [str(ROOT), str(HIDING)]
    with select.epoll(), pytest.raises(AssertionError):
        check_is_hidden(os.getpid())


def test_what_is_chosen_exists() -> None:
    assert [name for name in portable.CHOSEN if not (ROOT / name.partition("::")[0]).exists()] == []
