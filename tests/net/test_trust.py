"""Whom a chain of reverse proxies speaks for, as far as it is believed."""

from __future__ import annotations

import pytest

from edge.net.trust import TrustedProxies, is_handed_on, trusted_proxies

PROXIES = TrustedProxies(("10.0.0.0/8", "2001:db8:1::/48", "192.0.2.1"))

#: Peer, lines of X-Forwarded-For, lines of Forwarded, whose request it is.
CHAINS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], str]] = {
    "nobody says anything": ("10.0.0.1", (), (), "10.0.0.1"),
    "one proxy": ("10.0.0.1", ("203.0.113.7",), (), "203.0.113.7"),
    "who is not trusted says nothing": ("198.51.100.1", ("203.0.113.7",), (), "198.51.100.1"),
    "what a client adds itself": ("10.0.0.1", ("127.0.0.1, 203.0.113.7",), (), "203.0.113.7"),
    "two proxies": ("10.0.0.1", ("203.0.113.7, 10.9.9.9",), (), "203.0.113.7"),
    "in two lines": ("10.0.0.1", ("203.0.113.7", "10.9.9.9"), (), "203.0.113.7"),
    "trusted all the way": ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), (), "10.0.0.3"),
    "with a port": ("10.0.0.1", ("203.0.113.7:4711",), (), "203.0.113.7"),
    "v6": ("2001:db8:1::1", ("2001:db8:2::7",), (), "2001:db8:2::7"),
    "v6 with a port": ("10.0.0.1", ("[2001:db8:2::7]:99",), (), "2001:db8:2::7"),
    "v4 in v6": ("10.0.0.1", ("::ffff:203.0.113.7",), (), "203.0.113.7"),
    "no address": ("10.0.0.1", ("203.0.113.7, unknown",), (), "10.0.0.1"),
    "no address behind one": ("10.0.0.1", ("evil<script>, 10.0.0.2",), (), "10.0.0.2"),
    "empty": ("10.0.0.1", ("",), (), "10.0.0.1"),
    "a thousand": ("10.0.0.1", (", ".join(["203.0.113.7"] * 1000),), (), "203.0.113.7"),
    "a thousand trusted ones": ("10.0.0.1", (", ".join(["10.0.0.2"] * 1000),), (), "10.0.0.2"),
    "more hops than there are": ("10.0.0.1", (", ".join(["203.0.113.7", *["10.0.0.2"] * 40]),), (), "10.0.0.2"),
    "Forwarded": ("10.0.0.1", (), ("for=203.0.113.7;proto=https;by=10.0.0.1",), "203.0.113.7"),
    "Forwarded, quoted": ("10.0.0.1", (), ('For="[2001:db8:2::7]:4711"',), "2001:db8:2::7"),
    "Forwarded, a chain": ("10.0.0.1", (), ("for=127.0.0.1, for=203.0.113.7, for=10.2.2.2",), "203.0.113.7"),
    "Forwarded, a comma within quotes": ("10.0.0.1", (), ('host="a,b";for=203.0.113.7',), "203.0.113.7"),
    "Forwarded, hidden": ("10.0.0.1", (), ("for=203.0.113.7, for=_secret",), "10.0.0.1"),
    "Forwarded, without for": ("10.0.0.1", (), ("for=203.0.113.7, proto=http",), "10.0.0.1"),
    "both agree": ("10.0.0.1", ("203.0.113.7",), ("for=203.0.113.7",), "203.0.113.7"),
    "both differ, so one is the client's own": ("10.0.0.1", ("203.0.113.7",), ("for=127.0.0.1",), "10.0.0.1"),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_AU9_AU10_the_nearest_that_is_not_trusted_asks(chain: str) -> None:
    peer, plain, forwarded, client = CHAINS[chain]
    assert PROXIES.client_of(peer, forwarded=forwarded, x_forwarded_for=plain) == client


def test_networks_and_addresses_are_told_apart() -> None:
    trusted = ("10.255.255.255", "192.0.2.1", "::ffff:10.0.0.1", "2001:db8:1::5")
    assert all(PROXIES.is_trusted(host) for host in trusted)
    assert not any(PROXIES.is_trusted(host) for host in ("11.0.0.0", "192.0.2.2", "2001:db8:2::", "", "localhost"))
    assert not TrustedProxies(()) and not TrustedProxies(()).is_trusted("127.0.0.1")
    assert trusted_proxies(("10.0.0.0/8",)) is trusted_proxies(("10.0.0.0/8",))


@pytest.mark.parametrize("name", ["Forwarded", "VIA", "x-forwarded-port", "X-Real-IP", "CF-Connecting-IP"])
def test_whatever_a_proxy_adds_says_that_it_is_one(name: str) -> None:
    assert is_handed_on(["host", name])
    assert not is_handed_on(["host", f"{name}s"[2:], "x-real"])
