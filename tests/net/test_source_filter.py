"""The kernel drops the first packets of some networks, and of nobody else."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from edge.net import system
from edge.net.listener import open_socket
from edge.net.source_filter import MAX_NETWORKS, source_filter
from edge.service.client_network import network_of
from tests.harness.clock import deadline
from tests.harness.portable import needs_linux

MANY = [network_of(f"192.0.2.{number}") for number in range(MAX_NETWORKS // 2 - 1)]
MANY_V6 = [network_of(f"2001:db8:{number:x}::1") for number in range(MAX_NETWORKS // 2 - 1)]


@contextlib.contextmanager
def listening() -> Iterator[tuple[socket.socket, int]]:
    """A socket for both families."""
    with open_socket("", 0) as sock:
        yield sock, int(sock.getsockname()[1])


def connects(port: int, source: str, *, to: str = "127.0.0.1", within_s: float = 0.2) -> bool:
    """Whether somebody at ``source`` gets through; on one machine that takes no time, and a wait is for nothing."""
    with socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET) as peer:
        peer.bind((source, 0))
        peer.settimeout(within_s)
        with contextlib.suppress(TimeoutError):
            peer.connect((to, port))
            return True
    return False


@needs_linux
@pytest.mark.parametrize("place", [0, len(MANY)], ids=["first", "last"])
def test_packets_of_some_are_dropped(place: int) -> None:
    networks = [*MANY[:place], network_of("127.0.0.2"), *MANY[place:], *MANY_V6]
    with listening() as (sock, port):
        assert system.attach_filter(sock, source_filter(networks))
        assert not connects(port, "127.0.0.2") and connects(port, "127.0.0.3", within_s=deadline(5))
        assert connects(port, "::1", to="::1", within_s=deadline(5))
        system.detach_filter(sock)
        system.detach_filter(sock)
        assert connects(port, "127.0.0.2", within_s=deadline(5))


@needs_linux
@pytest.mark.parametrize("place", [0, len(MANY_V6)], ids=["first", "last"])
def test_packets_of_a_network_are_dropped(place: int) -> None:
    networks = [*MANY, *MANY_V6[:place], network_of("::1"), *MANY_V6[place:]]
    with listening() as (sock, port):
        assert system.attach_filter(sock, source_filter(networks))
        assert not connects(port, "::1", to="::1") and connects(port, "127.0.0.2", within_s=deadline(5))
        assert system.attach_filter(sock, source_filter(MANY_V6))
        assert connects(port, "::1", to="::1", within_s=deadline(5))


@needs_linux
def test_who_connected_before_goes_on() -> None:
    with listening() as (sock, port), socket.create_connection(("127.0.0.1", port)) as peer:
        served, _ = sock.accept()
        assert system.attach_filter(sock, source_filter([network_of("127.0.0.1")]))
        with served:
            served.setblocking(True)
            peer.sendall(b"on")
            assert served.recv(2) == b"on"


def test_program_that_is_none_is_not_taken() -> None:
    with listening() as (sock, _):
        assert not system.attach_filter(sock, bytes(8))
