"""The header of a load balancer: every cut means "more", and nothing but a header is taken for one."""

from __future__ import annotations

import socket

import pytest

from edge.net.address import Address
from edge.net.proxy_header import MAX_HEADER_BYTES, ProxyHeader, ProxyHeaderError, parse_proxy_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command: int, family: int, body: bytes, *, size: int | None = None) -> bytes:
    length = len(body) if size is None else size
    return SIGNATURE + bytes((command, family)) + length.to_bytes(2, "big") + body


def addresses(family: int, source: str, port: int) -> bytes:
    kind = socket.AF_INET if family == 0x11 else socket.AF_INET6
    there = "10.0.0.1" if kind == socket.AF_INET else "::1"
    ends = socket.inet_pton(kind, source) + socket.inet_pton(kind, there)
    return ends + port.to_bytes(2, "big") + (1935).to_bytes(2, "big")


HEADERS: dict[str, tuple[bytes, Address | None]] = {
    "tcp4": (b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 1935\r\n", Address("192.0.2.7", 56324)),
    "tcp6": (b"PROXY TCP6 2001:db8::7 ::1 1 1935\r\n", Address("2001:db8::7", 1)),
    "mapped": (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 1935\r\n", Address("192.0.2.7", 1)),
    "unknown": (b"PROXY UNKNOWN\r\n", None),
    "unknown with words": (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None),
    "the longest line": (b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", None),
    "v2 tcp4": (v2(0x21, 0x11, addresses(0x11, "192.0.2.7", 56324)), Address("192.0.2.7", 56324)),
    "v2 tcp6": (v2(0x21, 0x21, addresses(0x21, "2001:db8::7", 9)), Address("2001:db8::7", 9)),
    "v2 with more": (v2(0x21, 0x11, addresses(0x11, "192.0.2.7", 1) + b"\x04\0\x05hello"), Address("192.0.2.7", 1)),
    "v2 of the balancer itself": (v2(0x20, 0x00, b""), None),
    "v2 local with addresses": (v2(0x20, 0x11, addresses(0x11, "192.0.2.7", 1)), None),
    "v2 of no TCP": (v2(0x21, 0x31, b"x" * 216), None),
    "v2 the longest": (v2(0x20, 0x00, b"x" * (MAX_HEADER_BYTES - 16)), None),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_read_and_what_follows_is_left(name: str) -> None:
    header, source = HEADERS[name]
    for rest in (b"", b"\x03client", b"\r\n\r\n"):
        assert parse_proxy_header(header + rest) == ProxyHeader(len(header), source)


@pytest.mark.parametrize("name", HEADERS)
def test_every_cut_means_that_more_is_to_come(name: str) -> None:
    header = HEADERS[name][0]
    assert all(parse_proxy_header(header[:size]) is None for size in range(1, len(header)))


FAULTS: dict[str, bytes] = {
    "rtmp": b"\x03\0\0\0",
    "http": b"GET / HTTP/1.1\r\n",
    "almost": b"PROXIES",
    "lower case": b"proxy TCP4 192.0.2.7 10.0.0.1 1 2\r\n",
    "a line without end": b"PROXY TCP4 " + b"1" * 200,
    "too long by one": b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    "another protocol": b"PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n",
    "too few words": b"PROXY TCP4 192.0.2.7 10.0.0.1 1\r\n",
    "too many words": b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2 3\r\n",
    "two blanks": b"PROXY TCP4  192.0.2.7 10.0.0.1 1 2\r\n",
    "a name": b"PROXY TCP4 localhost 10.0.0.1 1 2\r\n",
    "octal": b"PROXY TCP4 0300.0.2.7 10.0.0.1 1 2\r\n",
    "an address of the other family": b"PROXY TCP4 2001:db8::7 10.0.0.1 1 2\r\n",
    "a port of six digits": b"PROXY TCP4 192.0.2.7 10.0.0.1 100000 2\r\n",
    "a port too great": b"PROXY TCP4 192.0.2.7 10.0.0.1 65536 2\r\n",
    "a port with a sign": b"PROXY TCP4 192.0.2.7 10.0.0.1 +1 2\r\n",
    "a port of other digits": "PROXY TCP4 192.0.2.7 10.0.0.1 \u00b2 2\r\n".encode("latin-1"),
    "v2 another version": v2(0x11, 0x11, addresses(0x11, "192.0.2.7", 1)),
    "v2 another command": v2(0x22, 0x11, addresses(0x11, "192.0.2.7", 1)),
    "v2 no room for its addresses": v2(0x21, 0x11, b"x" * 11),
    "v2 too long": v2(0x20, 0x00, b"", size=MAX_HEADER_BYTES - 15),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_header_is_refused_whatever_follows(name: str) -> None:
    for rest in (b"", b"\x03client"):
        with pytest.raises(ProxyHeaderError) as caught:
            parse_proxy_header(FAULTS[name] + rest)
        assert caught.value.reason == "proxy_header" and caught.value.is_quiet
