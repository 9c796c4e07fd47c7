"""Addresses and their text."""

from __future__ import annotations

import socket

import pytest

from edge.net.address import NOWHERE, Address, address_of, host_of, is_loopback, local_address, peer_address


@pytest.mark.parametrize(
    ("name", "host", "text"),
    [
        (("192.0.2.7", 80), "192.0.2.7", "192.0.2.7:80"),
        (("2001:db8::1", 80, 0, 0), "2001:db8::1", "[2001:db8::1]:80"),
        (("::ffff:192.0.2.7", 80, 0, 0), "192.0.2.7", "192.0.2.7:80"),
        (("fe80::1%eth0", 80, 0, 2), "fe80::1%eth0", "[fe80::1%eth0]:80"),
        ("", "", "?"),
        (b"\0name", "", "?"),
    ],
)
def test_address_of_a_socket_and_its_text(name: object, host: str, text: str) -> None:
    address = address_of(name)
    assert (address.host, str(address), host_of(text)) == (host, text, host)


def test_the_other_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert peer_address(client) == Address("127.0.0.1", server.getsockname()[1])
    assert peer_address(client) == NOWHERE


def test_our_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert local_address(server) == Address("127.0.0.1", server.getsockname()[1])
    assert local_address(server) == NOWHERE


@pytest.mark.parametrize(
    ("host", "found"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("192.0.2.1", False), ("", False)]
)
def test_addresses_of_this_machine_alone(host: str, found: bool) -> None:
    assert is_loopback(host) is found
