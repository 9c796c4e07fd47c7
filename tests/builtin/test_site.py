from __future__ import annotations

import asyncio
import json
import re

import pytest

from edge.builtin.page import PAGES, PageFormat, Visit
from edge.builtin.site import render, site_routes
from edge.httpd.app import NOT_HERE_TEXT
from edge.httpd.config import HttpConfig
from tests.builtin import sample
from tests.httpd.serving import body_of, serving, status_of

FIREFOX = "User-Agent: Mozilla/5.0 Firefox/140.0\r\nAccept: text/html\r\n"
ROUTES = site_routes(sample.context())
PUBLIC_PATHS = {f"/{name}{suffix}" for name in ("health", "healthz", "readyz", "version") for suffix in ("", ".json")}


def variants(path: str) -> list[str]:
    """Other spellings of a path that must not slip past the guard."""
    name = path.removeprefix("/")
    encoded = f"/%{ord(name[0]):02x}{name[1:]}" if name else "/%2e"
    return [path, f"/{path}", f"{path}/", encoded, f"/.{path}", f"/x/..{path}", f"/brpc.{name}", f"{path};x"]


def test_X1_what_is_open_is_open_on_purpose() -> None:
    assert {route.path for route in ROUTES if not route.is_guarded} == PUBLIC_PATHS
    assert {page.path for page in PAGES.values()} <= {route.path for route in ROUTES}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_X1_no_page_on_the_public_port(method: str) -> None:
    tricks = "X-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\nX-HTTP-Method-Override: GET\r\n"
    async with serving(HttpConfig(is_internal_port_set=True), ROUTES) as server:
        for route in server.service.routes:
            if not route.is_guarded:
                continue
            targets = [*variants(route.path), f"http://127.0.0.1:8080{route.path}", f"{route.path}?format=json"]
            for target in targets:
                answer = await server.get(target, method=method, headers=tricks, host="127.0.0.1:8080")
                assert status_of(answer) in (403, 404), target
                assert status_of(answer) == 403 or target.startswith(("/brpc.", "/%2e")), target
                assert body_of(answer).decode() in ("", NOT_HERE_TEXT, "not found\n"), target
                assert b"8080" not in answer


async def test_X2_all_pages_on_the_internal_port() -> None:
    async with serving(HttpConfig(is_internal_port_set=True), ROUTES, is_internal=True) as server:
        for route in server.service.routes:
            for target in variants(route.path):
                assert status_of(await server.get(target)) == 200, target


async def test_probes_answer_on_both_ports() -> None:
    async with serving(HttpConfig(is_internal_port_set=True), ROUTES) as server:
        assert body_of(await server.get("/health")) == b"OK\n"
        assert json.loads(body_of(await server.get("/healthz")))["is_ok"] is True
        assert status_of(await server.get("/readyz")) == 200
        assert body_of(await server.get("/version")) == b"1.2.3\n"


async def test_one_url_is_html_text_or_json_by_client() -> None:
    async with serving(routes=ROUTES) as server:
        page = await server.get("/", headers=FIREFOX)
        assert b"Content-Type: text/html; charset=utf-8\r\n" in page
        assert b"rtmp://127.0.0.1:8079/live/livestream" in page
        assert b"Content-Type: text/plain" in await server.get("/", headers="User-Agent: curl/8.5.0\r\n")
        for path in ("/index.json", "/?format=json"):
            assert json.loads(body_of(await server.get(path, headers=FIREFOX)))["stream_count"] == 1
        assert json.loads(body_of(await server.get("/api/streams")))["streams"][0]["key"] == "_/live/a"
        assert json.loads(body_of(await server.get("/status", headers="Accept: application/json\r\n")))["counters"]


async def test_X6_markup_is_escaped_in_every_place() -> None:
    evil = sample.EVIL
    row = sample.stream(evil, key=evil, publisher=evil, state=evil, video_codec=evil, app=evil, vhost=evil)
    row |= {"push_state": evil, "push_to": evil, "push_error": evil, "push_state_s": 1, "pull_error": evil}
    upstream = {"use": evil, "target": evil, "endpoint": evil, "state": evil, "last_error": evil}
    context = sample.context(
        streams=lambda: [row],
        upstreams=lambda: [{evil: evil}, upstream],
        connections=lambda: [{evil: evil}],
        counters=lambda: {evil: 1},
        version=evil,
        server_urls=lambda: {"host": evil, "role": "edge", "proxy_to": evil},
    )
    async with serving(routes=site_routes(context)) as server:
        for path in [page.path for page in PAGES.values() if page.template]:
            page = (await server.get(path, headers=FIREFOX)).decode()
            assert "&lt;script&gt;" in page
            assert "<script" not in page
            assert "default-src 'none'" in page
            text = await server.get(path)
            assert b"text/plain" in text
            assert b"X-Content-Type-Options: nosniff\r\n" in text


async def test_H3_host_that_is_no_host_is_not_reflected() -> None:
    async with serving(routes=ROUTES) as server:
        answer = await server.get("/", host="<script>")
    assert status_of(answer) == 400
    assert b"script" not in answer


async def test_X10_jsonp_is_not_spoken() -> None:
    async with serving(routes=ROUTES) as server:
        assert b"steal" not in await server.get("/api/streams?callback=steal")


def test_pages_load_nothing_from_elsewhere() -> None:
    for page in PAGES.values():
        if page.template:
            html = render(page, PageFormat.HTML, page.collect(sample.context(), Visit()))
            assert not re.findall(r"(?:src|href)=\"(?![?/])", html)
            assert "url(" not in html


def test_pages_bear_rows_that_know_little() -> None:
    context = sample.context(streams=lambda: [{"key": "_/live/a"}], server_urls=dict, health=dict, connections=list)
    for page in PAGES.values():
        data = page.collect(context, Visit())
        for view in PageFormat:
            if view is not PageFormat.HTML or page.template:
                assert render(page, view, data)


def test_same_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def visit() -> bytes:
        async with serving(routes=ROUTES) as server:
            return await server.get("/health")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert body_of(runner.run(visit())) == b"OK\n"
