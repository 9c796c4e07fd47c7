"""Endpoint text, as in brpc with strict ports."""

from __future__ import annotations

import pytest

from naming.base import NamingError
from naming.endpoint import is_ip, is_usable, parse_endpoint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        ("  10.0.0.1:80  ", ("10.0.0.1", 80)),
        ("10.0.0.1:0", ("10.0.0.1", 0)),
        ("10.0.0.1:65535", ("10.0.0.1", 65535)),
        ("origin.example.com:1935", ("origin.example.com", 1935)),
        ("my_host-1:1935", ("my_host-1", 1935)),
        ("host.:1935", ("host.", 1935)),
        ("[::1]:1935", ("::1", 1935)),
        ("[2001:DB8:0::1]:1", ("2001:db8::1", 1)),
    ],
)
def test_good_endpoints(text: str, expected: tuple[str, int]) -> None:
    assert parse_endpoint(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "host is missing"),
        (":80", "host is missing"),
        ("host", "port is missing"),
        ("[::1]", "port is missing"),
        ("host:", '"" is not a port'),
        ("host:65536", '"65536" is not a port'),
        ("host:-1", '"-1" is not a port'),
        ("host:+1", "is not a port"),
        ("host:1_0", "is not a port"),
        ("host:٣", "is not a port"),
        ("host: 80", "is not a port"),
        ("host:80x", "is not a port"),
        ("host:000080", "is not a port"),
        ("::1:80", r"write an IPv6 address as \[address\]:port"),
        ("[::1:80", "not closed"),
        ("[::1]80", 'expected ":"'),
        ("[1.2.3.4]:80", "not an IPv6 address"),
        ("[fe80::1%eth0]:80", "not an IPv6 address"),
        ("a b:80", "not a host name"),
        ("-a:80", "not a host name"),
        ("a..b:80", "not a host name"),
        ("a/b:80", "not a host name"),
        ("1.2.3:80", "not an IPv4 address"),
        ("1.2.3.256:80", "not an IPv4 address"),
        ("a" * 254 + ":80", "not a host name"),
    ],
)
def test_N9_bad_endpoints_name_the_wrong_part(text: str, complaint: str) -> None:
    with pytest.raises(NamingError, match=complaint):
        parse_endpoint(text)


def test_default_port() -> None:
    assert parse_endpoint("host", default_port=80) == ("host", 80)
    assert parse_endpoint("[::1]", default_port=80) == ("::1", 80)


def test_long_hostile_host_is_quick() -> None:
    with pytest.raises(NamingError):
        parse_endpoint("a-" * 100_000 + "!:80")
    with pytest.raises(NamingError):
        parse_endpoint("-" * 252 + "!:80")


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("10.0.0.1", 80, True),
        ("::1", 80, True),
        ("10.0.0.1", 0, False),
        ("0.0.0.0", 80, False),
        ("::", 80, False),
        ("224.0.0.1", 80, False),
        ("ff02::1", 80, False),
        ("255.255.255.255", 80, False),
        ("::ffff:0.0.0.0", 80, False),
    ],
)
def test_N3_unusable_addresses(host: str, port: int, expected: bool) -> None:
    assert is_usable(host, port) is expected


def test_numeric_addresses() -> None:
    assert is_ip("1.2.3.4") and is_ip("::1")
    assert not is_ip("1.2.3") and not is_ip("fe80::1%eth0") and not is_ip("host")
