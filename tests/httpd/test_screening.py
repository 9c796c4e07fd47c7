from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from edge.httpd.config import HttpConfig
from edge.httpd.screening import host_name_of, refusal_of


def refusal(*headers: tuple[str, str], method: str = "GET", host: str | None = "h") -> int | None:
    pairs = [("Host", host)] if host is not None else []
    request = make_mocked_request(method, "/", headers=CIMultiDict([*pairs, *headers]))
    found = refusal_of(request, HttpConfig())
    return found.status if found is not None else None


@pytest.mark.parametrize("host", ["a b", 'a"b', "a@b", "h:port", "h:65536", "h:", "", "[::1", "a/b", "<x>"])
def test_H3_bad_host_is_refused(host: str) -> None:
    assert refusal(host=host) == 400


def test_H3_no_host_and_two_hosts_are_refused() -> None:
    assert refusal(host=None) == 400
    assert refusal(("Host", "other")) == 400


@pytest.mark.parametrize(
    ("host", "name"),
    [("h", "h"), ("h:8079", "h"), ("10.0.0.1:1", "10.0.0.1"), ("[::1]:8079", "[::1]"), ("a_b.example", "a_b.example")],
)
def test_host_name(host: str, name: str) -> None:
    assert host_name_of(make_mocked_request("GET", "/", headers={"Host": host})) == name


def test_H2_headers_of_more_than_the_limit_are_refused() -> None:
    limit = HttpConfig().http_max_header_bytes
    rest = limit - len("Host") - len("h") - 4 - len("X") - 4
    assert refusal(("X", "a" * rest)) is None
    assert refusal(("X", "a" * (rest + 1))) == 431


@pytest.mark.parametrize("length", ["", "+5", "5_0", " 5", "0x5", "٥", "5" * 5000])
def test_H1_odd_lengths_are_refused(length: str) -> None:
    assert refusal(("Content-Length", length)) == 400


def test_H1_two_framings_are_refused() -> None:
    assert refusal(("Content-Length", "5"), ("Transfer-Encoding", "chunked")) == 400
    assert refusal(("Content-Length", "5"), ("Content-Length", "5")) == 400


def test_H11_large_and_endless_bodies_are_refused() -> None:
    limit = HttpConfig().http_max_body_bytes
    assert refusal(("Content-Length", str(limit))) is None
    assert refusal(("Content-Length", str(limit + 1))) == 413
    assert refusal(("Transfer-Encoding", "chunked")) == 413


def test_H4_unknown_method_is_refused() -> None:
    assert refusal(method="PROPFIND") == 501
    assert refusal(method="DELETE") is None
