"""Calls servers by HTTP: one request, one answer, within bounds of time and size."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from edge.hooks.form import Call
from edge.net.aio import TaskOwner, load_in_thread, spawn

if TYPE_CHECKING:
    import aiohttp

#: Longest answer that is read.
MAX_BODY_BYTES = 65_536
#: How long a connection is kept for the next call.
_KEPT_S = 15.0
#: Names of servers are looked up again after this.
_NAMES_KEPT_S = 10
#: What of the time of a call connecting may take: one part in so many.
_CONNECT_SHARE = 3
_READ_AT_ONCE = 16_384


class Reply(NamedTuple):
    """An answer; ``location`` is that of its header, "" without one."""

    status: int
    location: str
    body: bytes


class CallFailedError(Exception):
    """There is no answer.

    Attributes:
        is_unconnected: the server was not reached, or has closed without a word.
    """

    def __init__(self, why: str, *, is_unconnected: bool = False) -> None:
        super().__init__(why)
        self.is_unconnected = is_unconnected


class Caller(Protocol):
    """Whoever makes calls."""

    async def call(self, call: Call, headers: Mapping[str, str], *, within_s: float) -> Reply:
        """The answer; raises CallFailedError."""
        ...


def shown(url: str) -> str:
    """A URL for people: without user, password and query."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "***"
    return f"{parts.scheme}://{host}{parts.path}"


class HttpCaller:
    """Keeps its connections; the client's library is loaded at the first call, or when ``load`` is called."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._loading: asyncio.Task[None] | None = None
        self._tasks = TaskOwner("hook-client")

    async def load(self) -> None:
        """Have the library, beside the loop."""
        if self._loading is None:
            self._loading = spawn(load_in_thread("aiohttp"), name="hook-client", owner=self._tasks)
        await asyncio.shield(self._loading)

    async def call(self, call: Call, headers: Mapping[str, str], *, within_s: float) -> Reply:
        """The answer, of any status: redirects are not followed.

        Raises:
            CallFailedError: there is none within ``within_s`` and ``MAX_BODY_BYTES``.
        """
        try:
            async with asyncio.timeout(within_s):
                if self._session is None:
                    await self.load()
                return await self._call(call, headers, within_s)
        except TimeoutError:
            raise CallFailedError(f"no answer in {within_s * 1000:.0f} ms") from None

    async def _call(self, call: Call, headers: Mapping[str, str], within_s: float) -> Reply:
        import aiohttp

        if self._session is None:
            self._session = _new_session()
        seen = SimpleNamespace(is_kept=False)
        try:
            return await self._send(self._session, call, headers, within_s, seen)
        except (aiohttp.ServerDisconnectedError, ConnectionError) as error:
            if not seen.is_kept:
                raise CallFailedError(_words(error), is_unconnected=True) from None
        except aiohttp.ConnectionTimeoutError:
            text = f"not reached in {within_s * 1000 / _CONNECT_SHARE:.0f} ms"
            raise CallFailedError(text, is_unconnected=True) from None
        except aiohttp.ClientConnectorError as error:
            raise CallFailedError(_words(error), is_unconnected=True) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallFailedError(_words(error)) from None
        # The server had closed a connection that was kept, before it could know of this call.
        try:
            return await self._send(self._session, call, headers, within_s, seen)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise CallFailedError(_words(error), is_unconnected=True) from None

    async def _send(
        self, session: aiohttp.ClientSession, call: Call, headers: Mapping[str, str], within_s: float, seen: object
    ) -> Reply:
        import aiohttp

        async with session.request(
            call.method,
            call.url,
            data=call.body or None,
            headers={**headers, **({"Content-Type": call.content_type} if call.content_type else {})},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=within_s / _CONNECT_SHARE),
            trace_request_ctx=seen,
        ) as answer:
            body = bytearray()
            async for chunk in answer.content.iter_chunked(_READ_AT_ONCE):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    answer.close()  # the rest is not waited for
                    raise CallFailedError(f"the answer is longer than {MAX_BODY_BYTES} bytes")
            return Reply(answer.status, answer.headers.get("Location", ""), bytes(body))

    async def close(self) -> None:
        """No more calls."""
        await self._tasks.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _new_session() -> aiohttp.ClientSession:
    import aiohttp

    async def kept(_session: object, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.is_kept = True

    async def made(_session: object, context: SimpleNamespace, _params: Any) -> None:
        context.trace_request_ctx.is_kept = False

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(kept)
    trace.on_connection_create_end.append(made)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_S, ttl_dns_cache=_NAMES_KEPT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Accept-Encoding": "identity", "User-Agent": "edge"},
        skip_auto_headers=("Accept",),
        auto_decompress=False,
        trust_env=False,
        trace_configs=[trace],
    )


def _words(error: Exception) -> str:
    """What has happened, without URLs, which may hold passwords."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
        return os.strerror(cause.errno)
    return type(error).__name__
