"""The PROXY protocol, versions 1 and 2: who is at the other end of a connection that a load balancer hands on.

The header stands before the first byte of the client, and says nothing to it. haproxy's
``doc/proxy-protocol.txt``: §2.1 for version 1, a line of text, §2.2 for version 2, binary.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from edge.errors import HandshakeError
from edge.net.address import Address
from edge.net.trust import plain

#: §2.1: the longest line, CR LF included.
_MAX_LINE_BYTES = 107
_V1: Final = b"PROXY "
_V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD_BYTES = 16
#: A header may bear 64 KiB of certificates and the like, which are of no use here; no balancer sends so much.
MAX_HEADER_BYTES = 4096
_LOCAL, _PROXY = 0x20, 0x21
# Address family and transport -> length of an address. Others are of no TCP client.
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESS_BYTES = {_TCP4: 4, _TCP6: 16}
_KINDS: Final[Mapping[str, type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]]] = {
    "TCP4": ipaddress.IPv4Address,
    "TCP6": ipaddress.IPv6Address,
}
_PORT = re.compile(r"0|[1-9][0-9]{0,4}", re.ASCII)
_MAX_PORT = 65535


class ProxyHeader(NamedTuple):
    """What a header says.

    Attributes:
        size_bytes: of the header; what follows is the client's.
        source: of the client; None where the balancer speaks for itself, or does not know.
    """

    size_bytes: int
    source: Address | None


class ProxyHeaderError(HandshakeError):
    """What begins the connection is no header."""

    reason = "proxy_header"


def parse_proxy_header(head: bytes) -> ProxyHeader | None:
    """Read the header at the front of ``head``, at least one byte; None while more of it is to come.

    Raises ProxyHeaderError.
    """
    if head.startswith(_V2[: len(head)]):
        return _parse_v2(head)
    if head.startswith(_V1[: len(head)]):
        return _parse_v1(head)
    raise ProxyHeaderError(f"first bytes {head[:16].hex()}")


def _parse_v1(head: bytes) -> ProxyHeader | None:
    end = head.find(b"\r\n", 0, _MAX_LINE_BYTES)
    if end < 0:
        if len(head) >= _MAX_LINE_BYTES:
            raise ProxyHeaderError(f"a line of more than {_MAX_LINE_BYTES} bytes")
        return None
    words = head[len(_V1) : end].decode("latin-1").split(" ")
    size_bytes = end + 2
    if words[0] == "UNKNOWN":
        return ProxyHeader(size_bytes, None)
    kind = _KINDS.get(words[0])
    if kind is None or len(words) != 5:
        raise ProxyHeaderError("a line that is neither of TCP4, TCP6 nor UNKNOWN")
    try:
        host, _ = kind(words[1]), kind(words[2])
    except ValueError as error:
        raise ProxyHeaderError(f"no address of {words[0]}") from error
    if not all(_PORT.fullmatch(word) and int(word) <= _MAX_PORT for word in words[3:]):
        raise ProxyHeaderError("no port")
    return ProxyHeader(size_bytes, Address(plain(host), int(words[3])))


def _parse_v2(head: bytes) -> ProxyHeader | None:
    if len(head) < _V2_HEAD_BYTES:
        return None
    command, family = head[12], head[13]
    size_bytes = _V2_HEAD_BYTES + int.from_bytes(head[14:16], "big")
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError(f"version and command {command:#04x}")
    if size_bytes > MAX_HEADER_BYTES:
        raise ProxyHeaderError(f"a header of {size_bytes} bytes")
    address_bytes = _ADDRESS_BYTES.get(family, 0) if command == _PROXY else 0
    if size_bytes < _V2_HEAD_BYTES + 2 * address_bytes + (4 if address_bytes else 0):
        raise ProxyHeaderError(f"a header of {size_bytes} bytes has no room for its addresses")
    if len(head) < size_bytes:
        return None
    if not address_bytes:
        return ProxyHeader(size_bytes, None)
    source = ipaddress.ip_address(head[_V2_HEAD_BYTES : _V2_HEAD_BYTES + address_bytes])
    port_at = _V2_HEAD_BYTES + 2 * address_bytes
    port = int.from_bytes(head[port_at : port_at + 2], "big")
    return ProxyHeader(size_bytes, Address(plain(source), port))
