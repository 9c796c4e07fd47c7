"""What the log has of streams and their connections at intervals, gathered on the tick of a node.

Nothing of it is done per frame: counters that exist are read, and places in queues.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edge.hub.stream import Stream
from edge.logbook.config import LogbookConfig
from edge.logbook.conn_stats import Counts
from edge.logbook.stream_table import StreamRow, StuckPlayer, table_lines
from edge.media.metadata import number_field
from edge.net.aio import wall_s
from edge.runtime.passing import source_of
from edge.runtime.stages import StageLog

if TYPE_CHECKING:
    from edge.runtime.bills import BillWatcher
    from edge.runtime.conn_stats import ConnStats
    from edge.runtime.settings import Settings
    from edge.runtime.unit import ServiceUnit

logger = logging.getLogger(__name__)

_STAGES_MS = 1000


class StatLog:
    """All of it, for the services of a node."""

    def __init__(
        self,
        units: Sequence[ServiceUnit],
        settings: Settings,
        now_ms: int,
        *,
        wall_clock_s: Callable[[], float] = wall_s,
    ) -> None:
        self._units = units
        self._settings = settings
        self._config = LogbookConfig()
        self._tables = [StreamTable(unit, wall_clock_s, is_utc=settings.log.log_utc_time) for unit in units]
        self._connections: list[ConnStats] = []
        self._stages = StageLog(units, self._config, now_ms)
        self._stages_ms = now_ms
        self._bills: BillWatcher | None = None
        for unit in units:
            unit.service.watchers.append(self._stages)
        self.reconfigure(settings.logbook, now_ms)

    def reconfigure(self, config: LogbookConfig, now_ms: int) -> None:
        """Take new settings; bills that are open end without a word where the interval ends."""
        had_interval, self._config, self._stages.config = self._config.dump_stats_interval > 0, config, config
        has_interval = config.dump_stats_interval > 0
        if config.log_stats and not self._connections:
            from edge.runtime.conn_stats import ConnStats  # most nodes do without

            self._connections = [ConnStats(unit) for unit in self._units]
        for table in self._tables:
            table.restart(now_ms, is_on=has_interval)
        if has_interval and not had_interval:
            self._open_bills()
        elif had_interval and not has_interval and self._bills is not None:
            for unit in self._units:
                unit.service.watchers.remove(self._bills)
            self._bills = None

    def _open_bills(self) -> None:
        from edge.runtime.bills import BillWatcher  # most nodes do without

        net = self._settings.net
        bills = self._bills = BillWatcher(net.bind, net.port)
        for unit in self._units:
            unit.service.watchers.append(bills)
            for publish in unit.service.publishes.values():
                bills.on_publish(publish)
            for stream in unit.registry.streams.values():
                for play in stream.roster.plays():
                    bills.on_play(play)

    def tick(self, now_ms: int) -> None:
        """Four times a second."""
        interval_ms = self._config.dump_stats_interval * 1000
        if self._bills is not None and interval_ms > 0:
            self._bills.tick(now_ms, interval_ms)
            for table in self._tables:
                table.tick(now_ms, interval_ms)
        if self._config.log_stats:
            for connections in self._connections:
                connections.tick(now_ms)
        if now_ms - self._stages_ms >= _STAGES_MS:
            self._stages_ms = now_ms
            self._stages.tick(now_ms)


class StreamTable:
    """The table of one service's streams, each over the time since its last line."""

    def __init__(self, unit: ServiceUnit, wall_clock_s: Callable[[], float], *, is_utc: bool) -> None:
        self._unit = unit
        self._wall_clock_s = wall_clock_s
        self._is_utc = is_utc
        self._next_ms = 0
        # By stream: the moment on the wall clock at which it began, and what it had come to at its last line, and when.
        self._known: dict[Stream, tuple[float, Counts, int]] = {}

    def restart(self, now_ms: int, *, is_on: bool) -> None:
        """The first table comes after a whole interval; while it is off nobody is remembered as stuck."""
        self._next_ms = 0
        self._known.clear()
        for stream in self._unit.registry.streams.values():
            stream.stats.stuck = {} if is_on else None

    def tick(self, now_ms: int, interval_ms: int) -> None:
        """Write it when it is time."""
        for stream in self._unit.registry.streams.values():
            if stream.stats.stuck is None:
                stream.stats.stuck = {}
        if self._next_ms == 0:
            self._next_ms = now_ms + interval_ms
        if now_ms < self._next_ms:
            return
        self._next_ms = max(self._next_ms + interval_ms, now_ms + interval_ms // 2)
        wall_now_s = self._wall_clock_s()
        known, rows = {}, []
        for stream in self._unit.registry.streams.values():
            known[stream], row = self._row(stream, now_ms, wall_now_s)
            rows.append(row)
        self._known = known
        texts = table_lines(rows, wall_now_s, is_utc=self._is_utc)
        if texts:
            logger.info("%s", texts[0], extra={"block": texts[1:]})

    def _row(self, stream: Stream, now_ms: int, wall_now_s: float) -> tuple[tuple[float, Counts, int], StreamRow]:
        stats = stream.stats
        first = (wall_now_s - (now_ms - stream.created_ms) / 1000, Counts(), stream.created_ms)
        created_s, before, since_ms = self._known.get(stream, first)
        counts = Counts(stats.video_bytes, stats.audio_bytes, stats.video_frames)
        span_ms = max(now_ms - since_ms, 1)
        stuck, stats.stuck = stats.stuck or {}, {}
        row = StreamRow(
            created_s=created_s,
            source=source_of(self._unit, stream),
            key=str(stream.key),
            gop=stats.gop,
            fps=(counts.video_frames - before.video_frames) * 1000 / span_ms,
            video_bytes_s=(counts.video_bytes - before.video_bytes) * 1000 // span_ms,
            audio_bytes_s=(counts.audio_bytes - before.audio_bytes) * 1000 // span_ms,
            framerate=number_field(dict(stream.metadata), "framerate"),
            player_count=stream.player_count,
            stuck=tuple(StuckPlayer(*who, *left_out) for who, left_out in stuck.items()),
        )
        return (created_s, counts, now_ms), row
