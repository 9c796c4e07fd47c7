"""The thread that writes: the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable

from edge.hls_disk.reports import Reports
from edge.hls_disk.store import Store
from edge.net.aio import now_ms

logger = logging.getLogger(__name__)

_TICK_MS = 1000


def _nothing() -> None:
    """It was too early to tick."""


class Writer:
    """Calls for a store, one after the other; what waits is bounded."""

    def __init__(self, store: Store, reports: Reports, max_bytes: int) -> None:
        """``max_bytes``: of segments that wait."""
        self._store = store
        self._reports = reports
        self._max_bytes = max_bytes
        self._calls: deque[tuple[Callable[[], None], int]] = deque()
        self._changed = threading.Condition()
        self._is_closing = False
        self._thread: threading.Thread | None = None
        self._ticked_ms = 0
        self.queued_bytes = 0
        self.is_ended = threading.Event()

    def start(self) -> None:
        """Begin; what a process before has left is seen to."""
        self._thread = threading.Thread(target=self._run, name="hls-disk", daemon=True)
        self._thread.start()

    def put(self, call: Callable[[], None], size: int = 0) -> bool:
        """Have ``call`` called in the thread; False where ``size`` bytes more may not wait, and it is dropped."""
        with self._changed:
            if size and self.queued_bytes and self.queued_bytes + size > self._max_bytes:
                return False
            self._calls.append((call, size))
            self.queued_bytes += size
            self._changed.notify()
        return True

    def close(self) -> None:
        """End when everything has been written."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()

    async def wait_closed(self, within_s: float) -> bool:
        """Close, and wait for it; False where the disk is too slow, and what waits is lost."""
        if self._thread is None:
            return True
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not ended.done():
                ended.set_result(None)

        def after() -> None:
            self.is_ended.wait()
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(tell)

        self.close()
        threading.Thread(target=after, name="hls-disk-end", daemon=True).start()
        try:
            async with asyncio.timeout(within_s):
                await ended
        except TimeoutError:
            logger.warning("HLS files reason=hls_disk %d bytes not written at the end", self.queued_bytes)
            return False
        return True

    def _run(self) -> None:
        try:
            self._guarded(self._store.start)
            while (call := self._next()) is not None:
                self._guarded(call)
        finally:
            self.is_ended.set()

    def _next(self) -> Callable[[], None] | None:
        """The call whose turn it is; None at the end."""
        with self._changed:
            if not self._calls and not self._is_closing:
                self._changed.wait(None if self._store.is_idle else _TICK_MS / 1000)
            now = now_ms()
            if now - self._ticked_ms >= _TICK_MS and not self._is_closing:
                self._ticked_ms = now
                return self._store.tick
            if self._calls:
                call, size = self._calls.popleft()
                self.queued_bytes -= size
                return call
            return None if self._is_closing else _nothing

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            self._reports.count("error_hls_disk_count")
            logger.exception("writing HLS files failed")
