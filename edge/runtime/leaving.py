"""Sees the clients of a node off, as ``edge.runtime.drain`` says, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from edge.facts.orders import Drain as DrainOrder
from edge.facts.orders import Outcome, Result
from edge.flags.process import ProcessConfig
from edge.net.aio import now_ms, spawn
from edge.runtime.drain import Drain, Step, waits_of
from edge.runtime.node import Node
from edge.runtime.service_manager import ServiceManager

logger = logging.getLogger(__name__)

# On top of what the next look needs: what the service manager must not lose patience before.
_PATIENCE_MS = 10_000
# Whoever has asked for an upgrade is answered before the process that is left ends.
_ANSWERED_WITHIN_S = 0.2


class Leaving:
    """From the first word that the server is to leave to the last connection's end.

    Attributes:
        is_handed_over: another process has all that can move; nobody is waited for.
        before_end: called before the node is ended.
    """

    def __init__(self, node: Node, manager: ServiceManager, config: ProcessConfig) -> None:
        self._node = node
        self._manager = manager
        self._config = config
        self._drain: Drain | None = None
        self._is_asked = asyncio.Event()
        self.is_handed_over = False
        self.before_end: Callable[[], object] = lambda: None

    @property
    def has_begun(self) -> bool:
        """It is on its way out."""
        return self._drain is not None

    def begin(self, within_s: int | None, why: str) -> None:
        """Leave within ``within_s`` (None: as long as it takes; 0: at once); sooner, where that was begun already."""
        config, now = self._config, now_ms()
        waits = waits_of(config.grace_start_wait_ms, config.grace_final_wait_ms, config.grace_max_wait_s, within_s)
        limit = "none" if waits.limit_ms is None else f"{waits.limit_ms / 1000:g}"
        logger.info("Server[edge] is going to quit why=%s limit_s=%s left=%d", why, limit, self._node.served_count)
        if self._drain is None:
            self._drain = Drain(waits, now)
            self._manager.stopping(f"draining, {self._node.served_count} clients left")
        else:
            self._drain.hurry(waits, now)
        self._is_asked.set()

    def carry_out(self, order: DrainOrder) -> Outcome:
        """As ``begin``, for whoever orders it."""
        was_begun = self.has_begun
        self.begin(order.within_s, "order")
        left = f"{self._node.served_count} clients are left"
        return Outcome(Result.DONE, f"It drains {'already' if was_begun else 'from now on'}: {left}.")

    def hand_over(self) -> None:
        """Another process goes on with the streams."""
        self.is_handed_over = True
        self._is_asked.set()

    async def run(self) -> None:
        """Wait until it is to begin, and see it through."""
        await self._is_asked.wait()
        drain = self._drain
        if drain is not None:
            await self._see_off(drain)
        if self.is_handed_over:
            await self._node.ask_to_reconnect(is_elsewhere=False)
            await asyncio.sleep(_ANSWERED_WITHIN_S)
        self.before_end()
        if self.is_handed_over or drain is None:
            logger.info("Server[edge] is going to quit why=handover")
            await self._node.close(is_handed_over=True)
            return
        self._manager.extend(drain.end_ms + _PATIENCE_MS)
        await self._node.close(wait_ms=drain.end_ms)
        logger.info("Server[edge] has quit after_ms=%d", now_ms() - drain.begun_ms)

    async def _see_off(self, drain: Drain) -> None:
        while not self.is_handed_over:
            self._is_asked.clear()
            steps = drain.look(now_ms(), self._node.served_count)
            for step in steps:
                self._do(step, is_last=Step.END in steps)
            if drain.is_over:
                break
            check_ms = drain.next_check_ms(now_ms())
            self._manager.extend(check_ms + _PATIENCE_MS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(check_ms / 1000):
                    await self._is_asked.wait()

    def _do(self, step: Step, *, is_last: bool) -> None:
        node = self._node
        match step:
            case Step.NOT_READY:
                node.is_draining = True
                node.look_elsewhere()
            case Step.CLOSE:
                node.close_to_newcomers()
                if not is_last:
                    spawn(node.ask_to_reconnect(), name="ask-to-reconnect", owner=node.tasks)
            case Step.TELL:
                logger.info("draining left=%d", node.served_count)
                self._manager.status(f"draining, {node.served_count} clients left")
            case Step.END:
                logger.info("ending left=%d", node.served_count)
