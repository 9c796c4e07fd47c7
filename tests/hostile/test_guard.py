"""No page is on a port where it must not be, however its path is spelled, over HTTP and TLS.

The table of routes of a real node is enumerated, so a page that is new cannot be forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.httpd.app import NOT_HERE_TEXT
from tests.harness.clock import deadline
from tests.harness.ports import free_port
from tests.net.tls_pairs import plain_context, server_pair
from tests.runtime.nodes import RunningNode, running

METHODS = ("GET", "HEAD", "POST", "OPTIONS")
REFUSED, UNKNOWN = 403, 404
TRICKS = (
    "X-Forwarded-For: 127.0.0.1\r\n",
    "Forwarded: for=127.0.0.1;host=127.0.0.1\r\nVia: 1.1 127.0.0.1\r\n",
    "X-HTTP-Method-Override: GET\r\nX-Original-URL: /health\r\n",
)


def spellings(path: str, internal: int) -> dict[str, tuple[str, str]]:
    """Fifteen requests that mean ``path``: what each does, its target and its further headers."""
    name = path.removeprefix("/")
    first, rest = (f"%{ord(name[0]):02x}", name[1:]) if name else ("%2e", "")
    host = f"127.0.0.1:{internal}"
    return {
        "as it is": (path, ""),
        "two slashes": (f"/{path}", ""),
        "a slash behind it": (f"{path}/", ""),
        "an escape": (f"/{first}{rest}", ""),
        "a dot": (f"/.{path}", ""),
        "up from elsewhere": (f"/x/..{path}", ""),
        "up by escapes": (f"/x/%2e%2e{path}", ""),
        "brpc's prefix": (f"/brpc.{name}", ""),
        "a parameter": (f"{path};x", ""),
        "a query": (f"{path}?console=1&format=json", ""),
        "absolute form": (f"http://{host}{path}", ""),
        "host of the internal port": (path, "internal host"),
        "forwarded": (path, TRICKS[0]),
        "forwarded otherwise": (path, TRICKS[1]),
        "another method inside": (path, TRICKS[2]),
    }


def encrypted() -> tuple[str, ...]:
    pair = server_pair()
    return "-https", f"-certificate={pair.cert}", f"-private_key={pair.key}"


class Line:
    """A connection that is kept for many requests."""

    def __init__(self, port: int, *, is_encrypted: bool) -> None:
        self._port, self._is_encrypted = port, is_encrypted
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, target: str, headers: str, host: str) -> tuple[int, bytes]:
        """Status and body; opens a new connection where the server has closed the one before."""
        if self._streams is None:
            options = {"ssl": plain_context(), "server_hostname": "localhost"} if self._is_encrypted else {}
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, **options)
        reader, writer = self._streams
        writer.write(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
        async with asyncio.timeout(deadline(5)):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            length = int(fields.get("content-length", 0)) if method != "HEAD" else 0
            body = await reader.readexactly(length)
        if fields.get("connection") == "close":
            await self.close()
        return int(head.split()[1]), body

    async def close(self) -> None:
        if self._streams is not None:
            _, writer = self._streams
            self._streams = None
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def asking(port: int, *, is_encrypted: bool) -> AsyncIterator[Line]:
    line = Line(port, is_encrypted=is_encrypted)
    try:
        yield line
    finally:
        await line.close()


async def guarded_paths(one: RunningNode) -> list[str]:
    """Of the routes that are there once HTTP is loaded."""
    assert (await one.get("/health"))[0] == 200
    service = one.node.http.service
    assert service is not None
    paths = [route.path.replace("*", "x") for route in service.routes if route.is_guarded]
    assert len(paths) > 20
    return paths


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_encrypted", [False, True], ids=["http", "tls"])
async def test_X1_no_page_on_the_public_port_however_it_is_spelled(method: str, is_encrypted: bool) -> None:
    async with running(f"-internal_port={free_port()}", *encrypted()) as one:
        internal = one.port("internal")
        paths = await guarded_paths(one)
        async with asking(one.port(), is_encrypted=is_encrypted) as line:
            for path in paths:
                for how, (target, headers) in spellings(path, internal).items():
                    is_host = headers == "internal host"
                    host = f"127.0.0.1:{internal}" if is_host else f"127.0.0.1:{one.port()}"
                    status, body = await line.ask(method, target, "" if is_host else headers, host)
                    assert status == REFUSED or (status == UNKNOWN and path == "/"), (path, how, status)
                    assert body in (b"", NOT_HERE_TEXT.encode(), b"not found\n"), (path, how)


async def test_X1_merge_port_shows_no_page_either() -> None:
    async with running(f"-cdn_merge_to=127.0.0.1:{free_port()}", "-proxy_to=127.0.0.1:9") as one:
        paths = await guarded_paths(one)
        async with asking(one.port("merge"), is_encrypted=False) as line:
            for path in paths:
                status, body = await line.ask("GET", path, "", "127.0.0.1")
                assert (status, body) == (REFUSED, NOT_HERE_TEXT.encode()), path
