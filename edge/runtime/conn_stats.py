"""``[CONN_STATS]`` lines of one service (``-log_stats``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge.hub.stream import Stream
from edge.logbook.conn_stats import Counts, Rates, Subject, conn_line, rates
from edge.logbook.fluency import Expected, expected_fps
from edge.logbook.stream_table import NOWHERE
from edge.media.metadata import number_field
from edge.net.lines import Lines
from edge.runtime.passing import HLS_PROTOCOLS, Passed, received, source_of
from edge.service.grants import Play, Served
from edge.service.watch import GrantWatcher

if TYPE_CHECKING:
    from edge.runtime.unit import ServiceUnit

lines = Lines(__name__)

#: A round begins this often; so many connections are looked at in one tick.
CONN_STATS_MS = 10_000
LINES_PER_TICK = 1000

_SUBJECTS = {"http-flv": Subject.PLAY_FLV, "https-flv": Subject.PLAY_FLV, "ws-flv": Subject.PLAY_FLV} | {
    "wss-flv": Subject.PLAY_FLV,
    "http-ts": Subject.PLAY_TS,
    "https-ts": Subject.PLAY_TS,
}

Mark = tuple[int, Counts, int]
"""When something was looked at, what had passed it, and the bytes that had gone to it."""


class ConnStats(GrantWatcher):
    """A line per publisher, pull, player and push, each over the time since its last one, the first since it began."""

    def __init__(self, unit: ServiceUnit) -> None:
        self._unit = unit
        self._began_ms: int | None = None
        self._round: Iterator[None] | None = None
        self._now_ms = 0
        self._marks: dict[object, Mark] = {}
        self._new: dict[Play, None] = {}  # that have not begun
        unit.service.watchers.append(self)

    # --- grants -------------------------------------------------------------------

    def on_play(self, play: Play) -> None:
        """Where it begins is known on the next tick, or later."""
        if play.client.protocol not in HLS_PROTOCOLS:
            self._new[play] = None

    def on_play_over(self, play: Play) -> None:
        """No more of it."""
        self._new.pop(play, None)
        self._marks.pop(play, None)

    # --- ticks --------------------------------------------------------------------

    def tick(self, now_ms: int) -> None:
        """Go on with a round, or begin one when it is time."""
        self._now_ms = now_ms
        self._look_at_new()
        if self._began_ms is None:
            self._began_ms = now_ms
        if self._round is None and now_ms - self._began_ms >= CONN_STATS_MS:
            self._began_ms += CONN_STATS_MS * ((now_ms - self._began_ms) // CONN_STATS_MS)
            self._round = self._lines()
        for _ in range(LINES_PER_TICK if self._round is not None else 0):
            assert self._round is not None
            if next(self._round, self) is self:
                self._round = None
                return

    def _look_at_new(self) -> None:
        """Note where plays have begun while the frames from there on are held."""
        passed: dict[Stream, Passed] = {}
        for _ in range(min(len(self._new), LINES_PER_TICK)):
            play = next(iter(self._new))
            del self._new[play]
            served, stream = play.served, play.stream
            if served.first_seq is None:
                self._new[play] = None  # to the end: all have their turn
                continue
            known = passed.setdefault(stream, Passed(stream))
            self._marks[play] = (play.since_ms, known.of(served._replace(next_seq=served.first_seq)), 0)

    def _lines(self) -> Iterator[None]:
        for stream in list(self._unit.registry.streams.values()):
            yield from self._lines_of(stream)
        sources = {stream.publisher for stream in self._unit.registry.streams.values()}
        upstream = self._unit.upstream
        pushes = set(upstream.pushes.values()) if upstream is not None else set()
        self._marks = {
            who: mark for who, mark in self._marks.items() if isinstance(who, Play) or who in sources or who in pushes
        }

    def _lines_of(self, stream: Stream) -> Iterator[None]:
        expected = self._tell_source(stream)
        yield
        passed = Passed(stream)
        for play in list(stream.roster.plays()):
            mark = self._marks.get(play)
            served = play.served
            if mark is not None and served.next_seq is not None:
                subject = _SUBJECTS.get(play.client.protocol, Subject.PLAY)
                flow = self._flow(play, mark, passed.of(served), served)
                _tell(subject, str(play.key), play.client.peer, flow, expected)
            yield
        upstream = self._unit.upstream
        push = upstream.pushes.get(stream.key) if upstream is not None else None
        if push is None or push.server is None or push.served.next_seq is None:
            return
        served = push.served
        counts = passed.of(served)
        first = passed.of(served._replace(next_seq=served.first_seq))
        flow = self._flow(push, self._marks.get(push, (stream.created_ms, first, 0)), counts, served)
        _tell(Subject.FORWARD, str(stream.key), push.server.endpoint, flow, expected)
        yield

    def _flow(self, who: object, mark: Mark, counts: Counts, served: Served) -> Rates:
        """What has gone to a player since its mark; of what it had to leave out nothing counts."""
        since_ms, before, sent_before = mark
        self._marks[who] = (self._now_ms, counts, served.sent_bytes)
        flow = rates(before, counts, self._now_ms - since_ms)
        sent_bps = max(served.sent_bytes - sent_before, 0) * 8000 // max(self._now_ms - since_ms, 1)
        body_bps = flow.video_bps + flow.audio_bps
        if sent_bps >= body_bps:
            return flow
        return Rates(*(value * sent_bps // body_bps for value in flow))

    def _tell_source(self, stream: Stream) -> Expected | None:
        """The line of who feeds a stream, and what those who take it are held to."""
        source, who = source_of(self._unit, stream), stream.publisher
        if who is None or source == NOWHERE:
            return None
        counts = received(stream)
        since_ms, before, _ = self._marks.get(who, (stream.created_ms, Counts(), 0))
        self._marks[who] = (self._now_ms, counts, 0)
        flow = rates(before, counts, self._now_ms - since_ms)
        expected = expected_fps(number_field(dict(stream.metadata), "framerate"), flow.fps)
        is_pulled = self._unit.upstream is not None and stream.key in self._unit.upstream.pulls
        _tell(Subject.INGESTER if is_pulled else Subject.PUBLISH, str(stream.key), source, flow, expected)
        return expected


def _tell(subject: Subject, key: str, peer: str, flow: Rates, expected: Expected | None) -> None:
    text, values = conn_line(subject, key, peer, flow, expected)
    lines.info(text, *values)
