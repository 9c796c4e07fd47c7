"""Addresses of TCP, and their text: ``a.b.c.d:port`` or ``[v6]:port``."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, NamedTuple

_MAPPED = "::ffff:"


class Address(NamedTuple):
    """One end of a connection.

    Attributes:
        host: numeric; an IPv4 address that came over an IPv6 socket (RFC 4291 §2.5.5.2) is
            written as what it is. "" when the peer had gone before anybody asked.
    """

    host: str
    port: int

    def __str__(self) -> str:
        if not self.host:
            return "?"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


NOWHERE = Address("", 0)


def address_of(name: Any) -> Address:
    """Of what ``accept`` and ``getpeername`` return; nowhere for a socket without ports (AF_UNIX)."""
    if not isinstance(name, tuple):
        return NOWHERE
    return Address(str(name[0]).removeprefix(_MAPPED), int(name[1]))


def peer_address(sock: socket.socket) -> Address:
    """The other end of ``sock``, nowhere once it has gone."""
    try:
        return address_of(sock.getpeername())
    except OSError:
        return NOWHERE


def local_address(sock: socket.socket) -> Address:
    """Our end of ``sock``, nowhere once it is closed."""
    try:
        return address_of(sock.getsockname())
    except OSError:
        return NOWHERE


def host_of(text: str) -> str:
    """The host in the text of an address; "" where there is none."""
    return text.rpartition(":")[0].strip("[]")


def is_loopback(host: str) -> bool:
    """Whether a numeric address is this machine's own; False of what is none."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
