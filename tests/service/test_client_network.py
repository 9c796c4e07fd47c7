"""Addresses that are one client's."""

from __future__ import annotations

from edge.service.client_network import network_of


def test_network_of_a_client() -> None:
    assert network_of("192.0.2.1") == network_of("::ffff:192.0.2.1") == b"\xc0\0\x02\x01"
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("fe80::1%eth0") == bytes((0xFE, 0x80, 0, 0, 0, 0, 0, 0))
    assert network_of("") == network_of("x") == network_of("1.2.3") == b""
