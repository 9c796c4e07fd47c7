"""HTTP and the pages, loaded when they are first asked for, while the server goes on.

aiohttp and what it brings take longer to import than all else together, and
half as much memory again. So a thread loads them at the first HTTP connection,
which waits where its protocol was found out (``Listener.held``), as do those
that come meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.net.aio import TaskOwner, load_in_thread, now_ms, spawn
from edge.net.last_words import answer_and_close, http_answer
from edge.runtime.http_modules import MODULES

if TYPE_CHECKING:
    from edge.httpd.app import HttpService
    from edge.net.accepted import Accepted
    from edge.net.context import NetContext

logger = logging.getLogger(__name__)

# Descriptors that had run out may be there again, but nobody's requests shall make us import all the time.
_RETRY_MS = 10_000


class LateHttp:
    """The HTTP service of a node from before it is there.

    Attributes:
        service: None until it serves.
        has_failed: it could not be loaded when that was last tried.
    """

    def __init__(
        self,
        make: Callable[[], HttpService],
        context: NetContext,
        *,
        owner: TaskOwner,
        on_ready: Callable[[], object],
        on_failed: Callable[[], object],
    ) -> None:
        """``make`` is called once the modules are there; one of the other two follows, in the loop."""
        self._make, self._context, self._owner = make, context, owner
        self._on_ready, self._on_failed = on_ready, on_failed
        self._loading: asyncio.Task[None] | None = None
        self._is_closed = False
        self._retry_ms = 0
        self.service: HttpService | None = None
        self.has_failed = False

    @property
    def counters(self) -> Counter[str]:
        """Those of the service."""
        return self.service.counters if self.service is not None else Counter()

    @property
    def connection_count(self) -> int:
        """HTTP connections that are open now; those that wait are the listeners'."""
        return self.service.connection_count if self.service is not None else 0

    def start(self) -> None:
        """Begin to load, inside the loop that serves; nothing where that is under way, done, or has just failed."""
        is_loading = self._loading is not None and not self._loading.done()
        if is_loading or self.service is not None or self._is_closed or now_ms() < self._retry_ms:
            return
        self._loading = spawn(self._load(), name="load-http", owner=self._owner)

    async def _load(self) -> None:
        try:
            await load_in_thread(*MODULES)
            service = self._make()
            await service.start()
        except Exception:
            logger.critical("internal error: HTTP and its pages cannot be loaded", exc_info=True)
            self.has_failed = True
            self._retry_ms = now_ms() + _RETRY_MS
            self._on_failed()
            return
        self.has_failed = False
        self.service = service
        self._on_ready()

    def adopt(self, accepted: Accepted, *, hides_pages: bool = False) -> None:
        """As ``HttpService.adopt``; where it could not be loaded, answer 503, and try again if it is time."""
        if self.service is not None:
            self.service.adopt(accepted, hides_pages=hides_pages)
        elif self.has_failed:
            self.start()
            answer = http_answer("503 Service Unavailable", "HTTP could not be loaded: see the log")
            answer_and_close(accepted, self._context, answer, "http_not_loaded")
        else:
            accepted.wire.close()
            raise RuntimeError("HTTP is not loaded yet")

    async def close(self) -> None:
        """End it, in the middle of loading too. Safe to call again."""
        self._is_closed = True
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()  # the import goes on to its end, of which nobody hears
        if self.service is not None:
            await self.service.close()
