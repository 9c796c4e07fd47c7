"""URLs that this server is to call."""

from __future__ import annotations

import pytest

from edge.runtime.called_url import fault_of


@pytest.mark.parametrize("url", ["http://a", "https://u:p@a.example:8443/x?y=z", "http://[::1]:80/", "http://10.0.0.1"])
def test_url_that_can_be_called(url: str) -> None:
    assert fault_of(url) == ""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "not an http"),
        ("a.example/x", "not an http"),
        ("ftp://a.example/", "not an http"),
        ("http://", "no host"),
        ("https:///x", "no host"),
        ("http://a:0/", "no host or port"),
        ("http://a:x/", "not a URL"),
        ("http://a:99999/", "not a URL"),
        ("http://[::1/", "not a URL"),
        ("http://a/x y", "a blank"),
    ],
)
def test_url_that_cannot(url: str, words: str) -> None:
    assert words in fault_of(url)
