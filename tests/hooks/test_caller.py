"""Calls over real connections, to servers that behave and to those that do not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from edge.hooks.caller import MAX_BODY_BYTES, CallFailedError, HttpCaller, Reply, shown
from edge.hooks.form import JSON, Call

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@contextlib.asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    """A server on a port of its own; its ``host:port``."""

    running: set[asyncio.Task[None] | None] = set()

    async def safely(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    listening = await asyncio.start_server(safely, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for task in filter(None, running):
            task.cancel()
        await asyncio.gather(*filter(None, running))


async def head_of(reader: asyncio.StreamReader) -> bytes:
    """A request; its body is as long as it says."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[16:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")), 0)
    return head + await reader.readexactly(length)


@pytest.fixture
async def caller() -> AsyncIterator[HttpCaller]:
    made = HttpCaller()
    await made.load()
    yield made
    await made.close()


def to(place: str, rest: str = "/x") -> Call:
    return Call("POST", f"http://{place}{rest}", JSON, b'{"a":1}')


async def test_a_call_and_the_next_on_the_same_connection(caller: HttpCaller) -> None:
    seen: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            seen.append(await head_of(reader))
            writer.write(_OK)

    async with server(serve) as place:
        for _ in range(3):
            assert await caller.call(to(f"u:p%40@{place}", "/x?y=1"), {"a": "b"}, within_s=30) == Reply(200, "", b"0")
    assert connections == 1
    head = seen[0].lower()
    assert head.startswith(b"post /x?y=1 http/1.1\r\n")
    assert b"content-type: application/json\r\n" in head
    assert b"accept-encoding: identity\r\n" in head
    assert b"authorization: basic dtpwqa==" in head
    assert b"a: b\r\n" in head
    assert head.endswith(b'\r\n\r\n{"a":1}')


async def test_a_kept_connection_that_was_closed_is_no_failure(caller: HttpCaller) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(_OK)
        await head_of(reader)  # and closes without a word

    async with server(serve) as place:
        for _ in range(3):
            assert (await caller.call(to(place), {}, within_s=30)).status == 200


async def test_AU14_a_redirect_is_an_answer_and_not_followed(caller: HttpCaller) -> None:
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        await head_of(reader)
        count += 1
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")

    async with server(serve) as place:
        assert await caller.call(to(place), {}, within_s=30) == Reply(302, "/x", b"")
    assert count == 1


@pytest.mark.parametrize("chunk", [b"", b"1\r\n0\r\n"])
async def test_AU13_who_never_comes_to_an_end_is_not_waited_for(caller: HttpCaller, chunk: bytes) -> None:
    """No answer at all, and one of a byte now and then."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        if not chunk:
            await reader.read()
            return
        writer.write(_CHUNKED)
        while not reader.at_eof():
            writer.write(chunk)
            await writer.drain()
            await asyncio.sleep(0.02)

    async with server(serve) as place:
        with pytest.raises(CallFailedError, match="no answer in 1000 ms") as failed:
            await caller.call(to(place), {}, within_s=1)
    assert not failed.value.is_unconnected


@pytest.mark.parametrize(
    "head", [_CHUNKED, b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"]
)
async def test_AU13_no_more_is_read_than_may_be(caller: HttpCaller, head: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(head)
        piece = b"x" * 4096
        for _ in range(2500):
            writer.write(b"1000\r\n" + piece + b"\r\n" if head is _CHUNKED else piece)
            await writer.drain()

    async with server(serve) as place:
        with pytest.raises(CallFailedError, match=f"longer than {MAX_BODY_BYTES}"):
            await caller.call(to(place), {}, within_s=30)


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: " + b"b" * 100_000 + b"\r\n\r\n"]
)
async def test_AU13_what_is_no_answer(caller: HttpCaller, said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(said)

    async with server(serve) as place:
        with pytest.raises(CallFailedError):
            await caller.call(to(place), {}, within_s=30)


async def test_AU13_who_is_not_there(caller: HttpCaller) -> None:
    async with server(lambda *_: asyncio.sleep(0)) as place:
        pass
    with pytest.raises(CallFailedError, match="refused") as failed:
        await caller.call(to(f"user:secret@{place}", "/?token=secret"), {}, within_s=30)
    assert failed.value.is_unconnected
    assert "secret" not in str(failed.value)
    for url in ("http://[::1", "nonsense", "http://"):
        with pytest.raises(CallFailedError):
            await caller.call(Call("GET", url), {}, within_s=30)


def test_urls_for_people() -> None:
    assert shown("http://u:p@h:80/x?token=1#f") == "http://h:80/x"
    assert shown("http://u:p@[::1/x") == "***"
