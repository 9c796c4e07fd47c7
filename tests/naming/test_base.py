"""Defaults that the documentation states."""

from __future__ import annotations

from naming.base import NamingOptions


def test_defaults() -> None:
    options = NamingOptions()
    assert (options.ns_access_interval, options.dns_timeout_ms) == (5, 5000)
    assert (options.ns_max_servers, options.ns_ignore_empty_list) == (1024, True)
