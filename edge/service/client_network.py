"""What one client has of addresses: who is bounded by address is bounded by this."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

_SUBNET_BYTES = 8


@lru_cache(maxsize=4096)
def network_of(host: str) -> bytes:
    """An IPv4 address in 4 bytes, however it is written; of an IPv6 one the /64, in 8; empty for none."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return b""
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return address.packed[:_SUBNET_BYTES] if mapped is None else mapped.packed
    return address.packed
