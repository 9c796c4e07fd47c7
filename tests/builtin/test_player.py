from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape

import pytest

from edge.builtin.page import Visit
from edge.builtin.player import PLAYER, carried_query, collect, policy, text
from edge.builtin.site import site_routes
from tests.builtin import sample
from tests.harness.at_once import at_once
from tests.httpd.serving import body_of, serving, status_of

BROWSER = "User-Agent: Mozilla/5.0 Firefox/140.0\r\nAccept: text/html\r\n"
ROUTES = site_routes(sample.context())


def visit(path: str = "live/a", query: str = "") -> Visit:
    return Visit("10.0.0.1", authority="10.0.0.1:8079", path=path, query=query)


def test_a_stream_has_its_outputs_and_their_addresses() -> None:
    data = at_once(collect(sample.context(), visit()))
    assert {row.output: (row.kind, row.source) for row in data.outputs} == {
        "flv": ("flv", "/live/a.flv"),
        "ws": ("ws", "/live/a.flv"),
        "hls": ("hls", "/live/a.m3u8"),
        "classic": ("hls", "/live/a.classic.m3u8"),
        "ll": ("hls", "/live/a.ll.m3u8"),
    }
    assert text(data).splitlines() == [
        "RTMP: rtmp://10.0.0.1:8079/live/a",
        "HTTP-FLV: http://10.0.0.1:8079/live/a.flv",
        "WS-FLV: ws://10.0.0.1:8079/live/a.flv",
        "HLS: http://10.0.0.1:8079/live/a.m3u8",
        "HLS, classic: http://10.0.0.1:8079/live/a.classic.m3u8",
        "LL-HLS: http://10.0.0.1:8079/live/a.ll.m3u8",
    ]


def test_a_page_may_load_media_of_the_nodes_that_it_may_be_sent_to() -> None:
    bases = ("https://edge-a.example.com:8443/live", "http://10.0.0.2:8079", "http://[2001:db8::1]:80")
    allowed = policy(replace(visit(), siblings=bases))
    (connect,) = (part for part in allowed.split("; ") if part.startswith("connect-src"))
    assert connect.endswith(" wss://10.0.0.1:8079 http://10.0.0.2:8079 https://edge-a.example.com:8443")


def test_what_is_switched_off_is_not_offered() -> None:
    data = at_once(collect(sample.context(addresses={"has_flv": False}), visit()))
    assert [row.output for row in data.outputs] == ["hls", "classic", "ll"]
    off = {"has_flv": False, "has_hls": False, "has_low_latency": False}
    data = at_once(collect(sample.context(addresses=off), visit()))
    assert (data.outputs, data.output) == ([], "") and text(data).startswith("RTMP: ")


def test_vhost_and_tokens_are_carried_as_they_were_written() -> None:
    assert carried_query("") == carried_query("output=ws&autoplay=1&muted=1&format=html") == ""
    query = "vhost=v.example&output=ws&token=a%2Fb+c&muted=1"
    data = at_once(collect(sample.context(), visit(query=query)))
    assert data.outputs[0].source == "/live/a.flv?vhost=v.example&token=a%2Fb+c"
    assert data.addresses[0].url.endswith("/live/a?vhost=v.example&token=a%2Fb+c")
    assert (data.output, data.is_muted, data.is_autoplay) == ("ws", True, True)
    assert at_once(collect(sample.context(), visit(query="autoplay=0&output=none"))).output == "flv"
    assert at_once(collect(sample.context(), visit(query="autoplay=0"))).is_autoplay is False


def test_an_encrypted_page_names_encrypted_addresses() -> None:
    data = at_once(collect(sample.context(), Visit("h", True, authority="h:8079", path="live/a")))
    assert {row.url.partition(":")[0] for row in data.addresses} == {"rtmps", "https", "wss"}


@pytest.mark.parametrize("path", ["", "live"])
def test_a_path_that_names_no_stream_is_a_form(path: str) -> None:
    data = at_once(collect(sample.context(), visit(path)))
    assert data.outputs == data.addresses == []
    assert text(data) == "/play/APP/STREAM plays a stream\n"


def test_policy_allows_no_other_origin() -> None:
    shown = policy(visit())
    assert shown == (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "connect-src 'self' ws://10.0.0.1:8079 wss://10.0.0.1:8079; media-src 'self' blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    for host in ("", "[::1]:8079", "a;b", "a_b", "*"):
        assert "connect-src 'self'; " in policy(Visit("h", authority=host))


@pytest.mark.parametrize("path", ["/play", "/play/live/a", "/play/live/a/b?vhost=v&output=ws"])
async def test_page_has_no_script_or_style_in_it(path: str) -> None:
    async with serving(routes=ROUTES) as server:
        answer = (await server.get(path, headers=BROWSER)).decode()
    assert answer.startswith("HTTP/1.1 200") and "Content-Type: text/html; charset=utf-8\r\n" in answer
    assert "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; " in answer
    assert "connect-src 'self' ws://127.0.0.1 wss://127.0.0.1; " in answer
    assert not re.search(
        r"<style|style=|\son\w+=|<script(?! type=\"module\" src=\"/-/player/player.js\"></script>)", answer
    )
    assert 'http-equiv="refresh"' not in answer
    assert ('<video id="video"' in answer) is (path != "/play")


async def test_one_url_is_html_text_or_json_by_client() -> None:
    async with serving(routes=ROUTES) as server:
        assert body_of(await server.get("/play/live/a")).startswith(b"RTMP: rtmp://127.0.0.1:8079/live/a\n")
        data = json.loads(body_of(await server.get("/play/live/a?format=json&vhost=v")))
        assert data["outputs"][0]["source"] == "/live/a.flv?vhost=v"
        assert json.loads(body_of(await server.get("/play.json")))["outputs"] == []
        # A stream may be called so.
        assert b"/live/a.json.flv" in await server.get("/play/live/a.json")
        head = await server.get("/play/live/a", method="HEAD", headers=BROWSER)
        assert status_of(head) == 200 and body_of(head) == b"" and b"Content-Security-Policy" in head
        assert status_of(await server.get("/play/live/a", method="POST")) == 405


async def test_X6_names_and_queries_are_escaped() -> None:
    name, query = "live/%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "token=%22'%3E\"><script>alert(2)</script>"
    async with serving(routes=ROUTES) as server:
        page = body_of(await server.get(f"/play/{name}?{query.replace(' ', '+')}", headers=BROWSER)).decode()
    assert "<script>" not in page and "alert(1)&lt;" in page and "alert(2)&lt;" in page
    (source,) = re.findall(r'value="flv"[^>]* data-src="([^"]*)"', page)
    assert unescape(source) == f"/{name.replace('(', '%28').replace(')', '%29')}.flv?{query}"


def test_labels_belong_to_controls() -> None:
    from edge.builtin import html

    page = "".join(html.html_pieces(PLAYER, at_once(collect(sample.context(), visit())), visit()))
    assert page.count('<input type="radio"') == 5 and page.count("<label><input") == 5
    assert '<label for="other-name">' in page and 'id="other-name"' in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for reference in re.findall(r'(?:aria-\w+by|for|data-copies)="([^"]+)"', page):
        assert set(reference.split()) <= set(ids), reference
