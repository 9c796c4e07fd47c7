"""HTTP towards lists and registries: bounded in time, bytes and servers tried.

Each service has a session of its own, which ends with its watch. Redirects are
not followed and compressed bodies not asked for, so that the cap on the body
bounds the memory too. Names are looked up by the resolver of the context, never
on the pool of threads that the event loop shares out.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from naming.base import AddressResolver, NamingContext, NamingError
from naming.origins import Origins
from naming.tls import TlsSettings

# What is kept of the body of a refusal.
_REASON_BYTES = 4096


class StatusError(NamingError):
    """An answer with another status than 200-299.

    Attributes:
        status: such as 401.
        body: its beginning.
    """

    def __init__(self, text: str, status: int, body: bytes) -> None:
        super().__init__(text)
        self.status, self.body = status, body


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer with status 200-299."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self) -> str:
        """The body as UTF-8; other bytes become U+FFFD."""
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON; raises NamingError when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise NamingError(f"the answer is not JSON: {str(error)[:100]}") from error


class Fetcher:
    """One session, with ``async with``; fetches from the first origin that answers."""

    __slots__ = ("_connect_timeout_s", "_context", "_session", "_tls")

    def __init__(self, context: NamingContext, *, connect_timeout_ms: int = 0) -> None:
        """``connect_timeout_ms`` bounds each TCP connect, 0 leaves it to the whole fetch."""
        self._context = context
        self._connect_timeout_s = connect_timeout_ms / 1000 or None
        self._session: aiohttp.ClientSession | None = None
        self._tls = TlsSettings(context.options)

    async def __aenter__(self) -> Fetcher:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=_Lookups(self._context.resolver), use_dns_cache=False, limit=4),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s),
            headers={"Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(
        self,
        origins: Origins,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int | None = None,
    ) -> Answer:
        """GET ``path``, sent as it is; see :meth:`request`."""
        return await self.request("GET", origins, path, headers=headers, timeout_ms=timeout_ms)

    async def request(
        self,
        method: str,
        origins: Origins,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_ms: int | None = None,
    ) -> Answer:
        """Ask the origins in turn until one gives an answer with a status of 200-299.

        All of it has ``timeout_ms``, by default ``ns_fetch_timeout_ms``; 0 is no
        bound. Raises NamingError with the last failure; a ``StatusError`` goes before
        others, for a server that refuses has said more than one that is not there.
        """
        timeout_ms = self._context.options.ns_fetch_timeout_ms if timeout_ms is None else timeout_ms
        failure = NamingError("no server to ask")
        begin, count = origins.first, len(origins.urls)
        try:
            async with asyncio.timeout(timeout_ms / 1000 if timeout_ms else None):
                for turn in range(count):
                    # Moved before the try: an origin that eats the whole time is asked last in the next round.
                    origins.first = (begin + turn + 1) % count
                    try:
                        answer = await self._ask(method, origins.urls[(begin + turn) % count] + path, body, headers)
                    except NamingError as error:
                        failure = failure if isinstance(failure, StatusError) else error
                    else:
                        origins.first = (begin + turn) % count
                        return answer
        except TimeoutError:
            if not isinstance(failure, StatusError):
                failure = NamingError(f"no whole answer from {origins.urls[begin]} within {timeout_ms} ms")
        raise failure

    async def listen(
        self,
        origins: Origins,
        path: str,
        body: bytes,
        is_wanted: Callable[[Any], bool],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """POST to the first origin, and return at the first line of the answer that is JSON and wanted.

        A line of more than ``ns_max_body_bytes`` counts as wanted: it is not read to
        its end. It has no deadline: the caller cancels. Raises NamingError when the
        answer ends or is of another kind; what ``is_wanted`` raises goes on.
        """
        assert self._session is not None, "used outside of its with block"
        url = origins.urls[origins.first] + path
        limit = self._context.options.ns_max_body_bytes
        rest = b""
        tls = await self._tls_for(url)
        try:
            async with self._session.post(
                URL(url, encoded=True), data=body, headers=headers, allow_redirects=False, ssl=tls
            ) as response:
                if response.status != 200:
                    raise NamingError(f"{url} answered {response.status}")
                async for part in response.content.iter_any():
                    *lines, rest = (rest + part).split(b"\n")
                    if any(is_wanted(json.loads(line)) for line in lines) or len(rest) > limit:
                        return
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            raise NamingError(f"{url}: {_describe(error)}") from error
        raise NamingError(f"{url} ended")

    async def _ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None) -> Answer:
        assert self._session is not None, "used outside of its with block"
        where = url.partition("?")[0]
        tls = await self._tls_for(url)
        try:
            async with self._session.request(
                method, URL(url, encoded=True), data=body, headers=headers, allow_redirects=False, ssl=tls
            ) as response:
                if not 200 <= response.status < 300:
                    reason = await response.content.read(_REASON_BYTES)
                    raise StatusError(f"{where} answered {response.status}", response.status, reason)
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise NamingError(f"{where} sent a compressed body, which was not asked for")
                return Answer(response.status, response.headers.copy(), await self._read(response, where))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NamingError(f"{where}: {_describe(error)}") from error

    async def _tls_for(self, url: str) -> ssl.SSLContext | bool:
        """What to connect with; connections that were made with something else are not used again."""
        return await self._tls.get() if url.startswith("https:") else True

    async def _read(self, response: aiohttp.ClientResponse, where: str) -> bytes:
        limit = self._context.options.ns_max_body_bytes
        parts, size = [], 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > limit:
                raise NamingError(f"{where} sent more than {limit} bytes")
            parts.append(part)
        return b"".join(parts)


def _describe(error: Exception) -> str:
    """What went wrong, without the query of the URL: tokens live there."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        return f"its certificate is not accepted: {getattr(cause, 'verify_message', '') or cause}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"no TLS: {error.os_error}"
    if isinstance(error, aiohttp.ClientOSError) and isinstance(error.__cause__, ssl.SSLError):
        return _describe_alert(error.__cause__)
    if isinstance(error, aiohttp.ClientOSError) and error.errno is None and error.__cause__ is not None:
        wants = ", as one does that wants a certificate (-ns_cert_file)" if "https:" in str(error) else ""
        return f"it closed the connection before it was asked{wants}"  # aiohttp names the URL, with its query
    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return text or type(error).__name__


def _describe_alert(error: ssl.SSLError) -> str:
    """An end of a TLS connection; one that has been set up as far as we know ends so when it was not for the other."""
    reason = error.reason or str(error)
    if "ALERT" not in reason:
        return f"no TLS: {reason}"
    alert = reason.partition("ALERT_")[2].replace("_", " ").lower()
    return f"it does not accept our certificate, -ns_cert_file, or wants one: {alert}"


class _Lookups(AbstractResolver):
    """The resolver of a naming context in the form that aiohttp asks for."""

    def __init__(self, resolver: AddressResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            addresses = await self._resolver.resolve(host)
        except NamingError as error:
            raise OSError(str(error)) from error
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""
