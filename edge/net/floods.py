"""Connections in great number from addresses of which nothing is looked at (``edge.access.guessing``).

Of each such address some are let in every second, to be told why they are refused. That costs too much for all of a
flood, and so does closing each. So the others are closed unread, and where the system can do it, the kernel drops
further attempts to connect, which costs this process nothing, until a second is over: then some are told again. An
address whose minute is over is thus shut out for a second more at most.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.net import system
from edge.net.byte_stream import ListeningSocket
from edge.net.source_filter import MAX_NETWORKS, source_filter
from edge.service.client_network import network_of
from edge.service.refusal import Reason

if TYPE_CHECKING:
    import asyncio

    from edge.net.context import NetContext

logger = logging.getLogger(__name__)

_ROUND_MS = 1000


class Floods:
    """How many connections have come to a listening socket from addresses that are shut out, this second."""

    def __init__(
        self,
        sock: ListeningSocket,
        context: NetContext,
        is_shut_out: Callable[[str], bool],
        told_per_s: Callable[[], int],
    ) -> None:
        """``told_per_s``: how many connections of an address that is shut out are let in each second; 0 for all."""
        self._sock, self._context = sock, context
        self._is_shut_out, self._told_per_s = is_shut_out, told_per_s
        self._counts: dict[bytes, int] = {}
        self._dropped: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        system.detach_filter(sock)  # whose process before may have ended in a flood

    def turns_away(self, host: str) -> bool:
        """Whether a connection from ``host`` is to be closed unread."""
        if not self._is_shut_out(host):
            return False
        limit = self._told_per_s()
        if not limit:
            return False
        if self._timer is None:
            self._timer = self._context.call_later(_ROUND_MS, self._begin_again)
        network = network_of(host)
        count = self._counts[network] = self._counts.get(network, 0) + 1
        if count <= limit:
            return False
        self._context.counters[f"error_{Reason.GUESSING.value}_count"] += 1
        if count == limit + 1:
            self._drop(network, host, limit)
        return True

    def _drop(self, network: bytes, host: str, limit: int) -> None:
        text = "connections are closed unread peer=%s: more than %d in a second, after too many wrong credentials"
        self._context.counters.log_limited(logging.WARNING, "auth_flood", text, host, limit, cause=host)
        if not network or len(self._dropped) >= MAX_NETWORKS:
            return
        self._dropped.append(network)
        system.attach_filter(self._sock, source_filter(self._dropped))

    def _begin_again(self) -> None:
        self._timer = None
        self._counts.clear()
        if self._dropped:
            self._dropped.clear()
            system.detach_filter(self._sock)

    def close(self) -> None:
        """Drop nothing any more. Safe to call again."""
        if self._timer is not None:
            self._timer.cancel()
            self._begin_again()
