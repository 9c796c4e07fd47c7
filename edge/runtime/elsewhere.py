"""The other public nodes that RTMP clients may be sent to when this one drains: which there are, and who is ready."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from edge.net.aio import TaskOwner, spawn
from naming.base import NamingOptions
from naming.base_urls import RTMP, BaseUrlWatcher

logger = logging.getLogger(__name__)

_PORTS = {RTMP.plain: 1935, RTMP.tls: 443}
_ASKED_AT_ONCE = 64
#: An idle node loads its HTTP first.
_WITHIN_S = 5.0
_PATIENCE_S = 1.0
_MAX_ANSWER_BYTES = 4096
_PROBE = "GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"


class Elsewhere:
    """Follows the list of ``-rtmp_siblings``; who is ready is asked when this node begins to drain."""

    def __init__(self, url: str, naming: NamingOptions) -> None:
        """Raises NamingError for a naming URL that can be none."""
        self._watcher = BaseUrlWatcher(url, _tell, family=RTMP, options=naming)
        self._ready: list[str] = []
        self._asking: list[asyncio.Task[None]] = []

    def start(self, owner: TaskOwner) -> None:
        """Follow the list from now on."""
        spawn(self._watcher.run(), name="rtmp-siblings", owner=owner)

    def look(self, owner: TaskOwner) -> None:
        """Ask them at ``/readyz``, on the port of their RTMP. A node that drains is not ready, this one included."""
        urls = self._watcher.urls[:_ASKED_AT_ONCE]
        self._asking = [spawn(self._ask(url), name="rtmp-sibling", owner=owner) for url in urls]

    async def _ask(self, url: str) -> None:
        if await _is_ready(url):
            self._ready.append(url)

    async def ready(self) -> list[str]:
        """Base URLs of those that have said so; waits a second at most for those who have not answered yet."""
        if self._asking:
            await asyncio.wait(self._asking, timeout=_PATIENCE_S)
        found = sorted(self._ready)
        logger.info("clients are asked to go to %s", ", ".join(found) or "the URL that they have: no sibling is ready")
        return found


def _tell(urls: Sequence[str]) -> None:
    logger.info("siblings for RTMP: %s", ", ".join(urls))


async def _is_ready(base: str) -> bool:
    parts = urlsplit(base)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    context = None
    if parts.scheme == RTMP.tls:
        # Nothing is told to it, and clients judge its certificate by themselves.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(_WITHIN_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=_MAX_ANSWER_BYTES)
            try:
                writer.write(_PROBE.format(host=parts.netloc).encode())
                line = await reader.readline()
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError, ValueError):
        return False
    with suppress(IndexError):
        return line.split()[1] == b"200"
    return False
