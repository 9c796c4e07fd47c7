"""The name under which this server tells people to look for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

from edge.runtime.targets import is_local
from naming.base import AddressResolver, NamingError
from naming.endpoint import is_ip

LOOPBACK = "127.0.0.1"


async def reachable_host(
    hostname: str,
    bind: Sequence[str],
    resolver: AddressResolver,
    *,
    is_own_address: Callable[[str], bool] = is_local,
) -> str:
    """Return a host for URLs that work when they are pasted on this machine.

    That is the first address of ``-bind``, if it names one; else ``hostname``
    where it leads here; else, as on many a fresh machine, 127.0.0.1. IPv6
    addresses come with their brackets.
    """
    bound = [address.strip("[]") for address in bind]
    if bound and not any(is_ip(address) and ipaddress.ip_address(address).is_unspecified for address in bound):
        return f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    try:
        addresses = await resolver.resolve(hostname)
    except NamingError:
        return LOOPBACK
    return hostname if all(is_own_address(address) for address in addresses) else LOOPBACK
