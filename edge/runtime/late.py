"""A part of the node that is loaded when it is first asked for, while the server goes on.

What only some uses need takes longer to import than all else together, and much memory. So a
thread loads it at the first connection that needs it, which waits where its protocol was found
out (``Listener.held``), as do those that come meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from edge.net.aio import TaskOwner, load_in_thread, now_ms, spawn

logger = logging.getLogger(__name__)

# Descriptors that had run out may be there again, but nobody's requests shall make us import all the time.
_RETRY_MS = 10_000


class Startable(Protocol):
    """What is loaded."""

    async def start(self) -> None:
        """Make ready to serve; called in the loop."""
        ...

    async def close(self) -> None:
        """End; safe to call again."""
        ...


Service = TypeVar("Service", bound=Startable)


class Late(Generic[Service]):
    """A service of a node from before it is there.

    Attributes:
        service: None until it serves.
        has_failed: it could not be loaded when that was last tried.
    """

    #: What it is, for the log, and in a word.
    title, word = "", ""

    def __init__(
        self,
        make: Callable[[], Service],
        *,
        owner: TaskOwner,
        on_ready: Callable[[], object],
        on_failed: Callable[[], object],
    ) -> None:
        """``make`` is called once the modules are there; one of the other two follows, in the loop."""
        self._make, self._owner = make, owner
        self._on_ready, self._on_failed = on_ready, on_failed
        self._loading: asyncio.Task[None] | None = None
        self._is_closed = False
        self._retry_ms = 0
        self.service: Service | None = None
        self.has_failed = False

    @property
    def is_loading(self) -> bool:
        """It is being imported, which makes the loop late now and then."""
        return self._loading is not None and not self._loading.done()

    def modules(self) -> Sequence[str]:
        """What is loaded before it is made."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to load, inside the loop that serves; nothing where that is under way, done, or has just failed."""
        if self.is_loading or self.service is not None or self._is_closed or now_ms() < self._retry_ms:
            return
        self._loading = spawn(self._load(), name=f"load-{self.word}", owner=self._owner)

    async def _load(self) -> None:
        try:
            await load_in_thread(*self.modules())
            service = self._make()
            await service.start()
        except Exception:
            logger.critical("internal error: %s cannot be loaded", self.title, exc_info=True)
            self.has_failed = True
            self._retry_ms = now_ms() + _RETRY_MS
            self._on_failed()
            return
        self.has_failed = False
        self.service = service
        self._on_ready()

    async def close(self) -> None:
        """End it, in the middle of loading too. Safe to call again."""
        self._is_closed = True
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()  # the import goes on to its end, of which nobody hears
        if self.service is not None:
            await self.service.close()
