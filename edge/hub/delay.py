"""How long frames take: to the node that they are published to, over each hop, and out to the players.

One frame a second is timed, that which is the newest when the first node takes
something in; a mark bears what is known of it from node to node (``hop.py``), so all
nodes time the same frames. Nothing is done for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.hub.histogram import Histogram
from edge.media.mark import MAX_DELAY_US, MAX_DELAYS, MarkDelay

#: Timed frames of a block; a late one is compared with those of its own and of the one before: one to two minutes.
_COMPARED = 60
_US_PER_MS = 1000
#: What is so much less than nothing is no error of an estimate, but a clock that has stood still.
_LEAST_HOP_US = -1_000_000


class DelayHistograms:
    """Delays in milliseconds, by where they arise. Each histogram is made when it is asked for: most streams need one.

    Attributes:
        hops: what each hop took, that which leads away from the first node at the beginning.
    """

    __slots__ = ("_flush", "_ingest", "_total", "hops")

    def __init__(self) -> None:
        self._ingest: Histogram | None = None
        self.hops: list[Histogram] = []
        self._total: Histogram | None = None
        self._flush: Histogram | None = None

    @property
    def ingest(self) -> Histogram:
        """How late frames came to the first node."""
        if self._ingest is None:
            self._ingest = Histogram()
        return self._ingest

    @property
    def total(self) -> Histogram:
        """From the first node's taking a frame in to this node's having it; none at the first."""
        if self._total is None:
            self._total = Histogram()
        return self._total

    @property
    def flush(self) -> Histogram:
        """From this node's having a frame to its having been sent to players."""
        if self._flush is None:
            self._flush = Histogram()
        return self._flush

    def hop(self, number: int) -> Histogram:
        """Of hop ``number``, 1 for the first."""
        while len(self.hops) < number:
            self.hops.append(Histogram())
        return self.hops[number - 1]

    def merge(self, other: DelayHistograms) -> None:
        """Count what ``other`` has, too."""
        self.ingest.merge(other.ingest)
        self.total.merge(other.total)
        self.flush.merge(other.flush)
        for number, histogram in enumerate(other.hops, 1):
            self.hop(number).merge(histogram)


@dataclass(frozen=True, slots=True)
class DelayFigures:
    """The delays of the frame timed last, in milliseconds.

    Attributes:
        ingest_ms: how late it came to the first node, compared with the most punctual ones lately.
        hops_ms: what each hop took; empty at the first node.
        total_ms: from the first node to this one, without ``ingest_ms``.
        flush_ms: from its arrival here to its having been sent to players; None where nobody plays it.
        is_whole: the first node is the one that the stream is published to; else what is before it is not known.
    """

    ingest_ms: float
    hops_ms: tuple[float, ...]
    total_ms: float
    flush_ms: float | None
    is_whole: bool


class TimedFrame:
    """A frame whose way is timed, at this node; one a second of each stream, so it is made as cheaply as can be.

    Attributes:
        seq: its place in the queue.
        came_us: when it was here, by this node's clock.
        began_us: when it came to the first node, by this node's clock.
        ingest_us, hops_us, is_whole: as in the mark, this hop included.
    """

    __slots__ = ("began_us", "came_us", "hops_us", "ingest_us", "is_whole", "seq")

    def __init__(
        self, seq: int, came_us: int, began_us: int, ingest_us: int, hops_us: tuple[int, ...], is_whole: bool
    ) -> None:
        self.seq = seq
        self.came_us = came_us
        self.began_us = began_us
        self.ingest_us = ingest_us
        self.hops_us = hops_us
        self.is_whole = is_whole

    @property
    def way(self) -> MarkDelay:
        """For the mark that tells the next node."""
        return MarkDelay(self.began_us, self.ingest_us, self.hops_us, self.is_whole)


class Lateness:
    """How much later than the most punctual stamp of the last minute or two one comes.

    An encoder's clock is not known, so neither is the delay to the first node; but stamps
    run with time, and whatever holds them up, at the encoder or on the way, shows.
    """

    __slots__ = ("_before_us", "_count", "_epoch_id", "_least_us")

    def __init__(self) -> None:
        self._epoch_id = ""
        self._least_us = self._before_us = 0  # of the block of stamps in progress, and of the one before
        self._count = 0

    def note(self, epoch_id: str, stamp_ms: int, now_us: int) -> int:
        """A stamp of a publish has come; returns microseconds."""
        lead_us = now_us - stamp_ms * _US_PER_MS
        if epoch_id != self._epoch_id:
            self._epoch_id, self._count = epoch_id, 0
            self._least_us = self._before_us = lead_us
        elif self._count >= _COMPARED:
            self._count = 0
            self._before_us, self._least_us = self._least_us, lead_us
        elif lead_us < self._least_us:
            self._least_us = lead_us
        self._count += 1
        return min(lead_us - min(self._least_us, self._before_us), MAX_DELAY_US)


class StreamDelay:
    """The delays of one stream at this node.

    Attributes:
        timed: the newest timed frame, None before the first.
        seq: its place in the queue, -1 before the first: what flushes look at.
        is_due: a frame is to be timed, the next that comes where this node is the first that measures.
        due_seq: the first frame that may be timed then.
    """

    __slots__ = ("_clock_us", "_flush_us", "_histograms", "_lateness", "_of_node", "due_seq", "is_due", "seq", "timed")

    def __init__(self, clock_us: Callable[[], int] | None = None, of_node: DelayHistograms | None = None) -> None:
        """Without a clock nothing is timed. ``of_node`` counts all streams of the node, and of hops the last one."""
        self._clock_us = clock_us
        self._of_node = of_node
        # Made when they are needed: there are streams that nobody feeds.
        self._lateness: Lateness | None = None
        self._histograms: DelayHistograms | None = None
        self._flush_us: int | None = None
        self.timed: TimedFrame | None = None
        self.seq = -1
        self.is_due = False
        self.due_seq = 0

    @property
    def histograms(self) -> DelayHistograms:
        """Since the stream is here."""
        if self._histograms is None:
            self._histograms = DelayHistograms()
        return self._histograms

    def now_us(self) -> int | None:
        """This node's clock, None where nothing is timed."""
        return self._clock_us() if self._clock_us is not None else None

    def expect(self, end: int) -> None:
        """Once a second: time a frame behind ``end`` of the queue, unless another node tells of one first."""
        self.is_due = self._clock_us is not None
        self.due_seq = end

    def begin(self, seq: int, epoch_id: str, stamp_ms: int, *, is_whole: bool) -> None:
        """Frame ``seq`` has just come to the first node; ``stamp_ms``: the highest stamp of sound and picture."""
        if self._clock_us is None:
            return
        now_us = self._clock_us()
        if self._lateness is None:
            self._lateness = Lateness()
        ingest_us = self._lateness.note(epoch_id, stamp_ms, now_us)
        self._take(TimedFrame(seq, now_us, now_us, ingest_us, (), is_whole))

    def receive(self, seq: int, came_us: int, way: MarkDelay) -> None:
        """Frame ``seq`` has come over a hop; ``way`` is the neighbour's, but that ``began_us`` is by our clock."""
        hop_us = came_us - way.began_us - sum(way.hops_us)
        self.is_due = False
        if len(way.hops_us) < MAX_DELAYS and _LEAST_HOP_US <= hop_us <= MAX_DELAY_US:
            hops_us = (*way.hops_us, hop_us)
            self._take(TimedFrame(seq, came_us, way.began_us, way.ingest_us, hops_us, way.is_whole))

    def _take(self, timed: TimedFrame) -> None:
        self.timed, self.seq = timed, timed.seq
        self.is_due = False
        self._flush_us = None
        histograms, of_node, hops_us = self.histograms, self._of_node, timed.hops_us
        ingest_ms = _ms(timed.ingest_us)
        histograms.ingest.observe(ingest_ms)
        if not hops_us:
            if of_node is not None:
                of_node.ingest.observe(ingest_ms)
            return
        total_ms = _ms(timed.came_us - timed.began_us)
        histograms.total.observe(total_ms)
        for number, hop_us in enumerate(hops_us, 1):
            histograms.hop(number).observe(_ms(hop_us))
        if of_node is not None:
            # Each hop counts at the node that it leads to, and ingest where it is: a sum over nodes has nothing twice.
            of_node.total.observe(total_ms)
            of_node.hop(len(hops_us)).observe(_ms(hops_us[-1]))

    def note_flush(self) -> None:
        """The newest timed frame has just been sent to players that stand together."""
        timed = self.timed
        if timed is None or self._clock_us is None:
            return
        self._flush_us = self._clock_us() - timed.came_us
        flush_ms = _ms(self._flush_us)
        self.histograms.flush.observe(flush_ms)
        if self._of_node is not None:
            self._of_node.flush.observe(flush_ms)

    @property
    def figures(self) -> DelayFigures | None:
        """Those of the newest timed frame, None before the first."""
        timed = self.timed
        if timed is None:
            return None
        return DelayFigures(
            ingest_ms=_ms(timed.ingest_us),
            hops_ms=tuple(map(_ms, timed.hops_us)),
            total_ms=_ms(timed.came_us - timed.began_us),
            flush_ms=_ms(self._flush_us) if self._flush_us is not None else None,
            is_whole=timed.is_whole,
        )


def _ms(delay_us: int) -> float:
    """For people: what an estimate makes a little less than nothing is nothing."""
    return max(delay_us, 0) / _US_PER_MS
