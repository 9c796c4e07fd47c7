"""Ends publishes that are over without a word, or that send too much.

A connection is looked at as well as its media: who sends nothing may be there
all the same, and who is there may forward somebody who is silent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.net.config import NetConfig
from edge.net.context import NetContext
from edge.net.rtmp.ingest import IngestTicker
from edge.service.grants import Publish
from edge.service.refusal import Reason, Refusal

if TYPE_CHECKING:
    from edge.net.rtmp.ingest import PublishingConnection

#: After a longer gap between two ticks this process stood still itself, with the media of its publishers unread.
_STOOD_STILL_MS = 2000


def _cap_of(publish: Publish) -> int:
    """The most that a publish may send on average, in kbit/s: in its vhost, or by its grant; 0 for no limit."""
    of_vhost, granted = publish.stream.rules.of(NetConfig).max_publish_kbps, publish.max_kbps
    return min(of_vhost, granted) if of_vhost and granted else of_vhost or granted


def _cap_of_all(publishes: Iterable[Publish]) -> int:
    """The same of a connection: each may send as much as it may; beside one without a limit the least counts."""
    caps = [_cap_of(publish) for publish in publishes]
    return sum(caps) if all(caps) else min(cap for cap in caps if cap) if any(caps) else 0


class PublishWatch:
    """Looks at the publishers of one service a few times a second."""

    def __init__(self, context: NetContext, ingest: IngestTicker) -> None:
        self._context = context
        self._ingest = ingest
        self._ticked_ms = 0
        self._woken_ms = 0

    def tick(self, now_ms: int, clock_ms: int) -> None:
        """``now_ms`` is the time of the tick, and ``clock_ms`` what the clock shows when its turn has come."""
        self._notice_gap(clock_ms)
        for connection in list(self._ingest.publishers):
            for publish in connection.publishes():
                publisher = publish.publisher
                publisher.flush_if_quiet(now_ms)
                silent_ms = now_ms - max(publisher.last_media_ms or publisher.since_ms, self._woken_ms)
                if self._is_gone(connection, publisher, now_ms, silent_ms):
                    text = "%s reason=publish_timeout no media for %d ms"
                    self._context.counters.log_limited(logging.INFO, "publish_timeout", text, connection, silent_ms)
                    publish.stop(Refusal(Reason.IDLE, "no media"))
                elif self._is_idle(publish, now_ms):
                    text = "%s reason=publish_unused nobody has used the stream for %d ms"
                    self._context.counters.log_limited(
                        logging.INFO, "publish_unused", text, connection, now_ms - publish.used_ms
                    )
                    publish.stop(Refusal(Reason.UNUSED, "nobody uses the stream"))
            cap = _cap_of_all(connection.publishes())
            if cap and connection.is_over_rate(now_ms, cap):
                for publish in connection.publishes():
                    publish.stop(Refusal(Reason.TOO_FAST, f"more than {cap} kbit/s"))

    @staticmethod
    def _is_idle(publish: Publish, now_ms: int) -> bool:
        """Whether nobody has used its stream for as long as that may be, in the sight of this process."""
        stream = publish.stream
        limit_ms = stream.config.publish_kickoff_for_idle_s * 1000
        if not limit_ms:
            publish.used_ms = 0
            return False
        if stream.player_count or stream.readers or not publish.used_ms:
            publish.used_ms = now_ms
        return now_ms - publish.used_ms > limit_ms

    def _notice_gap(self, now_ms: int) -> None:
        """After a stand-still of ours, such as a suspended machine, publishers are given their time again."""
        if self._ticked_ms and now_ms - self._ticked_ms > _STOOD_STILL_MS:
            self._woken_ms = now_ms
        self._ticked_ms = now_ms

    def _is_gone(
        self, connection: PublishingConnection, publisher: Publisher[Stream], now_ms: int, silent_ms: int
    ) -> bool:
        """Whether a publish is over for want of media: it has never sent any, is not there any more, or nobody waits.

        A node of ours that forwards a silent publisher asks it itself, and says by its own bytes that it is there.
        """
        hub = publisher.stream.config
        limit = hub.publish_normal_timeout_ms if publisher.last_media_ms else hub.publish_firstpkt_timeout_ms
        if not limit or silent_ms <= limit or connection.is_publish_kept_alive(now_ms, limit):
            return False
        if not publisher.last_media_ms or connection.is_hop:
            return True
        if publisher.is_active and 0 < hub.publish_silent_timeout_ms < silent_ms:
            return True
        return connection.is_silent_publisher_gone(now_ms, limit, hub.publish_ping_timeout_ms)
