from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import pytest

from edge.builtin.play_hls import fault_of
from edge.builtin.site import site_routes
from edge.httpd.config import HttpConfig
from tests.builtin import sample
from tests.httpd.serving import body_of, serving, status_of

ROUTES = site_routes(sample.context())
URL = "http://10.0.0.1:8079/live/a.m3u8?token=a&b='c"


async def test_plays_a_url_of_anywhere_by_our_own_player() -> None:
    async with serving(routes=ROUTES) as server:
        answer = (await server.get(f"/play_hls?fileUrl={quote(URL, safe='')}")).decode()
    assert answer.startswith("HTTP/1.1 200") and "Content-Type: text/html; charset=utf-8\r\n" in answer
    (source,) = re.findall(r'data-src="([^"]*)"', answer)
    assert unescape(source) == URL
    assert "script-src 'self'; style-src 'self'; connect-src http: https:; media-src http: https: blob:;" in answer
    assert 'src="/-/player/player.js"' in answer and 'data-hls="/-/player/hls-' in answer


async def test_without_a_url_the_reason_is_text() -> None:
    async with serving(routes=ROUTES) as server:
        for path in ("/play_hls", "/play_hls?fileUrl=", "/play_hls?fileurl=http://h/a.m3u8"):
            answer = await server.get(path, headers="Accept: text/html\r\nUser-Agent: Mozilla/5.0\r\n")
            assert status_of(answer) == 400 and b"Content-Type: text/plain" in answer
            assert body_of(answer) == b"query `fileUrl' must be specified\n"
        assert status_of(await server.get("/play_hls?fileUrl=http://h/a.m3u8", method="HEAD")) == 200
        assert status_of(await server.get("/play_hls?fileUrl=http://h/a.m3u8", method="POST")) == 405
        assert b'"http://h/a.m3u8"' in await server.get("/play_hls.json?fileUrl=http://h/a.m3u8")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)//http://h/a.m3u8",
        "\tjavascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "blob:http://h/1",
        "file:///etc/passwd",
        "ftp://h/a.m3u8",
        "//h/a.m3u8",
        "/live/a.m3u8",
        "http:",
        "http:///a.m3u8",
        "http:\\\\h\\a.m3u8",
        "http://[::1/a.m3u8",
        "http://h/a b",
        "http://h/\x00",
        "http://h/\u2028",
    ],
)
async def test_H15_only_urls_of_http_are_played(url: str) -> None:
    assert fault_of(url) == "query `fileUrl' must be a URL of http or https"
    async with serving(routes=ROUTES) as server:
        answer = await server.get(f"/play_hls?fileUrl={quote(url, safe='')}")
    assert status_of(answer) == 400
    assert b"alert" not in answer


@pytest.mark.parametrize(
    "url",
    [
        'http://h/"><script>alert(1)</script>',
        "http://h/'-alert(1)-'",
        "http://h/</script><script>alert(1)</script>",
        "http://h/{{7*7}}<!--",
        'http://h/a.m3u8#"><img/src=x/onerror=alert(1)>',
        'http://"onfocus=alert(1)//h/',
    ],
)
async def test_H15_a_url_is_escaped_where_it_stands(url: str) -> None:
    async with serving(routes=ROUTES) as server:
        answer = (await server.get(f"/play_hls?fileUrl={quote(url, safe='')}")).decode()
    assert answer.startswith("HTTP/1.1 200")
    assert "<script>" not in answer
    assert unescape(re.findall(r'data-src="([^"]*)"', answer)[0]) == url
    assert "default-src 'none'; script-src 'self'" in answer


async def test_H15_it_is_where_pages_are() -> None:
    async with serving(HttpConfig(is_internal_port_set=True), ROUTES) as server:
        assert status_of(await server.get("/play_hls?fileUrl=http://h/a.m3u8")) == 403
    async with serving(routes=ROUTES, hides_pages=True) as server:
        assert status_of(await server.get("/play_hls?fileUrl=http://h/a.m3u8")) == 403
