"""Requests for HLS whose answers are looked at as they came, and the playlists in them."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin

from edge.httpd.hls import HlsPlayer
from tests.harness.clock import deadline
from tests.harness.m3u8 import Media, Multivariant, parse
from tests.harness.raw_http import RawAnswer, raw_request, request_head
from tests.runtime.nodes import RunningNode

CLOSE = "Connection: close"
LAVF = "User-Agent: Lavf/59.27.100"
#: By scheme: suffix of the entry, of the media playlist, and what its segments end in.
SCHEMES = {
    "two-level": (".m3u8", ".dynamic.m3u8", ".ts"),
    "classic": (".classic.m3u8", ".classic.media.m3u8", ".ts"),
    "low-latency": (".ll.m3u8", ".ll.media.m3u8", ".m4s"),
}


def hls_of(node: RunningNode) -> HlsPlayer:
    """What answers."""
    service = node.node.http.service
    assert service is not None
    return next(each for each in service._owned if isinstance(each, HlsPlayer))


def url_of(node: RunningNode, path: str) -> str:
    """Of a path, or of what is beside a stream ``s`` of the app ``live``: ``.m3u8``, ``.ll.m3u8?a=b``."""
    return f"http://127.0.0.1:{node.port()}{path if path.startswith('/') else f'/live/s{path}'}"


async def ask(
    node: RunningNode, path: str, *lines: str, method: str = "GET", within_s: float = 6.0, host: str = ""
) -> RawAnswer:
    """One request on a connection of its own; the body without its chunks."""
    url = url_of(node, path)
    head = request_head(url, CLOSE, *lines, method=method)
    if host:
        head = head.replace(f"Host: 127.0.0.1:{node.port()}".encode(), f"Host: {host}".encode())
    answer = await raw_request(url, head, deadline(within_s))
    assert answer.end == "fin" or not answer.status, answer
    if answer.headers.get("transfer-encoding") == "chunked":
        answer.body = unchunked(answer.body)
    return answer


def unchunked(data: bytes) -> bytes:
    """A whole chunked body (RFC 9112 §7.1)."""
    found = []
    while True:
        size, _, data = data.partition(b"\r\n")
        count = int(size, 16)
        if not count:
            return b"".join(found)
        found.append(data[:count])
        data = data[count + 2 :]


async def media_of(node: RunningNode, path: str, *lines: str) -> Media:
    """The media playlist at a path; it keeps all rules."""
    answer = await ask(node, path, *lines)
    assert answer.status == 200, answer
    found = parse(answer.body.decode(), allows_absolute=True)
    assert isinstance(found, Media)
    return found


async def entry_of(node: RunningNode, path: str, *lines: str) -> str:
    """The one URI in the master playlist at a path."""
    answer = await ask(node, path, *lines)
    assert answer.status == 200, answer
    found = parse(answer.body.decode(), allows_absolute=True)
    assert isinstance(found, Multivariant) and len(found.variants) == 1
    return found.variants[0].uri


def beside(path: str, uri: str) -> str:
    """The path and query that a URI in the playlist at ``path`` means."""
    base = "http://host" + (path if path.startswith("/") else f"/live/s{path}")
    return urljoin(base, uri).removeprefix("http://host")


def asking(node: RunningNode, path: str, *lines: str) -> asyncio.Task[RawAnswer]:
    """A request that is to wait."""
    return asyncio.create_task(ask(node, path, *lines), name=f"asking for {path}")


async def waits(task: asyncio.Task[RawAnswer]) -> None:
    """It has not been answered after a moment."""
    await asyncio.sleep(0.1)
    assert not task.done(), task.result()
