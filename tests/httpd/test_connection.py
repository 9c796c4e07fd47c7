from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter

import pytest
from aiohttp.web_protocol import RequestHandler

from edge.httpd.config import HttpConfig
from tests.httpd.serving import WAIT_S, body_of, serving, status_of, until

GET = b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"

POST = b"POST /hello HTTP/1.1\r\nHost: h\r\n"

FRAMING_ATTACKS = {
    "length and chunked": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "chunked, identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "empty length": POST + b"Content-Length: \r\n\r\n",
    "signed length": POST + b"Content-Length: +5\r\n\r\n12345",
    "underscore": POST + b"Content-Length: 5_0\r\n\r\n12345",
    "hexadecimal": POST + b"Content-Length: 0x5\r\n\r\n12345",
    "5000 digits": POST + b"Content-Length: " + b"5" * 5000 + b"\r\n\r\n",
    "blank before colon": b"GET /hello HTTP/1.1\r\nHost : h\r\n\r\n",
    "empty name": b"GET /hello HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n",
    "NUL": b"GET /hello HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
    "bare CR": b"GET /hello HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
    "chunk size with underscore": POST + b"Transfer-Encoding: chunked\r\n\r\n1_0\r\n",
    "Arabic digits": POST + "Content-Length: ٥\r\n\r\n12345".encode(),
    "bare LF": b"GET /hello HTTP/1.1\r\nHost: h\nX: a\r\n\r\n",
    "LF in a chunk extension": POST + b"Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n",
    "chunk without its end": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
    "folded line": b"GET /hello HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
}


@pytest.mark.parametrize("attack", FRAMING_ATTACKS.values(), ids=FRAMING_ATTACKS.keys())
async def test_H1_framing_attacks_end_the_connection(attack: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as server:
        answer = await server.talk(attack + GET)
    assert status_of(answer) in (400, 413)
    assert answer.count(b"HTTP/1.") == 1
    assert b"hello" not in body_of(answer)
    assert "Traceback" not in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)


async def test_W5_many_bad_requests_are_summed_up_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving() as server:
        for _ in range(50):
            for attack in (b"GET /x?a=%zz HTTP/1.1\r\nHost: h\r\n\r\n", b"FOO / HTTP/1.1\r\n\r\n"):
                assert status_of(await server.talk(attack)) == 400
        assert server.service.counters["error_bad_framing_count"] == 50
    closed = [record for record in caplog.records if record.getMessage().startswith("http closed")]
    seconds = Counter((int(record.created), record.args[0]) for record in closed if record.args)  # type: ignore[index]
    assert max(seconds.values()) <= 20, "two seconds of the monotonic clock may meet in one of the wall"


async def test_what_the_parser_lets_slip_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(_connection: RequestHandler, _data: bytes) -> None:
        raise ValueError("injected")

    monkeypatch.setattr(RequestHandler, "data_received", overflow)
    async with serving() as server:
        answer = await server.talk(GET)
        assert server.service.counters["error_bad_framing_count"] == 1
    assert status_of(answer) == 400
    assert b"injected" not in answer


HEAD = b"GET /hello HTTP/1.1\r\nHost: h\r\n"

LARGE_HEADS = {
    "request line": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", (414,)),
    "endless request line": (b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", (414, 431)),
    "101 headers": (HEAD + b"".join(b"X%d: a\r\n" % i for i in range(101)) + b"\r\n", (431,)),
    "36 kB of headers": (HEAD + b"".join(b"X%d: %s\r\n" % (i, b"a" * 4000) for i in range(9)) + b"\r\n", (431,)),
    "a header of 40 kB": (HEAD + b"X: " + b"a" * 40000 + b"\r\n\r\n", (431,)),
    "101 parameters": (b"GET /hello?" + b"a=1&" * 101 + b" HTTP/1.1\r\nHost: h\r\n\r\n", (400,)),
    "bad escape": (b"GET /hello?a=%zz HTTP/1.1\r\nHost: h\r\n\r\n", (400,)),
}


@pytest.mark.parametrize("path", [b"/hello", b"/live/s.flv"])
@pytest.mark.parametrize(("head", "statuses"), LARGE_HEADS.values(), ids=LARGE_HEADS.keys())
async def test_H2_large_heads_are_refused(head: bytes, statuses: tuple[int, ...], path: bytes) -> None:
    async with serving() as server:
        answer = await server.talk(head.replace(b"/hello", path) + GET)
    assert status_of(answer) in statuses
    assert len(body_of(answer)) <= 2048
    assert answer.count(b"HTTP/1.") == 1


async def test_H2_heads_up_to_the_limits_are_read() -> None:
    heads = (
        b"GET /hello?" + b"a" * 8000 + b" HTTP/1.1\r\nHost: h\r\n",
        HEAD + b"".join(b"X%d: a\r\n" % i for i in range(98)),
        HEAD + b"X: " + b"a" * 30000 + b"\r\n",
    )
    async with serving() as server:
        for head in heads:
            assert status_of(await server.talk(head + b"Connection: close\r\n\r\n")) == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET /hello\r\n\r\n",
        b"GET /hello HTTP/0.9\r\nHost: h\r\n\r\n",
        b"GET /hello HTTP/1.2\r\nHost: h\r\n\r\n",
        b"GET /hello HTTP/2.0\r\nHost: h\r\n\r\n",
        b"get /hello HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /hello HTTP/1.1\r\n\r\n",
        b"GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
async def test_H3_other_versions_and_odd_hosts_are_refused(head: bytes) -> None:
    async with serving() as server:
        answer = await server.talk(head)
    assert status_of(answer) in (400, 505)


@pytest.mark.slow
async def test_T1_a_head_that_trickles_is_refused_in_time() -> None:
    async with serving(HttpConfig(http_header_timeout_ms=200)) as server:
        reader, writer = await server.open()

        async def trickle() -> None:
            for byte in b"GET /hello HTTP/1.1\r\nX: " + b"a" * 1000:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.02)

        sending = asyncio.get_running_loop().create_task(trickle())
        try:
            async with asyncio.timeout(WAIT_S):
                answer = await reader.read()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
        assert status_of(answer) == 408
        assert server.service.counters["error_header_timeout_count"] == 1


@pytest.mark.slow
async def test_T1_silence_and_the_second_head_have_the_same_deadline() -> None:
    async with serving(HttpConfig(http_header_timeout_ms=200)) as server:
        assert status_of(await server.talk(b"")) == 408
        answer = await server.talk(GET + b"GET /hel")
    assert answer.count(b"HTTP/1.1 200") == 1
    assert answer.count(b"HTTP/1.1 408") == 1


@pytest.mark.slow
async def test_a_body_is_not_taken_for_a_head() -> None:
    async with serving(HttpConfig(http_header_timeout_ms=150, http_max_header_bytes=1000)) as server:
        reader, writer = await server.open()
        writer.write(b"GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n" + b"a" * 30000)
        await asyncio.sleep(0.05)
        writer.write(b"a" * 30000)
        answer = await reader.readuntil(b"/hello\n")
        await asyncio.sleep(0.3)
        writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        async with asyncio.timeout(WAIT_S):
            answer += await reader.read()
        writer.close()
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.count(b"HTTP/1.1") == 2


async def test_H7_pipelined_requests_are_answered_in_order() -> None:
    requests = b"".join(b"GET /nothing%d HTTP/1.1\r\nHost: h\r\n\r\n" % i + GET for i in range(100))
    async with serving() as server:
        answer = await server.talk(requests + b"GET /open HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    statuses = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]
    assert statuses == [404, 200] * 100 + [200]


async def test_H17_a_connection_ends_after_its_share_of_requests() -> None:
    async with serving(HttpConfig(http_max_requests=3)) as server:
        answer = await server.talk(GET * 10)
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.count(b"Connection: close") == 1


@pytest.mark.slow
async def test_H17_an_idle_connection_is_closed() -> None:
    async with serving(HttpConfig(http_keepalive_ms=200)) as server:
        answer = await server.talk(GET)
    assert answer.count(b"HTTP/1.1") == 1


async def test_H11_a_huge_body_is_not_read() -> None:
    async with serving() as server:
        answer = await server.talk(
            b"GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 10737418240\r\n\r\n" + b"a" * 100000
        )
    assert status_of(answer) == 413


@pytest.mark.slow
async def test_H8_a_reader_that_does_not_read_is_dropped() -> None:
    async with serving(HttpConfig(write_stall_timeout_ms=100)) as server:
        reader, writer = await server.open()
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")
        await until(lambda: server.service.counters["error_write_stall_count"] == 1)
        await until(lambda: server.service.connection_count == 0)
        writer.transport.abort()


async def test_T6_a_half_closed_connection_is_freed() -> None:
    async with serving() as server:
        reader, writer = await server.open()
        writer.write(b"GET /hel")
        writer.write_eof()
        async with asyncio.timeout(WAIT_S):
            assert await reader.read() == b""
        await until(lambda: server.service.connection_count == 0)
        writer.close()
