"""Targets as operators write them."""

from __future__ import annotations

import pytest

from naming.base import NamingError
from naming.url import Address, parse_address, without_secrets


@pytest.mark.parametrize(
    ("text", "host", "port", "is_tls"),
    [
        ("127.0.0.1:8079", "127.0.0.1", 8079, False),
        ("origin:8079", "origin", 8079, False),
        ("[::1]:8079", "::1", 8079, False),
        ("rtmp://origin", "origin", 1935, False),
        ("rtmp://origin/", "origin", 1935, False),
        ("RTMP://origin:19350", "origin", 19350, False),
        ("rtmps://origin", "origin", 443, True),
        ("rtmp://[::1]", "::1", 1935, False),
    ],
)
def test_plain_servers(text: str, host: str, port: int, is_tls: bool) -> None:
    address = parse_address(text)
    assert address == Address(text, host=host, port=port, is_tls=is_tls)
    assert address.is_plain


@pytest.mark.parametrize(
    ("text", "scheme", "name"),
    [
        ("list://a:1,b:2", "list", "a:1,b:2"),
        ("HTTP://origin", "http", "origin"),
        ("https://origin:8443/ignored", "https", "origin:8443/ignored"),
        ("consul://svc", "consul", "svc"),
    ],
)
def test_naming_urls(text: str, scheme: str, name: str) -> None:
    address = parse_address(text)
    assert (address.scheme, address.name, address.is_plain) == (scheme, name, False)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "host is missing"),
        ("origin", "port is missing"),
        ("origin:0", "port 0 cannot"),
        ("zk://origin", 'unknown naming scheme "zk".*valid: list, .*or rtmp://host\\[:port\\] or host:port for one'),
        ("a:b://origin", "expected host:port or scheme://name"),
        ("://origin", "expected host:port or scheme://name"),
        ("x" * 32 + "://a", "expected host:port or scheme://name"),
        ("rtmp://origin/live", 'leave "/live" out, app and stream are those of'),
        ("rtmp://origin:1935/live/cam", 'leave "/live/cam" out'),
        ("origin:1935/live", 'leave "/live" out'),
        ("rtmp:///live", "is not a host name"),
        ("list://", 'no servers in the list ""'),
        ("dlist:// , ", "no servers in the list"),
        ("list://a:1,b", "port is missing"),
        ("http://", "host is missing"),
        ("http://origin:80x/", "not a port"),
        ("http://origin:0", "port 0 cannot"),
        ("unix:/run/a.sock", "unix sockets are not supported"),
    ],
)
def test_N9_bad_targets(text: str, complaint: str) -> None:
    with pytest.raises(NamingError, match=complaint):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("remotefile://a/b?token=x/y=&c=1", "remotefile://a/b?token=***&c=1"),
        ("nacos://serviceName=a&accessToken=x", "nacos://serviceName=a&accessToken=***"),
        ("nacos://password=x&serviceName=a", "nacos://password=***&serviceName=a"),
        ("dns://a:1?server=127.0.0.1:53", "dns://a:1?server=127.0.0.1:53"),
        ("10.0.0.1:1935", "10.0.0.1:1935"),
    ],
)
def test_secrets_are_not_shown(text: str, shown: str) -> None:
    assert parse_address(text).shown == without_secrets(text) == shown
