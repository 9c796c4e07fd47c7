"""The path of ``-upgrade_socket``: whose it is, and what becomes of it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.net.listener import PortBusyError
from edge.runtime import upgrade_socket
from edge.runtime.upgrade_socket import UpgradeSocket
from tests.harness.clock import deadline, wait_until


def served(path: Path, heard: list[socket.socket], old_pid: int | None = None) -> UpgradeSocket:
    return UpgradeSocket(str(path), asyncio.get_running_loop(), heard.append, old_pid=old_pid)


@pytest.fixture
def heard() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    yield sockets
    for sock in sockets:
        sock.close()


def knock(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))


async def test_a_path_that_another_server_has_is_refused(tmp_path: Path, heard: list[socket.socket]) -> None:
    path = tmp_path / "upgrade"
    with closing(served(path, heard)):
        with pytest.raises(PortBusyError, match=r"another server, pid=\d+, listens there"):
            served(path, heard)
        with pytest.raises(PortBusyError):
            served(path, heard, old_pid=os.getpid() + 1)
        await wait_until(lambda: len(heard) == 2, deadline(1), "those who looked")
        knock(path)
        await wait_until(lambda: len(heard) == 3, deadline(1), "it still has it")
    assert not path.exists()
    assert os.listdir(tmp_path) == []


async def test_a_path_that_a_killed_server_has_left_is_taken(tmp_path: Path, heard: list[socket.socket]) -> None:
    path = tmp_path / "upgrade"
    with closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(str(path))
    with closing(served(path, heard)):
        knock(path)
        await wait_until(lambda: heard, deadline(1), "the new one")


async def test_a_file_is_not_replaced(tmp_path: Path, heard: list[socket.socket]) -> None:
    path = tmp_path / "edge.flags"
    path.write_text("-port=1\n")
    with pytest.raises(OSError, match="no socket"):
        served(path, heard)
    assert path.read_text() == "-port=1\n"


@pytest.mark.parametrize("is_known", [False, True])
async def test_only_its_own_path_is_removed(tmp_path: Path, heard: list[socket.socket], is_known: bool) -> None:
    path = tmp_path / "upgrade"
    old = served(path, heard)
    with closing(served(path, heard, os.getpid() if is_known else 0)):
        old.close()
        knock(path)
        path.rename(tmp_path / "moved")
        path.write_text("somebody else's")
    assert path.read_text() == "somebody else's"


async def test_it_does_not_spin_without_descriptors(
    tmp_path: Path, heard: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Exhausted:
        """The listening socket of a process that has no descriptor left."""

        def __init__(self, sock: socket.socket) -> None:
            self.sock, self.asked = sock, 0

        def accept(self) -> tuple[socket.socket, object]:
            self.asked += 1
            if self.asked < 3:
                raise OSError(errno.EMFILE, "Too many open files")
            return self.sock.accept()

        def fileno(self) -> int:
            return self.sock.fileno()

        def close(self) -> None:
            self.sock.close()

    monkeypatch.setattr(upgrade_socket, "_PAUSE_S", 0.2)
    path = tmp_path / "upgrade"
    with closing(served(path, heard)) as one:
        exhausted = Exhausted(one._sock)
        one._sock = exhausted  # type: ignore[assignment]
        knock(path)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await wait_until(lambda: heard, deadline(1), "who has come")
        assert exhausted.asked == 3
        assert loop.time() - began >= 0.35, "two pauses"


def test_a_server_whose_path_is_taken_says_so_and_may_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "upgrade"
    with closing(socket.socket(socket.AF_UNIX)) as other:
        other.bind(str(path))
        other.listen()
        command = [sys.executable, "-m", "edge", "-port=0", "-bind=127.0.0.1", f"-upgrade_socket={path}"]
        ended = subprocess.run(command, capture_output=True, timeout=deadline(10), check=False)
    assert ended.returncode == 75
    assert b"another server, pid=%d, listens there" % os.getpid() in ended.stderr
