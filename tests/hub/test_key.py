"""Identity: what is one vhost, and what of a host is its name."""

from __future__ import annotations

import pytest

from edge.hub.key import cut_port, normalise_vhost


@pytest.mark.parametrize(
    ("host", "vhost", "wanted"),
    [
        ("a.example", "", "a.example"),
        ("a.example", "b.example", "b.example"),
        ("A.Example", "", "a.example"),
        ("", "", "_"),
        ("10.0.0.1", "", "_"),
        ("a.example", "10.0.0.1", "_"),
        ("1234", "", "_"),
        ("localhost", "", "_"),
        ("LocalHost", "", "_"),
        ("__defaultVhost__", "", "_"),
        ("myhost.example", "", "_"),
        ("MYHOST.example", "", "_"),
        ("::1", "", "_"),
        ("_", "", "_"),
        ("İ.example", "", "İ.example"),  # lower-casing it would make two characters of one
        ("\u212a.example", "", "\u212a.example"),  # the Kelvin sign, which str.lower turns into an ASCII k
    ],
)
def test_normalise_vhost(host: str, vhost: str, wanted: str) -> None:
    assert normalise_vhost(host, vhost, default_vhost="_", hostname="myhost.example") == wanted


def test_default_vhost_keeps_its_case() -> None:
    assert normalise_vhost("x", "Main", default_vhost="Main", hostname="") == "Main"
    assert normalise_vhost("1.2.3.4", "", default_vhost="__defaultVhost__", hostname="") == "__defaultVhost__"


@pytest.mark.parametrize(
    ("host", "wanted"),
    [("a:1935", "a"), ("a", "a"), ("[::1]:1935", "::1"), ("[fe80::2]", "fe80::2"), ("", "")],
)
def test_cut_port(host: str, wanted: str) -> None:
    assert cut_port(host) == wanted
