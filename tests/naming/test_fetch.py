"""HTTP towards registries: bounds and faults."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from naming.base import NamingContext, NamingError, NamingOptions
from naming.fetch import Fetcher, StatusError
from naming.origins import parse_origins
from tests.harness.ports import free_port
from tests.naming.fakes import FakeResolver
from tests.naming.web import FakeWeb, serving


def context(resolver: FakeResolver | None = None, **options: int) -> NamingContext:
    return NamingContext(NamingOptions(**options), resolver or FakeResolver(), lambda detail: None)


async def fetch_text(fake: FakeWeb, **options: int) -> str:
    async with Fetcher(context(**options)) as fetcher:
        return (await fetcher.get(parse_origins(fake.address, "x"), "/a?b=%20&c")).text()


async def test_the_path_is_sent_as_written() -> None:
    async with serving() as fake:
        fake.answer("é")
        assert await fetch_text(fake) == "é"
        assert fake.asked == ["GET /a?b=%20&c"]


@pytest.mark.parametrize("status", [404, 500, 301, 304])
async def test_N4_other_statuses_and_redirects_are_failures(status: int) -> None:
    async with serving() as fake:
        fake.answer(status=status, headers={"Location": "/again"})
        with pytest.raises(NamingError, match=f"answered {status}"):
            await fetch_text(fake)
        assert len(fake.asked) == 1


async def test_N4_too_large_compressed_and_truncated_bodies() -> None:
    async with serving() as fake:
        fake.answer("x" * 5000)
        with pytest.raises(NamingError, match="more than 4096 bytes"):
            await fetch_text(fake, ns_max_body_bytes=4096)

        async def bomb(request: web.Request) -> web.Response:
            return web.Response(body=gzip.compress(bytes(1 << 20)), headers={"Content-Encoding": "gzip"})

        fake.handler = bomb
        with pytest.raises(NamingError, match="compressed"):
            await fetch_text(fake)

        async def break_off(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b"10.0.0.1:80\n")
            assert request.transport is not None
            request.transport.close()
            return response

        fake.handler = break_off
        with pytest.raises(NamingError):
            await fetch_text(fake)


async def test_N4_one_deadline_for_a_body_that_trickles() -> None:
    is_over = asyncio.Event()

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not is_over.is_set():
            await response.write(b"#")
            await asyncio.sleep(0.02)
        return response

    async with serving() as fake:
        fake.handler = trickle
        try:
            with pytest.raises(NamingError, match=r"no whole answer .* within 150 ms"):
                await fetch_text(fake, ns_fetch_timeout_ms=150)
        finally:
            is_over.set()


async def test_the_next_server_is_asked_and_remembered() -> None:
    async with serving() as fake:
        fake.answer("ok")
        origins = parse_origins(f"http://127.0.0.1:{free_port()},http://registry:{fake.port}", "x")
        names = FakeResolver(registry=["127.0.0.1"])
        async with Fetcher(context(names)) as fetcher:
            assert (await fetcher.get(origins, "/")).text() == "ok"
            assert origins.first == 1 and names.asked == ["registry"]


async def test_a_refusal_goes_before_servers_that_are_not_there_and_keeps_its_reason() -> None:
    async with serving() as fake:
        fake.answer("x" * 10_000, 401)
        async with Fetcher(context(ns_fetch_timeout_ms=2000), connect_timeout_ms=200) as fetcher:
            with pytest.raises(StatusError) as caught:
                await fetcher.get(parse_origins(f"{fake.address},127.0.0.1:{free_port()}", "x"), "/")
        assert caught.value.status == 401 and caught.value.body == b"x" * 4096


async def test_a_refusal_goes_before_a_server_that_is_silent() -> None:
    async with serving() as fake:
        fake.answer("", 401)
        is_over = asyncio.Event()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await is_over.wait()
            writer.close()

        silent = await asyncio.start_server(hold, "127.0.0.1", 0)
        async with silent, Fetcher(context(ns_fetch_timeout_ms=200)) as fetcher:
            port = silent.sockets[0].getsockname()[1]
            with pytest.raises(StatusError, match="answered 401"):
                await fetcher.get(parse_origins(f"{fake.address},127.0.0.1:{port}", "x"), "/")
            is_over.set()


async def test_nobody_answers_or_has_an_address() -> None:
    async with Fetcher(context(), connect_timeout_ms=200) as fetcher:
        for address in (f"127.0.0.1:{free_port()}", "nobody:80"):
            with pytest.raises(NamingError):
                await fetcher.get(parse_origins(address, "x"), "/")


@pytest.mark.parametrize("body", ["", "[1,", "\xff", "[" * 100_000])
async def test_N6_bad_json(body: str) -> None:
    async with serving() as fake:
        fake.answer(body)
        async with Fetcher(context()) as fetcher:
            answer = await fetcher.get(parse_origins(fake.address, "x"), "/")
        with pytest.raises(NamingError, match="not JSON"):
            answer.json()


async def test_failures_do_not_tell_the_query() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"this is no HTTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, Fetcher(context()) as fetcher:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NamingError) as caught:
            await fetcher.get(parse_origins(f"127.0.0.1:{port}", "x"), "/a?accessToken=hunter2")
    assert "hunter2" not in str(caught.value)


async def _why_not_posted(monkeypatch: pytest.MonkeyPatch, text: str, errno: int | None, cause: Exception) -> str:
    def fail(*_: Any, **__: Any) -> None:
        raise aiohttp.ClientOSError(errno, text) from cause

    monkeypatch.setattr(aiohttp.ClientSession, "_request", fail)
    async with Fetcher(context()) as fetcher:
        with pytest.raises(NamingError) as caught:
            await fetcher.request("POST", parse_origins("http://127.0.0.1:1", "x"), "/login?token=secret", body=b"{}")
    return str(caught.value)


async def test_outage_with_a_broken_question_does_not_tell_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Can not write request body for http://127.0.0.1:1/login?token=secret"
    said = await _why_not_posted(monkeypatch, text, None, ConnectionResetError("Cannot write to closing transport"))
    assert "secret" not in said and "closed the connection" in said


async def test_outage_by_a_certificate_that_is_not_accepted_names_its_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    alert = ssl.SSLError(1, "sslv3 alert bad certificate")
    alert.reason = "SSLV3_ALERT_BAD_CERTIFICATE"
    said = await _why_not_posted(monkeypatch, "[SSL: SSLV3_ALERT_BAD_CERTIFICATE]", 1, alert)
    assert "-ns_cert_file" in said and "bad certificate" in said
