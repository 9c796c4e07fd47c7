"""HTTP and the pages, loaded while the server serves already.

aiohttp and what it brings take longer to import than all else together. So a
thread loads them once the ports are open, and an HTTP connection that comes
before waits where its protocol was found out (``Listener.held``).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.net.accepted import Accepted
from edge.net.aio import TaskOwner, load_in_thread, spawn

if TYPE_CHECKING:
    from edge.httpd.app import HttpService

logger = logging.getLogger(__name__)

MODULES = ("edge.httpd.app", "edge.httpd.live", "edge.builtin.site")


class LateHttp:
    """The HTTP service of a node from before it is there.

    Attributes:
        service: None until it serves.
        has_failed: it will never serve.
    """

    def __init__(
        self,
        make: Callable[[], HttpService],
        *,
        owner: TaskOwner,
        on_ready: Callable[[], object],
        on_failed: Callable[[], object],
    ) -> None:
        """``make`` is called once the modules are there; one of the other two follows, in the loop."""
        self._make, self._owner = make, owner
        self._on_ready, self._on_failed = on_ready, on_failed
        self._loading: asyncio.Task[None] | None = None
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
        """Begin to load; must be called inside the loop that serves."""
        self._loading = spawn(self._load(), name="load-http", owner=self._owner)

    async def _load(self) -> None:
        try:
            await load_in_thread(*MODULES)
            service = self._make()
            await service.start()
        except Exception:
            logger.critical("internal error: HTTP and its pages cannot be loaded", exc_info=True)
            self.has_failed = True
            self._on_failed()
            return
        self.service = service
        self._on_ready()

    def adopt(self, accepted: Accepted, *, hides_pages: bool = False) -> None:
        """As ``HttpService.adopt``."""
        if self.service is None:
            accepted.wire.close()
            raise RuntimeError("HTTP is not loaded yet")
        self.service.adopt(accepted, hides_pages=hides_pages)

    async def close(self) -> None:
        """End it, in the middle of loading too. Safe to call again."""
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()  # the import goes on to its end, of which nobody hears
        if self.service is not None:
            await self.service.close()
