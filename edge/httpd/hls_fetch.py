"""Fetches from another node of ours what this one lacks of HLS: each thing once, whoever wants it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Hashable
from urllib.parse import quote

import aiohttp
from yarl import URL

from edge.hub.key import StreamKey
from edge.net.aio import TaskOwner, spawn
from edge.service.source import NodePlace

logger = logging.getLogger(__name__)

#: Bears the id of the service that asks, which it has told the other one when it began to play from there.
NODE_HEADER = "X-Edge-Id"
#: A node that may have to ask another one in turn; a viewer waits for the answer.
_TIMEOUT_S = 5.0
_CONNECT_S = 2.0
_CONNECTIONS = 16


class Fetcher:
    """GET requests to nodes of ours."""

    def __init__(self, *, max_bytes: int, keep_s: int = 10) -> None:
        """Answers longer than ``max_bytes`` are refused; an unused connection stays open ``keep_s``."""
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._session: aiohttp.ClientSession | None = None
        self._running: dict[Hashable, asyncio.Task[bytes | None]] = {}
        self._tasks = TaskOwner("hls-fetch")

    async def get(self, place: NodePlace, path: str, query: str, node: str) -> bytes | None:
        """The body, or None for any answer but 200 and for none; ``path`` is decoded, ``query`` is not.

        ``node``: the id under which the other node knows us.
        """
        what = (place.host, place.port, path, query, node)
        task = self._running.get(what)
        if task is None:
            task = spawn(self._get(place, path, query, node), name="hls-fetch", owner=self._tasks)
            self._running[what] = task
            task.add_done_callback(lambda _: self._running.pop(what, None))
        return await asyncio.shield(task)

    async def _get(self, place: NodePlace, path: str, query: str, node: str) -> bytes | None:
        host = f"[{place.host}]" if ":" in place.host else place.host
        scheme = "https" if place.tls is not None else "http"
        url = f"{scheme}://{host}:{place.port}{quote(path)}{f'?{query}' if query else ''}"
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._make_connector(),
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S, sock_connect=_CONNECT_S),
                auto_decompress=False,
                trust_env=False,
            )
        tls = place.tls if isinstance(place.tls, ssl.SSLContext) else True
        try:
            async with self._session.get(
                URL(url, encoded=True),
                headers={NODE_HEADER: node, "Accept-Encoding": "identity"},
                ssl=tls,
                server_hostname=place.name or None,
                allow_redirects=False,
            ) as answer:
                if answer.status != 200 or (answer.content_length or 0) > self._max_bytes:
                    return None
                body = bytearray()
                async for chunk in answer.content.iter_chunked(65536):
                    body += chunk
                    if len(body) > self._max_bytes:
                        return None
                return bytes(body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            logger.debug("hls fetch failed path=%s from=%s:%d %r", path, place.host, place.port, error)
            return None

    def _make_connector(self) -> aiohttp.TCPConnector:
        if not self._keep_s:
            return aiohttp.TCPConnector(limit_per_host=_CONNECTIONS, force_close=True)
        return aiohttp.TCPConnector(limit_per_host=_CONNECTIONS, keepalive_timeout=self._keep_s)

    async def close(self) -> None:
        """End what is under way."""
        await self._tasks.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def key_query(key: StreamKey) -> str:
    """What names the vhost of a stream to another node."""
    return f"vhost={quote(key.vhost, safe='')}"
