"""Where an accepted connection has come from."""

from __future__ import annotations

import pytest

from edge.net.accepted import Accepted
from edge.net.address import Address


@pytest.mark.parametrize(
    ("host", "is_proxied", "is_local"),
    [("127.0.0.1", False, True), ("::1", False, True), ("127.0.0.1", True, False), ("192.0.2.1", False, False)],
)
def test_what_a_balancer_hands_on_is_never_of_this_machine(host: str, is_proxied: bool, is_local: bool) -> None:
    accepted = Accepted(None, Address(host, 1), None, is_proxied=is_proxied)  # type: ignore[arg-type]
    assert accepted.is_local is is_local
