"""Addresses of registries as flags give them, and names that can be asked for."""

from __future__ import annotations

import pytest

from naming.base import NamingError
from naming.origins import check_query, parse_origins


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("http://a", ["http://a:80"]),
        ("HTTPS://a/", ["https://a:443"]),
        ("a:8500", ["http://a:8500"]),
        ("http://a:1,http://[::1]:2", ["http://a:1", "http://[::1]:2"]),
        ("list://10.0.0.1:1,10.0.0.2:2", ["http://10.0.0.1:1", "http://10.0.0.2:2"]),
    ],
)
def test_addresses_of_registries(text: str, urls: list[str]) -> None:
    assert parse_origins(text, "x").urls == urls


@pytest.mark.parametrize("text", ["", "consul://a", "http://a:0x", "http://a/path", "http://"])
def test_bad_addresses_name_the_flag(text: str) -> None:
    with pytest.raises(NamingError, match="-nacos_address"):
        parse_origins(text, "nacos_address")


@pytest.mark.parametrize("name", ["", "a b", "a\r\nX: y", "a#b", "ä"])
def test_names_that_would_break_the_request_line(name: str) -> None:
    with pytest.raises(NamingError, match="service name"):
        check_query(name, "service name")
