"""Load balancers that may say who their client is, and what they say in HTTP (RFC 7239, X-Forwarded-For)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

#: A pair of Forwarded whose value may be quoted, or one of the signs between them (RFC 7239 §4).
_FORWARDED = re.compile(r'([A-Za-z]{1,16})=("(?:[^"\\]|\\.)*"|[^\s",;]*)|,', re.ASCII)
_V4_WITH_PORT = re.compile(r"([0-9.]{7,15}):[0-9]{1,5}", re.ASCII)
_V6_IN_BRACKETS = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?", re.ASCII)
#: No chain of proxies is longer; what a client adds on the left is not looked at.
_MAX_HOPS = 32
_CACHED_ADDRESSES = 1024
# What proxies add to requests, by standard (RFC 7239, RFC 9110 §7.6.3), by habit, and of names of their own.
_PROXY_PREFIX = "x-forwarded-"
_PROXY_NAMES = frozenset(
    {
        *("forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for"),
        *("true-client-ip", "cf-connecting-ip", "fastly-client-ip", "x-envoy-external-address"),
    }
)


class TrustedProxies:
    """The networks of ``-trusted_proxies``; nobody is in none."""

    __slots__ = ("_networks", "is_trusted")

    def __init__(self, networks: Sequence[str]) -> None:
        """``networks``: CIDR or addresses; raises ValueError that names the bad one."""
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in networks)
        self.is_trusted = lru_cache(_CACHED_ADDRESSES)(self._is_trusted)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def _is_trusted(self, host: str) -> bool:
        address = numeric(host)
        return address is not None and any(address in network for network in self._networks)

    def client_of(self, peer_host: str, *, forwarded: Sequence[str], x_forwarded_for: Sequence[str]) -> str:
        """The address of whoever asked, seen through proxies that are trusted: each has added whom it heard it from.

        The two headers are lines in the order in which they came. Where both are there and do not agree, one of
        them is a client's own: then nothing is believed, and the proxy is whom we know.
        """
        if not self._networks or not self.is_trusted(peer_host):
            return peer_host
        said = [self._behind(peer_host, hops) for hops in (_hops_of(forwarded), _plain_hops(x_forwarded_for)) if hops]
        return said[0] if said and all(each == said[0] for each in said) else peer_host

    def _behind(self, host: str, hops: Sequence[str]) -> str:
        """The nearest that is not trusted, or the last known before what is no address."""
        for text in hops[: -_MAX_HOPS - 1 : -1]:
            if not self.is_trusted(host):
                break
            address = numeric(_host_in(text))
            if address is None:
                break
            host = str(address)
        return host


@lru_cache(maxsize=4)
def trusted_proxies(networks: tuple[str, ...]) -> TrustedProxies:
    """The same for the same flag."""
    return TrustedProxies(networks)


def is_handed_on(names: Iterable[str]) -> bool:
    """Whether headers of these names, in any case, say that a proxy hands a request on, be it trusted or not."""
    lower = (name.lower() for name in names)
    return any(name in _PROXY_NAMES or name.startswith(_PROXY_PREFIX) for name in lower)


def numeric(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, an IPv4 one that is written as IPv6 as what it is; None for what is none."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return _unmapped(address)


def plain(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Its text, as sockets' addresses are written here."""
    return str(_unmapped(address))


def _unmapped(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address


def _plain_hops(lines: Sequence[str]) -> list[str]:
    return [item.strip() for line in lines for item in line.split(",")]


def _hops_of(lines: Sequence[str]) -> list[str]:
    """What each element of Forwarded says in ``for``; one that does not say so ends what can be known."""
    return [hop for line in lines for hop in _elements(line)]


def _elements(line: str) -> Iterator[str]:
    said = ""
    for found in _FORWARDED.finditer(line):
        if found[0] == ",":
            yield said
            said = ""
        elif found[1].lower() == "for":
            said = found[2].strip('"')
    yield said


def _host_in(text: str) -> str:
    found = _V4_WITH_PORT.fullmatch(text) or _V6_IN_BRACKETS.fullmatch(text)
    return found[1] if found else text
