"""What is said where a node cannot be asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.tools.ctl_client import CANNOT_ASK, Client, CtlError
from proto.edge.v1 import node_pb2
from tests.harness.ports import free_port


def complaint(address: str, *, timeout_s: float = 20.0, ca: str = "") -> str:
    """Why it could not be asked for its status."""
    with pytest.raises(CtlError) as caught:
        client = Client(address, timeout_s=timeout_s, is_tls=bool(ca), ca=ca)
        try:
            client.call(client.node.Status, node_pb2.StatusRequest())
        finally:
            client.close()
    assert caught.value.exit_code == CANNOT_ASK
    return caught.value.text


@pytest.mark.parametrize("address", ["", "host", ":8079", "host:", "host:http", "host:80x"])
def test_addresses_are_a_host_and_a_port(address: str) -> None:
    assert complaint(address) == f"{address}: expected HOST:PORT"


def test_nobody_there() -> None:
    assert "no edge answers there" in complaint(f"127.0.0.1:{free_port()}")


@contextmanager
def silent() -> Iterator[int]:
    """Somebody who accepts, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []
        is_over = threading.Event()

        def accept() -> None:
            listener.settimeout(0.1)
            while not is_over.is_set():
                try:
                    held.append(listener.accept()[0])
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        is_over.set()
        thread.join()
        for each in held:
            each.close()


def test_somebody_there_who_says_nothing() -> None:
    with silent() as port:
        assert "no answer in time" in complaint(f"127.0.0.1:{port}", timeout_s=0.3)


def test_certificates_that_cannot_be_read(tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.pem")
    assert complaint("127.0.0.1:1", ca=missing) == f"{missing}: No such file or directory"
