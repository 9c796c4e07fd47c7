"""The pid file, which two processes cannot have, and the port file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.runtime.pid_file import InstanceRunningError, PidFile, PortFile


def test_it_holds_the_decimal_number_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "run" / "edge" / "edge.pid"
    pid_file = PidFile(str(path))
    pid_file.acquire()
    assert path.read_text() == str(os.getpid())
    assert path.parent.stat().st_mode & 0o777 == 0o750 & ~_umask()
    pid_file.release()
    pid_file.release()
    assert not path.exists()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_T12_a_second_instance_is_refused_by_name(tmp_path: Path) -> None:
    path = str(tmp_path / "edge.pid")
    first, second = PidFile(path), PidFile(path)
    first.acquire()
    with pytest.raises(InstanceRunningError, match=f"locked by process {os.getpid()}: a server with this file runs"):
        second.acquire()
    second.release()
    assert Path(path).exists(), "the one that was refused does not take it away"
    first.release()
    second.acquire()
    second.release()


def test_a_file_that_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "edge.pid"
    script = (
        "import os, sys\nfrom edge.runtime.pid_file import PidFile\n"
        "PidFile(sys.argv[1]).acquire()\nos.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], timeout=60)
    assert killed.returncode == -9
    left = path.read_text()
    assert left.isdecimal()
    pid_file = PidFile(str(path))
    pid_file.acquire()
    assert path.read_text() == str(os.getpid()) != left
    pid_file.release()


def test_a_file_that_is_removed_while_it_is_waited_for_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "edge.pid"
    opened = []

    def open_then_remove(*arguments: object) -> int:
        fd = real(*arguments)  # type: ignore[arg-type]
        if not opened:
            path.unlink()  # as the one that ends does
        opened.append(fd)
        return fd

    real = os.open
    monkeypatch.setattr(os, "open", open_then_remove)
    pid_file = PidFile(str(path))
    pid_file.acquire()
    assert path.read_text() == str(os.getpid()) and len(opened) == 2
    pid_file.release()


def test_a_file_that_cannot_be_written_is_told_of_and_no_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    pid_file = PidFile(str(tmp_path / "file" / "edge.pid"))
    pid_file.acquire()
    pid_file.release()
    port_file = PortFile(str(tmp_path / "file" / "ports"))
    port_file.write({"public": [1]})
    port_file.remove()
    assert "edge.pid cannot be written: " in caplog.text
    assert "ports cannot be written: " in caplog.text


def test_the_port_file_has_a_line_for_each_role_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "run" / "ports"
    port_file = PortFile(str(path))
    port_file.write({"public": [8079, 1935], "internal": [8080]})
    port_file.write({"public": [8079, 1935], "internal": [8080]})
    assert path.read_text() == "public=8079,1935\ninternal=8080\n"
    assert [each.name for each in path.parent.iterdir()] == ["ports"]
    port_file.remove()
    port_file.remove()
    assert not path.exists()


def test_the_port_file_of_another_process_stays(tmp_path: Path) -> None:
    path = tmp_path / "ports"
    first, second, failed = (PortFile(str(path)) for _ in range(3))
    first.write({"public": [1]})
    failed.remove()
    assert path.exists()
    second.write({"public": [2]})
    first.remove()
    assert path.read_text() == "public=2\n"
    second.is_handed_over = True
    second.remove()
    assert path.exists()
