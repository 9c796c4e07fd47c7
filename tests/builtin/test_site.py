from __future__ import annotations

import asyncio
import json
import re
from dataclasses import fields, replace
from typing import TypeVar
from urllib.parse import quote

import pytest

from edge.builtin.page import PAGES, PageFormat, Visit
from edge.builtin.play_hls import PLAY_HLS
from edge.builtin.site import answer_of, render, site_routes
from edge.httpd.app import NOT_HERE_TEXT
from edge.httpd.config import HttpConfig
from tests.builtin import sample
from tests.httpd.serving import body_of, serving, status_of

Record = TypeVar("Record")
FIREFOX = "User-Agent: Mozilla/5.0 Firefox/140.0\r\nAccept: text/html\r\n"
ROUTES = site_routes(sample.context())
PUBLIC_PATHS = {f"/{name}{suffix}" for name in ("health", "healthz", "readyz", "version") for suffix in ("", ".json")}
# The library is no page of ours, and media-server gives it to everybody.
PUBLIC_PATHS.add("/get_hls_min")
# What is answered where nothing is asked in particular, other than 200: one wants a parameter, some are off.
STATUSES = {
    "/vhosts/*": 404,
    "/play_hls": 400,
    "/threads": 403,
    "/dir": 403,
    "/dir/*": 403,
    "/hotspots/heap": 403,
    "/pprof/heap": 404,
    "/sockets/*": 404,
    "/tasks/*": 404,
    "/bthreads/*": 404,
    "/rpcz/*": 404,
}
# Those that show nothing of the sample, and have tests of their own for what they show.
SILENT = ("/vhosts", "/hotspots/", "/sockets", "/tasks", "/bthreads", "/threads", "/vlog", "/dir", "/rpcz")


def variants(path: str) -> list[str]:
    """Other spellings of a path that must not slip past the guard."""
    name = path.removeprefix("/")
    encoded = f"/%{ord(name[0]):02x}{name[1:]}" if name else "/%2e"
    return [path, f"/{path}", f"{path}/", encoded, f"/.{path}", f"/x/..{path}", f"/brpc.{name}", f"{path};x"]


def marked(record: Record) -> Record:
    """The record with markup in every text of it."""
    texts = {
        field.name: sample.EVIL
        for field in fields(record)  # type: ignore[arg-type]
        if str(field.type).startswith("Annotated[str")
    }
    return replace(record, **texts)  # type: ignore[type-var]


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
            status = STATUSES.get(route.path.removesuffix(".json"), 200)
            query = "?seconds=0.001" if route.path.startswith(("/hotspots/", "/pprof/")) else ""
            status = status if "GET" in route.methods else 405
            for target in variants(route.path):
                assert status_of(await server.get(f"{target}{query}")) == status, target


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
    context = sample.context(
        flags=sample.flag_book(f"-proxy_to={evil}"),
        streams=[marked(sample.stream())],
        traffic=[marked(sample.traffic())],
        services=[marked(sample.service())],
        sources=[marked(sample.source())],
        servers=[marked(sample.server())],
        connections=[marked(sample.connection())],
        counters={evil: 1},
        version=evil,
        addresses={"host": evil, "role": "edge", "proxy_to": evil},
        readiness={"is_ready": False, "reasons": (evil,)},
    )
    async with serving(routes=site_routes(context)) as server:
        for known in [page for page in PAGES.values() if page.template]:
            path = f"{known.path}/{quote(evil)}/{quote(evil)}" if known.has_paths else known.path
            if known.path == "/why":  # it shows what it is asked for
                path += f"?stream={quote(evil, safe='')}"
            page = (await server.get(path, headers=FIREFOX)).decode()
            assert "&lt;script&gt;" in page or known.path.startswith(SILENT)
            assert "<script" not in page.replace('<script type="module" src="/-/player/', "")
            assert "default-src 'none'" in page or "\r\nContent-Type: text/plain" in page
            if known.changes(Visit()):
                continue
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


async def test_pages_load_nothing_from_elsewhere() -> None:
    for page in PAGES.values():
        if page.template:
            html = render(page, PageFormat.HTML, await page.collect(sample.context(), Visit(view=PageFormat.HTML)))
            assert not re.findall(r"(?:src|href)=\"(?![?/])", html)
            assert "url(" not in html


async def test_pages_bear_a_server_without_anything() -> None:
    empty = dict.fromkeys(("streams", "services", "sources", "servers", "connections"), ())
    context = sample.context(version="", counters={}, **empty)
    for page in PAGES.values():
        for view in PageFormat:
            visit = Visit(view=view)
            if page.changes(visit) or (view is PageFormat.HTML and not page.template):
                continue
            assert render(page, view, await page.collect(context, visit))


def test_same_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def visit() -> bytes:
        async with serving(routes=ROUTES) as server:
            return await server.get("/health")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert body_of(runner.run(visit())) == b"OK\n"


BROWSERS = {
    "another name": ("Cookie: a=b\r\n", "evil.example"),
    "fetch metadata": ("Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\n", "evil.example:8079"),
    "an origin": ("Origin: http://evil.example\r\n", "evil.example"),
}


@pytest.mark.parametrize("how", BROWSERS)
async def test_X5_a_name_that_was_made_to_lead_here_shows_a_browser_nothing(how: str) -> None:
    headers, host = BROWSERS[how]
    for is_internal in (False, True):
        async with serving(HttpConfig(), ROUTES, is_internal=is_internal) as server:
            for page in PAGES.values():
                if page.methods[0] != "GET":
                    continue
                answer = await server.get(page.path, headers=headers, host=host)
                is_open = page.is_for_any_name or not page.is_guarded
                assert (status_of(answer) == 403) is not is_open, page.path
                assert is_open or b"-admin_allowed_hosts" in answer


async def test_names_of_this_machine_and_those_that_are_allowed_show_a_browser_all() -> None:
    config = HttpConfig(hostname="media1", admin_allowed_hosts=("edge.example",))
    async with serving(config, ROUTES) as server:
        for host in ("127.0.0.1:8079", "[::1]", "localhost", "media1", "Edge.Example:8079"):
            for headers, _ in BROWSERS.values():
                assert status_of(await server.get("/status", headers=headers, host=host)) == 200, host
        assert status_of(await server.get("/status", host="evil.example")) == 200, "no browser"


def test_what_is_for_any_name_is_so_on_purpose() -> None:
    shown = {page.path for page in (*PAGES.values(), PLAY_HLS) if page.is_for_any_name}
    assert shown == {"/play", "/play_hls", "/metrics", "/brpc_metrics"}


@pytest.mark.parametrize("path", ["/?format=json", "/streams?format=json", "/media_server?console=1", "/status.json"])
async def test_others_have_their_turn_while_a_page_of_many_streams_is_made(path: str) -> None:
    many = [sample.stream(f"s{number}") for number in range(3000)]
    context = sample.context(streams=many, connections=[sample.connection(number) for number in range(3000)])
    page, view = PAGES[path.partition(".")[0].partition("?")[0]], PageFormat.JSON
    if "console" in path:
        view = PageFormat.TEXT
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    busy = asyncio.create_task(others())
    answer = await answer_of(page, view, context, Visit(view=view))
    busy.cancel()
    assert answer.text is not None and answer.text.count("\n") > 3000
    assert turns > 5
