"""Text of hosts and endpoints: ``a.b.c.d:port``, ``[v6]:port``, ``host:port``."""

from __future__ import annotations

import ipaddress
import re

from naming.base import NamingError

MAX_PORT = 65535
# DNS names of more than 253 characters cannot exist (RFC 1035 §2.3.4).
_MAX_HOST_CHARS = 253
_BLANKS = " \t\r"
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_HOST = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.?")


def parse_endpoint(text: str, *, default_port: int | None = None) -> tuple[str, int]:
    """Read ``host:port`` into a host without brackets and a port of 0-65535.

    Blanks around the text are allowed. The port must be ASCII decimal digits; it
    may be missing only when ``default_port`` is given. Raises NamingError naming
    the part that is wrong.
    """
    stripped = text.strip(_BLANKS)
    if stripped.startswith("["):
        host, bracket, rest = stripped[1:].partition("]")
        if not bracket:
            raise NamingError(f'bad address "{text}": "[" is not closed')
        if not is_ip(host) or ":" not in host:
            raise NamingError(f'bad address "{text}": "{host}" is not an IPv6 address')
        port_text = _after_colon(text, rest)
        host = str(ipaddress.IPv6Address(host))
    else:
        if stripped.count(":") > 1:
            raise NamingError(f'bad address "{text}": write an IPv6 address as [address]:port')
        host, colon, port_text = stripped.partition(":")
        port_text = port_text if colon else None
        check_host(host, text)
    if port_text is not None:
        return host, parse_port(port_text, text)
    if default_port is None:
        raise NamingError(f'bad address "{text}": the port is missing, expected host:port')
    return host, default_port


def parse_port(port_text: str, where: str) -> int:
    """Read a port of 0-65535 in ASCII decimal digits; raises NamingError quoting ``where``."""
    if not _PORT.fullmatch(port_text) or int(port_text) > MAX_PORT:
        raise NamingError(f'bad address "{where}": "{port_text}" is not a port (0-{MAX_PORT})')
    return int(port_text)


def check_host(host: str, where: str) -> None:
    """Raise NamingError, quoting ``where``, unless ``host`` is an IPv4 address or a DNS name."""
    if not host:
        raise NamingError(f'bad address "{where}": the host is missing')
    if len(host) > _MAX_HOST_CHARS or not _HOST.fullmatch(host):
        raise NamingError(f'bad address "{where}": "{host}" is not a host name')
    # A name whose last label is a number is a mistyped address, and resolvers disagree on it.
    if host.rstrip(".").rpartition(".")[2].isdigit() and not is_ip(host):
        raise NamingError(f'bad address "{where}": "{host}" is not an IPv4 address')


def is_ip(host: str) -> bool:
    """Whether ``host`` is a numeric IPv4 or IPv6 address (no brackets, no scope)."""
    if "%" in host:
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def name_of(host: str) -> str:
    """``host`` as a certificate names it: without the final dot; "" for a numeric address."""
    return "" if is_ip(host) else host.removesuffix(".")


def is_usable(host: str, port: int) -> bool:
    """Whether one can connect there at all: not unspecified, multicast or broadcast, port not 0."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return port > 0 and not (address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255")


def _after_colon(text: str, rest: str) -> str | None:
    """The text of the port behind ``]``, or None when nothing stands there."""
    if rest and not rest.startswith(":"):
        raise NamingError(f'bad address "{text}": expected ":" and a port after "]"')
    return rest[1:] if rest else None
