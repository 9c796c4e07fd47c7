"""The tool that asks for an upgrade; the upgrade itself is tried in ``tests/faults/test_upgrade.py``."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.handover.channel import Channel
from edge.handover.frames import Kind
from edge.tools.upgrade import CANNOT_ASK, DONE, FAILED, main


@contextmanager
def server(path: Path, kind: Kind, text: bytes) -> Iterator[None]:
    """Answers one order."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def answer() -> None:
        channel = Channel(listening.accept()[0])
        channel.set_deadline(30_000)
        channel.expect(Kind.ORDER)
        channel.send(kind, text)
        channel.close()

    thread = threading.Thread(target=answer)
    thread.start()
    yield
    thread.join()
    listening.close()


@pytest.mark.parametrize(
    ("kind", "text", "code", "says"),
    [
        (Kind.OUTCOME, b"handed over to process 7", DONE, "handed over to process 7"),
        (Kind.REFUSED, b"it is ending", FAILED, "not upgraded, the server goes on: it is ending"),
    ],
)
def test_what_came_of_it_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: Kind, text: bytes, code: int, says: str
) -> None:
    path = tmp_path / "upgrade"
    with server(path, kind, text):
        assert main([str(path)]) == code
    out = capsys.readouterr()
    assert says in out.out + out.err


def test_nobody_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none")]) == CANNOT_ASK
    assert "No such file" in capsys.readouterr().err
