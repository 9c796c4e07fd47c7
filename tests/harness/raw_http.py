"""HTTP by hand, for clients that no library would be: bytes are sent as given, and the end is told apart."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.harness.clock import deadline

End = Literal["open", "fin", "reset"]

_BLOCK_BYTES = 65536
_MAX_HEAD_BYTES = 65536


@dataclass(slots=True)
class RawAnswer:
    """What came back.

    Attributes:
        status: 0 where there is no head.
        headers: names in small letters; of one that comes twice, all values joined by ", ".
        body: what follows the head, as it came; of what is no HTTP, all.
        end: how the connection ended, ``open`` where it did not within the time.
    """

    status: int = 0
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    end: End = "open"


def parse_answer(data: bytes, end: End = "open") -> RawAnswer:
    """Cut an answer into head and body."""
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator or not head.startswith(b"HTTP/"):
        return RawAnswer(body=data, end=end)
    first, *lines = head.decode("latin-1").split("\r\n")
    _, status, *reason = first.split(" ", 2)
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return RawAnswer(int(status), " ".join(reason), headers, body, end)


class RawHttp:
    """A connection on which the test says every byte.

    Attributes:
        data: all that has been read.
        end: how the peer has ended it, as far as was read.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.data = b""
        self.end: End = "open"

    @classmethod
    async def open(cls, url: str, *, tls: ssl.SSLContext | None = None, receive_buffer: int | None = None) -> RawHttp:
        """Connect to the host and port of a URL; under https and wss without ``tls`` any certificate is taken."""
        parts = urlsplit(url)
        sock = socket.socket()
        try:
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port or 80))
            options: dict[str, Any] = {}
            if parts.scheme in ("https", "wss"):
                options = {"ssl": tls or any_certificate(), "server_hostname": parts.hostname}
            limit = _BLOCK_BYTES if receive_buffer is None else max(receive_buffer, 2048)
            return cls(*await asyncio.open_connection(sock=sock, limit=limit, **options))
        except BaseException:
            sock.close()
            raise

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def send_fin(self) -> None:
        """Say that nothing more will be sent, and go on reading."""
        self._writer.write_eof()

    async def read(self, within_s: float, *, until_bytes: int | None = None) -> bytes:
        """Read until the peer ends the connection, ``until_bytes`` have come in all, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self.end == "open" and (until_bytes is None or len(self.data) < until_bytes):
                    await self._read_block()
        return self.data

    async def _read_block(self) -> None:
        try:
            block = await self._reader.read(_BLOCK_BYTES)
        except ConnectionError:
            self.end = "reset"
            return
        if block:
            self.data += block
        else:
            self.end = "fin"

    async def read_head(self, within_s: float = 5.0) -> RawAnswer:
        """The head of the answer, with what came of the body along with it."""
        async with asyncio.timeout(deadline(within_s)):
            while b"\r\n\r\n" not in self.data and self.end == "open":
                assert len(self.data) < _MAX_HEAD_BYTES, f"no head: {self.data[:80]!r}"
                await self._read_block()
        return self.answer

    @property
    def answer(self) -> RawAnswer:
        return parse_answer(self.data, self.end)

    async def close(self, *, is_reset: bool = False) -> None:
        """Leave with FIN, or with RST."""
        if is_reset:
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def __aenter__(self) -> RawHttp:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()


def any_certificate() -> ssl.SSLContext:
    """Settings of a client that checks nothing."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def request_head(url: str, *lines: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """A head for the URL, with these header lines besides Host."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return "\r\n".join([f"{method} {target} {version}", f"Host: {parts.netloc}", *lines, "", ""]).encode("latin-1")


def upgrade_lines(key: str = "dGhlIHNhbXBsZSBub25jZQ==", version: str = "13") -> tuple[str, ...]:
    """The header lines that ask for a WebSocket (RFC 6455 §4.1)."""
    return "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Version: {version}"


async def raw_request(url: str, head: bytes, within_s: float = 5.0, *, tls: ssl.SSLContext | None = None) -> RawAnswer:
    """Send ``head`` as it is, and read until the server closes or the time is over, which ``end`` tells."""
    async with await RawHttp.open(url, tls=tls) as connection:
        with contextlib.suppress(ConnectionError):
            await connection.send(head)
        await connection.read(within_s)
        return connection.answer
