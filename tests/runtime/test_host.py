from __future__ import annotations

from collections.abc import Sequence

import pytest

from edge.runtime.host import reachable_host
from naming.base import NamingError

KNOWN = {"here": ["10.0.0.7"], "elsewhere": ["192.0.2.1"], "both": ["10.0.0.7", "192.0.2.1"]}


class Hosts:
    """A resolver that knows what is written above."""

    async def resolve(self, host: str) -> Sequence[str]:
        if host not in KNOWN:
            raise NamingError(f'cannot resolve "{host}"')
        return KNOWN[host]


async def host_of(hostname: str, *bind: str) -> str:
    return await reachable_host(hostname, bind, Hosts(), is_own_address=lambda address: address == "10.0.0.7")


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [("here", "here"), ("elsewhere", "127.0.0.1"), ("both", "127.0.0.1"), ("unknown", "127.0.0.1")],
)
async def test_hostname_is_told_only_where_it_leads_here(hostname: str, expected: str) -> None:
    assert await host_of(hostname) == expected
    assert await host_of(hostname, "::") == expected
    assert await host_of(hostname, "10.0.0.9", "0.0.0.0") == expected


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        (("127.0.0.1",), "127.0.0.1"),
        (("10.0.0.9", "127.0.0.1"), "10.0.0.9"),
        (("::1",), "[::1]"),
        (("[::1]",), "[::1]"),
    ],
)
async def test_bound_address_is_told_as_it_is_bound(bind: tuple[str, ...], expected: str) -> None:
    assert await host_of("here", *bind) == expected
