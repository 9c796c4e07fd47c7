"""Watches media of HLS on their way out, and tells which part of its viewers a node does not want for lateness."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable
from typing import cast

from aiohttp import web

from edge.hls.names import Asked
from edge.hls.segmenter import Segmenter
from edge.httpd.connection import HttpConnection
from edge.net.aio import now_ms
from edge.net.system import least_round_trip_us, unacknowledged_bytes
from edge.quality.config import QualityConfig
from edge.quality.delivery import Deliveries, Left
from edge.quality.share import LateShare

logger = logging.getLogger(__name__)

#: A part lasts longer.
_LOOK_S = 0.1


class DeliveryWatch:
    """Looks at the connections that media go out on, as long as any do."""

    def __init__(self, config: QualityConfig) -> None:
        self._config = config
        self._deliveries = Deliveries()
        self._late = LateShare(
            most=config.hls_steer_late_pct / 100,
            hold_ms=config.hls_steer_hold_s * 1000,
            step_ms=config.hls_steer_ttl_s * 1000,
        )
        self._late_share = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def share(self) -> float:
        """The part of its viewers that this node does not want."""
        return self._late.share

    def counters(self) -> dict[str, float]:
        """For pages and metrics."""
        return {"hls_late_share": self._late_share}

    def note(self, request: web.BaseRequest, segmenter: Segmenter, asked: Asked, size: int) -> None:
        """Media are about to be sent; of a configuration, and of what is not listed here, nobody knows the duration."""
        media_ms = duration_ms(segmenter, asked)
        if media_ms and self._config.hls_steer_late_pct and request.method != "HEAD":
            self._deliveries.begin(request.protocol, size, media_ms, now_ms())
            if self._timer is None:
                self._look_later()

    def close(self) -> None:
        """The server ends."""
        if self._timer is not None:
            self._timer.cancel()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def _look(self) -> None:
        self._timer = None
        deliveries, at_ms = self._deliveries, now_ms()
        deliveries.look(_left_of, at_ms)
        self._late_share = deliveries.late_share()
        if self._late.note(self._late_share, at_ms):
            text = "reason=late_media %d %% of the media go out slower than they are played: viewers are sent elsewhere"
            logger.warning(text, round(100 * self._late_share))
        if not deliveries.is_idle or self.share:
            self._look_later()


def duration_ms(segmenter: Segmenter, asked: Asked) -> int:
    """Of a segment or part; 0 where that is not known."""
    segment = segmenter.find(asked.segment) if asked.segment is not None else None
    if segment is None:
        return 0
    if asked.part < 0:
        return segment.duration_ms
    return segment.parts[asked.part].duration_ms if asked.part < len(segment.parts) else 0


def _left_of(connection: Hashable) -> Left | None:
    transport = cast(HttpConnection, connection).transport
    if transport is None or transport.is_closing():
        return None
    sock = transport.get_extra_info("socket")
    size = transport.get_write_buffer_size() + (unacknowledged_bytes(sock) or 0)
    return Left(size, least_round_trip_us(sock) // 1000 if size else 0)
