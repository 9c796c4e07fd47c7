"""Which requests may change something."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from edge.httpd.changes import host_refusal, is_of_browser, why_change_refused
from edge.httpd.config import HttpConfig

WITHOUT = HttpConfig(hostname="media1", admin_allowed_hosts=("admin.example",))
WITH = replace(WITHOUT, is_internal_port_set=True)


def reason(
    *headers: tuple[str, str],
    host: str = "127.0.0.1:8079",
    peer: str = "127.0.0.1",
    config: HttpConfig = WITHOUT,
    is_internal: bool = False,
) -> str:
    request = make_mocked_request("GET", "/", headers=CIMultiDict([("Host", host), *headers]))
    found = why_change_refused(request, config, is_internal=is_internal, peer_host=peer)
    assert found is None or found.status == 403
    return found.reason if found is not None else ""


ROWS = {
    "curl on the machine itself": ((), {}, ""),
    "by its name": ((), {"host": "localhost:8079"}, ""),
    "by IPv6": ((), {"host": "[::1]:8079", "peer": "::1"}, ""),
    "another loopback address": ((), {"host": "127.9.9.9", "peer": "127.0.0.2"}, ""),
    "a page of ours": ((("Origin", "http://127.0.0.1:8079"), ("Sec-Fetch-Site", "same-origin")), {}, ""),
    "a link on a page of ours": ((("Referer", "http://127.0.0.1:8079/hotspots/cpu?x=1"),), {}, ""),
    "typed into a browser": ((("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate")), {}, ""),
    # X4
    "a page elsewhere": ((("Origin", "http://evil.example"),), {}, "csrf"),
    "a page on another port": ((("Origin", "http://127.0.0.1:9000"),), {}, "csrf"),
    "a page on another name of ours": ((("Origin", "http://localhost:8079"),), {}, "csrf"),
    "a page without an origin": ((("Origin", "null"),), {}, "csrf"),
    "a link elsewhere": ((("Referer", "https://evil.example/127.0.0.1:8079"),), {}, "csrf"),
    "a name that only begins like ours": ((("Origin", "http://127.0.0.1.evil.example:8079"),), {}, "csrf"),
    "one good and one bad": ((("Origin", "http://127.0.0.1:8079"), ("Referer", "http://evil/")), {}, "csrf"),
    "an image": ((("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", "image")), {}, "csrf"),
    "an image, where browsers send no Fetch Metadata": (
        (("User-Agent", "Mozilla/5.0 (X11; Linux) Firefox/140.0"), ("Accept", "image/avif,*/*")),
        {"config": WITH, "is_internal": True, "host": "10.0.0.1:8080", "peer": "10.0.0.9"},
        "csrf",
    ),
    "a form of ours, where browsers send no Fetch Metadata": (
        (
            ("User-Agent", "Mozilla/5.0 (X11; Linux) Firefox/140.0"),
            ("Referer", "http://10.0.0.1:8080/flags/v?setvalue"),
        ),
        {"config": WITH, "is_internal": True, "host": "10.0.0.1:8080", "peer": "10.0.0.9"},
        "",
    ),
    "a sister": ((("Sec-Fetch-Site", "same-site"),), {}, "csrf"),
    "an origin that is none": ((("Origin", "http://[::1"),), {}, "csrf"),
    # X5
    "a name of somebody else": ((), {"host": "evil.example"}, "bad_host"),
    "that name on the internal port": ((), {"host": "evil.example", "is_internal": True, "config": WITH}, "bad_host"),
    # without an internal port: this machine itself only
    "from elsewhere": ((), {"peer": "10.0.0.9"}, "not_local"),
    "from elsewhere with our address": ((), {"peer": "10.0.0.9", "host": "10.0.0.1"}, "not_local"),
    "from nowhere": ((), {"peer": ""}, "not_local"),
    "a proxy on the machine": ((("X-Forwarded-For", "10.0.0.9"),), {}, "not_local"),
    "a proxy that says it otherwise": ((("X-Forwarded-Port", "80"),), {}, "not_local"),
    "a proxy by the standard": ((("Forwarded", "for=10.0.0.9"),), {}, "not_local"),
    "a proxy that is set up by habit": ((("X-Real-IP", "10.0.0.9"),), {}, "not_local"),
    "a proxy that only says it is one": ((("Via", "1.1 nginx"),), {}, "not_local"),
    "under the name of the machine": ((), {"host": "media1"}, "not_local"),
    "under an address of the machine": ((), {"host": "10.0.0.1:8079"}, "not_local"),
    # with one: there only, and there from anywhere
    "the public port": ((), {"config": WITH}, "not_local"),
    "the internal port": ((), {"config": WITH, "is_internal": True, "peer": "10.0.0.9", "host": "10.0.0.1"}, ""),
    "the internal port behind a proxy": (
        (("X-Forwarded-For", "10.0.0.9"),),
        {"config": WITH, "is_internal": True, "host": "admin.example"},
        "",
    ),
    "a page elsewhere, the internal port": (
        (("Origin", "http://evil.example"),),
        {"config": WITH, "is_internal": True},
        "csrf",
    ),
}


@pytest.mark.parametrize(("headers", "place", "wanted"), ROWS.values(), ids=ROWS.keys())
def test_X4_X5_who_may_change_something(headers: tuple[tuple[str, str], ...], place: dict, wanted: str) -> None:
    assert reason(*headers, **place) == wanted


@pytest.mark.parametrize(
    ("host", "is_known"),
    [
        ("127.0.0.1:1", True),
        ("10.1.2.3", True),
        ("[fe80::1]:80", True),
        ("localhost", True),
        ("LocalHost.", True),
        ("media1:8079", True),
        ("MEDIA1", True),
        ("admin.example:8080", True),
        ("media1.evil.example", False),
        ("x.localhost.example", False),
        ("127.0.0.1.nip.example", False),
        ("0x7f000001", False),
    ],
)
def test_X5_hosts(host: str, is_known: bool) -> None:
    request = make_mocked_request("GET", "/", headers={"Host": host})
    assert (host_refusal(request, WITHOUT) is None) is is_known
    assert host_refusal(make_mocked_request("GET", "/", headers={"Host": "unnamed"}), HttpConfig()) is not None


def test_encrypted_pages_have_the_port_of_https() -> None:
    assert reason(("Origin", "http://127.0.0.1"), host="127.0.0.1") == ""
    assert reason(("Origin", "https://127.0.0.1"), host="127.0.0.1") == "csrf"


@pytest.mark.parametrize(
    ("headers", "is_browser"),
    [
        ({}, False),
        ({"User-Agent": "curl/8"}, False),
        ({"Cookie": "a=b"}, True),
        ({"Origin": "http://x"}, True),
        ({"Sec-Fetch-Mode": "navigate"}, True),
    ],
)
def test_what_only_browsers_send(headers: dict[str, str], is_browser: bool) -> None:
    assert is_of_browser(make_mocked_request("GET", "/", headers=headers)) is is_browser
