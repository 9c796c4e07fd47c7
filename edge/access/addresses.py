"""Lists of addresses: plain, CIDR and ``all``, of both families, compiled to integers.

One canonical form: IPv4 in IPv6 (``::ffff:192.0.2.1``) is IPv4, and a zone (``%eth0``) is left out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

ALL = "all"
_BITS = {4: 32, 6: 128}


class Number(NamedTuple):
    """An address: 4 or 6, and its bits."""

    version: int
    value: int


@lru_cache(maxsize=4096)
def number_of(text: str) -> Number | None:
    """The address that ``text`` is, None for what is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return Number(address.version, int(address))


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The one form of an address (RFC 5952), as signatures have it; ``text`` for what is none."""
    number = number_of(text)
    if number is None:
        return text
    kind = ipaddress.IPv4Address if number.version == 4 else ipaddress.IPv6Address
    return str(kind(number.value))


class AddressSet:
    """Addresses; asking costs one look into a set for each length of prefix that is used."""

    __slots__ = ("_has_all", "_prefixes")

    def __init__(self, entries: Iterable[str]) -> None:
        """Raises ValueError, naming the entry, for one that is neither ``all``, an address nor CIDR."""
        prefixes: dict[tuple[int, int], set[int]] = {}
        self._has_all = False
        for entry in entries:
            if entry == ALL:
                self._has_all = True
                continue
            number, bits = _network_of(entry)
            prefixes.setdefault((number.version, _BITS[number.version] - bits), set()).add(
                number.value >> (_BITS[number.version] - bits)
            )
        self._prefixes = tuple((version, shift, frozenset(values)) for (version, shift), values in prefixes.items())

    def __bool__(self) -> bool:
        return self._has_all or bool(self._prefixes)

    def __contains__(self, host: str) -> bool:
        if self._has_all:
            return True
        number = number_of(host)
        if number is None:
            return False
        return any(
            version == number.version and number.value >> shift in values for version, shift, values in self._prefixes
        )


def _network_of(entry: str) -> tuple[Number, int]:
    """An address or CIDR, with the bits of its prefix."""
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError as error:
        raise ValueError(f"{entry!r} is neither an address, CIDR nor {ALL!r}") from error
    address = network.network_address
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None and network.prefixlen >= 96:
        return Number(4, int(address.ipv4_mapped)), network.prefixlen - 96
    return Number(network.version, int(address)), network.prefixlen


class AddressRules:
    """Who may by address: what is denied may not, and where there are others allowed nobody else may."""

    __slots__ = ("_allow", "_deny")

    def __init__(self, allow: Iterable[str], deny: Iterable[str]) -> None:
        """Raises ValueError as ``AddressSet`` does."""
        self._allow, self._deny = AddressSet(allow), AddressSet(deny)

    def __bool__(self) -> bool:
        return bool(self._allow) or bool(self._deny)

    def admits(self, host: str) -> bool:
        """Whether somebody at ``host`` may; what is no address is in no list but ``all``."""
        if host in self._deny:
            return False
        return not self._allow or host in self._allow
