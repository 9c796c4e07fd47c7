"""What players report, as records: by stream, and of all together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING

from edge.facts.records import QualityFacts
from edge.hub.histogram import Histogram
from edge.hub.key import StreamKey
from edge.quality.alarm import StallAlarm
from edge.quality.audience import Audience, Present, Sums
from edge.quality.config import QualityConfig

if TYPE_CHECKING:
    from edge.hub.stream import Stream
    from edge.runtime.unit import ServiceUnit

logger = logging.getLogger(__name__)

_ALARM_EVERY_MS = 5000


class Viewers:
    """The audience of a node.

    Attributes:
        audience: who reports.
        start: how long starts took, in milliseconds.
        alarm: on while too many of them stall.
    """

    def __init__(self, config: QualityConfig) -> None:
        self.audience = Audience(config)
        self.start = Histogram()
        self.audience.on_start = self.start.observe
        self.alarm = StallAlarm(config.viewer_stall_alarm_pct)
        self._alarm_ms = 0

    def counters(self) -> dict[str, float]:
        """For pages and metrics."""
        audience, all_of_them = self.audience, self.audience.total
        return {
            "cmcd_session_count": len(audience),
            "cmcd_report_count": audience.report_count,
            "cmcd_forgotten_count": audience.forgotten_count,
            **{f"cmcd_{reason}_rejected_count": count for reason, count in sorted(audience.rejected.items())},
            "viewer_session_count": all_of_them.sessions,
            "viewer_stall_count": all_of_them.stalls,
            "viewer_stall_ms": all_of_them.stalls_ms,
            "viewer_dropped_count": all_of_them.dropped,
            "viewer_stalled_share": self.alarm.share,
            "viewer_stall_alarm": int(self.alarm.is_on),
        }

    def tick(self, now_ms: int, units: Iterable[ServiceUnit]) -> None:
        """Forget viewers who are silent, and streams that are no more; look whether too many of the others stall."""
        streams = {unit.name: unit.registry.streams for unit in units}
        self.audience.tick(now_ms, lambda stream: _is_there(stream, streams))
        if now_ms - self._alarm_ms >= _ALARM_EVERY_MS:
            self._alarm_ms = now_ms
            self._look_for_stalls(now_ms)

    def _look_for_stalls(self, now_ms: int) -> None:
        alarm = self.alarm
        has_changed = alarm.look(self.audience.sessions(), now_ms)
        if alarm.is_on:
            # Of all that come only one a minute is a warning.
            service, key = alarm.worst if isinstance(alarm.worst, tuple) else ("-", "-")
            text = "viewers stall reason=viewers_stall stalled=%d of=%d most_at=%s/%s"
            logger.warning(text, alarm.stalled, alarm.viewers, service, key)
        elif has_changed:
            logger.info("viewers stall no more stalled=%d of=%d", alarm.stalled, alarm.viewers)

    def look(self) -> Callable[[str, StreamKey], QualityFacts | None]:
        """What is told of a stream of a service, all by one look at the sessions; None where nobody has reported."""
        sums, present = self.audience.streams(), self.audience.present()
        return lambda service, key: _facts_of((service, key), sums, present)


def _is_there(stream: Hashable, streams: Mapping[str, Mapping[StreamKey, Stream]]) -> bool:
    if not isinstance(stream, tuple):
        return False
    service, key = stream
    return key in streams.get(service, {})


def _facts_of(
    stream: Hashable, sums: Mapping[Hashable, Sums], present: Mapping[Hashable, Present]
) -> QualityFacts | None:
    seen, now = sums.get(stream), present.get(stream)
    if seen is None:
        return None
    return QualityFacts(
        reporting=now.sessions if now is not None else 0,
        sessions=seen.sessions,
        start_ms=round(seen.starts_ms / seen.starts) if seen.starts else None,
        stall_count=seen.stalls,
        stall_ms=seen.stalls_ms,
        dropped_frames=seen.dropped,
        buffer_ms=now.buffer_ms if now is not None else None,
        bitrate_kbps=now.bitrate_kbps if now is not None else None,
    )
