"""Lists of addresses: what is denied wins, and one address has one form."""

from __future__ import annotations

import pytest

from edge.access.addresses import AddressRules, AddressSet, canonical


@pytest.mark.parametrize(
    ("entries", "inside", "outside"),
    [
        (("10.0.0.0/8", "192.0.2.7"), ("10.255.0.1", "192.0.2.7", "::ffff:10.1.1.1"), ("11.0.0.1", "192.0.2.8", "::1")),
        (("2001:db8::/32", "fe80::1"), ("2001:db8::5", "fe80::1%eth0"), ("2001:db9::1", "10.0.0.1", "", "-")),
        (("::ffff:192.0.2.0/120",), ("192.0.2.9",), ("192.0.3.1",)),
        (("all",), ("10.0.0.1", "::1", "no address"), ()),
        (("0.0.0.0/0",), ("10.0.0.1",), ("::1",)),
        ((), (), ("10.0.0.1",)),
    ],
)
def test_list_holds_addresses_and_networks_of_both_families(
    entries: tuple[str, ...], inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    found = AddressSet(entries)
    assert all(host in found for host in inside)
    assert not any(host in found for host in outside)


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "10.0.0", "everybody", "", "10.0.0.1/", "1.2.3.4:80"])
def test_entry_that_is_none_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=r"neither an address, CIDR nor 'all'"):
        AddressSet([entry])


def test_deny_wins_and_an_empty_list_of_allowed_admits_all() -> None:
    assert AddressRules((), ("10.0.0.1",)).admits("10.0.0.2")
    assert not AddressRules(("10.0.0.0/8",), ("10.0.0.1",)).admits("10.0.0.1")
    assert AddressRules(("10.0.0.0/8",), ("10.0.0.1",)).admits("10.0.0.2")
    assert not AddressRules(("10.0.0.0/8",), ()).admits("192.0.2.1")
    assert not AddressRules((), ("all",)).admits("10.0.0.2")


@pytest.mark.parametrize(
    ("said", "form"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("2001:DB8:0:0::1", "2001:db8::1"), ("fe80::1%eth0", "fe80::1"), ("x", "x")],
)
def test_AU8_one_address_has_one_form(said: str, form: str) -> None:
    assert canonical(said) == form
