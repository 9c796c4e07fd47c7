"""The other public nodes that viewers of HLS may be sent to: which there are, and how each of them is.

Each is asked by its base URL, as viewers reach it, whether it is there and which share of viewers it does not want.
The node that answers with an id of ours is this one: that is how it learns its own base URL.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from yarl import URL

from edge.net.aio import TaskOwner, now_ms, spawn
from edge.quality.config import QualityConfig
from edge.quality.share import LoadShare
from edge.quality.steering import STEER_PATH, Pathway, pathway_id
from naming.base import NamingOptions
from naming.base_urls import BaseUrlWatcher

logger = logging.getLogger(__name__)

STATE_PATH = f"{STEER_PATH}/state"
_LOOK_S = 1.0
_TIMEOUT_S = 2.0
_MAX_STATE_BYTES = 4096
#: A node counts as gone after so many questions in vain.
_GONE_AFTER = 2


@dataclass(slots=True)
class _Sibling:
    """One node by its base URL; ``share`` is None until it has answered, and once it does so no more."""

    base: str
    share: float | None = None
    is_self: bool = False
    failed_count: int = 0


class Siblings:
    """Asks once a second; ``share`` is what others are told of this node."""

    def __init__(
        self,
        config: QualityConfig,
        naming: NamingOptions,
        *,
        own_ids: frozenset[str],
        load: Callable[[], float],
        late_share: Callable[[], float],
        is_draining: Callable[[], bool],
    ) -> None:
        """Begin to ask, inside the loop that serves; raises NamingError for a naming URL that can be none.

        Args:
            config: ``hls_siblings`` and how loads are judged.
            naming: how naming services are asked.
            own_ids: of the services of this process.
            load: how much of what this node can do is in use, from 0 to 1.
            late_share: the part of its viewers that it does not want because it sends media too late.
            is_draining: whether it wants nobody any more.
        """
        self._own_ids = own_ids
        self._load = load
        self._late_share = late_share
        self._is_draining = is_draining
        self._load_share = LoadShare(
            high=config.hls_steer_load_pct / 100,
            low=config.hls_steer_return_pct / 100,
            step_ms=config.hls_steer_ttl_s * 1000,
        )
        self._siblings: dict[str, _Sibling] = {}
        self._session: aiohttp.ClientSession | None = None
        self._tasks = TaskOwner("siblings")
        self._url, self._naming = config.hls_siblings, naming
        self._watching = self._watch()
        spawn(self._run(), name="hls-siblings-state", owner=self._tasks)

    def _watch(self) -> asyncio.Task[None]:
        watcher = BaseUrlWatcher(self._url, self._take, options=self._naming)
        return spawn(watcher.run(), name="hls-siblings", owner=self._tasks)

    def reconfigure(self, naming: NamingOptions) -> None:
        """Ask naming services by other settings, beginning now; those that are known stay meanwhile."""
        if naming != self._naming:
            self._naming = naming
            self._watching.cancel()
            self._watching = self._watch()

    @property
    def share(self) -> float:
        """The part of its viewers that this node does not want."""
        return 1.0 if self._is_draining() else max(self._load_share.share, self._late_share())

    def own_base(self) -> str:
        """The base URL of this node, "" while none has been found to be it."""
        return next((sibling.base for sibling in self._siblings.values() if sibling.is_self), "")

    def others(self) -> list[Pathway]:
        """The nodes that can be played from, without this one."""
        return [
            Pathway(pathway_id(sibling.base), sibling.base, sibling.share)
            for sibling in self._siblings.values()
            if sibling.share is not None and not sibling.is_self
        ]

    def base_urls(self) -> tuple[str, ...]:
        """All that are named."""
        return tuple(self._siblings)

    def counters(self) -> dict[str, float]:
        """For pages and metrics."""
        return {
            "hls_steer_share": self.share,
            "hls_sibling_count": sum(not sibling.is_self for sibling in self._siblings.values()),
            "hls_sibling_up_count": len(self.others()),
        }

    async def close(self) -> None:
        """The server ends."""
        await self._tasks.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _take(self, bases: tuple[str, ...]) -> None:
        known = self._siblings
        self._siblings = {base: known.get(base) or _Sibling(base) for base in bases}

    async def _run(self) -> None:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S), trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        while True:
            self._load_share.note(self._load(), now_ms())
            await asyncio.gather(*(self._ask(sibling) for sibling in self._siblings.values()))
            await asyncio.sleep(_LOOK_S)

    async def _ask(self, sibling: _Sibling) -> None:
        fault = "no state"
        try:
            assert self._session is not None
            url = URL(f"{sibling.base}{STATE_PATH}", encoded=True)
            async with self._session.get(url, allow_redirects=False) as answer:
                body = await answer.content.read(_MAX_STATE_BYTES)
                state = decode_state(body) if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            state, fault = None, repr(error)
        if state is not None:
            service_id, share = state
            if sibling.share is None:
                logger.info("sibling %s answers", sibling.base)
            sibling.is_self = service_id in self._own_ids
            sibling.share, sibling.failed_count = share, 0
            return
        sibling.failed_count += 1
        if sibling.failed_count == _GONE_AFTER:
            text = "reason=sibling_gone no viewer is sent to %s: %s"
            logger.warning(text, sibling.base, fault, extra={"cause": sibling.base})
        if sibling.failed_count >= _GONE_AFTER:
            sibling.share = None


def encode_state(service_id: str, share: float) -> bytes:
    """What a node says of itself."""
    return json.dumps({"id": service_id, "share": round(share, 3)}).encode()


def decode_state(body: bytes) -> tuple[str, float] | None:
    """The id and share of a node; None for what is no such answer."""
    try:
        found = json.loads(body)
        service_id, share = found["id"], found["share"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    if not isinstance(service_id, str) or not is_number or not 0 <= share <= 1:
        return None
    return service_id, float(share)
