from __future__ import annotations

import asyncio
import logging
import socket

import pytest
from aiohttp import web

from edge.httpd.app import NOT_HERE_TEXT, HttpService
from edge.httpd.config import HttpConfig
from edge.httpd.routes import Route, Target
from tests.httpd.serving import (
    HELLO_ROUTES,
    accepted_of,
    body_of,
    broken,
    hello,
    new_context,
    serving,
    status_of,
    until,
)


async def test_answers_from_the_table() -> None:
    async with serving() as server:
        assert body_of(await server.get("/hello?x=1")) == b"hello /hello\n"
        assert status_of(await server.get("/nothing")) == 404
        assert server.service.counters["http_requests_count"] == 2
        assert [route.path for route in server.service.routes] == [route.path for route in HELLO_ROUTES]


async def test_bytes_that_came_before_adoption_are_served() -> None:
    context = new_context()
    service = HttpService(HttpConfig(), HELLO_ROUTES, context)
    await service.start()
    ours, theirs = socket.socketpair()
    theirs.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
    service.adopt(accepted_of(ours))
    reader, writer = await asyncio.open_connection(sock=theirs)
    assert body_of(await reader.read()) == b"hello /hello\n"
    writer.close()
    await service.close()
    await service.close()
    await until(lambda: not context.connections)
    context.close()


async def test_adopting_before_start_is_a_fault_of_ours() -> None:
    context = new_context()
    ours, theirs = socket.socketpair()
    with pytest.raises(RuntimeError):
        HttpService(HttpConfig(), (), context).adopt(accepted_of(ours))
    assert theirs.recv(1) == b""
    theirs.close()
    context.close()


async def test_close_ends_idle_connections() -> None:
    async with serving() as server:
        reader, writer = await server.open()
        writer.write(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        await reader.readuntil(b"/hello\n")
        assert server.service.connection_count == 1
        await server.service.close()
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE"])
async def test_H4_a_known_method_that_is_not_allowed(method: str) -> None:
    async with serving() as server:
        answer = await server.get("/hello", method=method)
    assert status_of(answer) == 405
    assert b"Allow: GET, HEAD, OPTIONS\r\n" in answer


async def test_H4_unknown_method_and_connect() -> None:
    async with serving() as server:
        assert status_of(await server.get("/hello", method="PROPFIND")) in (400, 501)
        assert status_of(await server.get("/hello", method="FOO")) in (400, 501)
        for target in (b"h:1", b"/hello", b"/live/s.flv"):
            answer = await server.talk(b"CONNECT %s HTTP/1.1\r\nHost: h:1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n" % target)
            assert status_of(answer) == 405 and b"Allow: GET, HEAD, OPTIONS\r\n" in answer
            assert answer.count(b"HTTP/1.1") == 1


async def test_H5_head_and_options_have_no_body() -> None:
    async with serving() as server:
        head = await server.get("/hello", method="HEAD")
        options = await server.get("/hello", method="OPTIONS", headers="Origin: http://evil\r\n")
    assert (status_of(head), body_of(head)) == (200, b"")
    assert (status_of(options), body_of(options)) == (204, b"")
    assert b"Access-Control" not in head + options


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ok.flv", 200),
        ("HEAD", "/ok.flv", 200),
        ("POST", "/ok.flv", 405),
        ("GET", "/broken.flv", 500),
        ("OPTIONS", "/ok.flv", 204),
    ],
)
async def test_H5_pages_of_any_origin_may_read_what_a_route_for_them_answers(
    method: str, path: str, status: int
) -> None:
    async def answer(request: web.BaseRequest, target: Target) -> web.StreamResponse:
        if target.path == "/broken.flv":
            raise RuntimeError("a fault")
        return web.Response(text="ok")

    async with serving(routes=[Route("*.flv", answer, is_cors=True)]) as server:
        found = await server.get(path, method=method, headers="Origin: http://a.page\r\n")
    assert status_of(found) == status
    assert found.count(b"Access-Control-Allow-Origin: *\r\n") == 1
    assert (b"Access-Control-Allow-Methods: GET, HEAD\r\n" in found) is (method == "OPTIONS")


async def test_H6_bad_targets() -> None:
    async with serving() as server:
        for path in ("/../x", "/%2e%2e/", "/%252e", "/..%2f", "/..%5c", "/%00", "/%c0%ae", "/%zz"):
            assert status_of(await server.get(path)) in (400, 404), path


async def test_H12_the_host_of_an_absolute_target_is_not_asked() -> None:
    async with serving() as server:
        assert status_of(await server.get("http://127.0.0.1:1/hello", host="other.example")) == 200


async def test_R10_a_fault_of_ours_ends_only_its_request(caplog: pytest.LogCaptureFixture) -> None:
    request = b"GET /%s HTTP/1.1\r\nHost: h\r\n%s\r\n"
    async with serving() as server:
        answer = await server.talk(request % (b"broken", b"") + request % (b"hello", b"Connection: close\r\n"))
        assert server.service.counters["error_internal_count"] == 1
    assert answer.count(b"HTTP/1.1 500") == 1
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"injected" not in answer
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_guarded_routes_answer_only_on_the_internal_port_once_there_is_one() -> None:
    config = HttpConfig(is_internal_port_set=True)
    async with serving(config) as public, serving(config, is_internal=True) as internal:
        refused = await public.get("/hello")
        assert (status_of(refused), body_of(refused)) == (403, NOT_HERE_TEXT.encode())
        assert status_of(await public.get("/open")) == 200
        assert status_of(await internal.get("/hello")) == 200


async def test_guarded_routes_are_hidden_from_a_port_that_hides_pages() -> None:
    async with serving(hides_pages=True) as merge:
        assert status_of(await merge.get("/hello")) == 403
        assert status_of(await merge.get("/open")) == 200


async def test_new_limits_are_for_new_connections() -> None:
    async with serving() as server:
        server.service.reconfigure(HttpConfig(is_internal_port_set=True))
        assert status_of(await server.get("/hello")) == 403


MEDIA_ROUTES = (
    *HELLO_ROUTES,
    Route("*.flv", hello, is_guarded=False, is_cors=True),
    Route("*.mp4", broken, is_cors=True),
)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/live/s.flv", 200),
        ("HEAD", "/live/s.flv", 200),
        ("OPTIONS", "/live/s.flv", 204),
        ("POST", "/live/s.flv", 405),
        ("TRACE", "/live/s.flv", 405),
        ("GET", "/live/s.flv?a=%zz", 400),
        ("GET", "/../live/s.flv", 400),
        ("GET", "http://other.example/../live/s.flv", 400),
        ("GET", "/live/s.mp4", 500),
    ],
)
@pytest.mark.parametrize("origin", ["", "null", "http://evil"])
async def test_H5_H14_pages_of_any_origin_may_read_every_answer_on_a_path_of_media(
    method: str, path: str, status: int, origin: str
) -> None:
    async with serving(routes=MEDIA_ROUTES) as server:
        answer = await server.get(path, method=method, headers=f"Origin: {origin}\r\n" if origin else "")
        assert status_of(answer) == status
        assert answer.count(b"Access-Control-Allow-Origin: *\r\n") == 1
        assert b"Access-Control-Allow-Credentials" not in answer
        for page in ("/hello", "/hello?a=%zz", "/hello/s.flv"):
            assert b"Access-Control" not in await server.get(page, method=method, headers="Origin: null\r\n")
