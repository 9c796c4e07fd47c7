"""Tells servers what has happened: in the order of each stream, once, and no longer than it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import NamedTuple

from edge.hooks.answer import Answer, Unusable, Yes
from edge.hooks.caller import Caller, CallFailedError, shown
from edge.hooks.config import HookConfig
from edge.hooks.event import Action, Event
from edge.hooks.figures import Figures
from edge.hooks.forms import FORMS
from edge.hooks.judge import Signing
from edge.hooks.lanes import Lanes
from edge.net.aio import TaskOwner, spawn

logger = logging.getLogger(__name__)

#: A server that could not be reached is tried once more after this.
_AGAIN_S = 1.0


class Told(NamedTuple):
    """An event and whom to tell it."""

    event: Event
    config: HookConfig
    urls: tuple[str, ...]


class Teller:
    """Delivers events side by side, those of one lane one after the other.

    Attributes:
        lanes: what waits.
        limit: most that are being told at a time.
    """

    def __init__(
        self, caller: Caller, signing: Signing, figures: Figures, limit: int, now_ms: Callable[[], int]
    ) -> None:
        self.lanes: Lanes[Told] = Lanes()
        self.limit = limit
        self._caller = caller
        self._signing = signing
        self._figures = figures
        self._now_ms = now_ms
        self._running = 0
        self._tasks = TaskOwner("hook-events")
        self._on_idle: dict[Hashable, list[asyncio.Future[None]]] = {}
        self._all_told: asyncio.Future[None] | None = None

    def tell(self, lane: Hashable, event: Event, config: HookConfig) -> None:
        """Have it told to all who are to be called for it; nothing where that is nobody."""
        urls = config.urls(event.action)
        if not urls:
            return
        if event.action is Action.HLS_NOTIFY and event.segment is not None:
            urls = (urls[event.segment.seq_no % len(urls)],)  # one of them, each in turn
        self.lanes.put(lane, Told(event, config, urls))
        self._go_on()

    async def wait_idle(self, lane: Hashable, within_s: float) -> None:
        """Until all that waits in ``lane`` has been told, at most so long."""
        if self.lanes.is_idle(lane):
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_idle.setdefault(lane, []).append(waiting)
        await asyncio.wait({waiting}, timeout=within_s)

    def _go_on(self) -> None:
        while self._running < self.limit:
            taken = self.lanes.take()
            if taken is None:
                return
            self._running += 1
            spawn(self._deliver(*taken), name="hook-event", owner=self._tasks)

    async def _deliver(self, lane: Hashable, told: Told) -> None:
        try:
            for url in told.urls:
                await self._tell_one(told, url)
        finally:
            self._running -= 1
            self.lanes.told(lane)
            if self.lanes.is_idle(lane):
                for waiting in self._on_idle.pop(lane, ()):
                    if not waiting.done():
                        waiting.set_result(None)
            self._go_on()
            if self._all_told is not None and self.lanes.are_idle and not self._all_told.done():
                self._all_told.set_result(None)

    async def _tell_one(self, told: Told, url: str) -> None:
        began_ms = self._now_ms()
        try:
            answer = await self._call(told, url)
        except CallFailedError as error:
            answer = Unusable(str(error))
            if error.is_unconnected:
                await asyncio.sleep(_AGAIN_S)
                try:
                    answer = await self._call(told, url)
                except CallFailedError as again:
                    answer = Unusable(str(again))
        self._figures.called(told.event.action, shown(url), answer, self._now_ms() - began_ms)

    async def _call(self, told: Told, url: str) -> Answer:
        form = FORMS[told.config.hook_form]
        call = form.call(told.event, url)
        headers = self._signing.headers(told.config.hook_secret_file, call.body)
        reply = await self._caller.call(call, headers, within_s=told.config.hook_timeout_ms / 1000)
        if told.event.action is Action.HLS_NOTIFY:
            return Yes()  # whoever fetches says nothing that matters
        return form.read(told.event, reply.status, reply.location, reply.body)

    async def drain(self, within_s: float) -> None:
        """Deliver what waits, at most so long; the rest is lost, and counted."""
        if not self.lanes.are_idle:
            self._all_told = asyncio.get_running_loop().create_future()
            await asyncio.wait({self._all_told}, timeout=within_s)
        lost = self.lanes.clear() + self._running
        if lost:
            logger.warning("%d events could not be told to hooks any more", lost)
        await self._tasks.close()
