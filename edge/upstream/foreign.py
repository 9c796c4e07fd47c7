"""Feeds a stream from a server that is no node of ours: what it plays again after a cut is recognised and left out."""

from __future__ import annotations

from collections.abc import Callable

from edge.hub.headers import MAX_HEADERS
from edge.hub.publisher import Publisher
from edge.hub.stream import MAX_HEADER_BYTES, Stream
from edge.media.frame import DATA, MEDIA, Epoch, is_media
from edge.upstream.align import Alignment, RunAligner


class ForeignReceiver:
    """The counterpart of ``HopReceiver``; lives over all connections to foreign servers that follow each other."""

    __slots__ = ("_aligner", "_compared_count", "_headers", "_is_aligning", "_new_epoch", "_publisher")

    def __init__(self, publisher: Publisher[Stream], new_epoch: Callable[[], Epoch]) -> None:
        """``publisher``: in whose name the frames come. ``new_epoch``: makes one at each beginning and gap."""
        self._publisher = publisher
        self._new_epoch = new_epoch
        self._is_aligning = False
        self._compared_count = 0
        # Headers that came while frames were compared, each with the number of frames before it.
        self._headers: list[tuple[int, int, bytes]] = []
        self._aligner = RunAligner()
        for frame in publisher.stream.queue.frames:  # it may come from a node of ours until now
            if frame.kind == MEDIA and frame.type_id != DATA:
                self._aligner.remember(frame.type_id, frame.payload, frame.dts_ms)

    def begin(self) -> None:
        """A new connection: what comes next is compared with what there is."""
        self._aligner.begin()
        self._compared_count = 0
        self._headers.clear()
        self._publisher.stream.drop_pending_headers()
        self._is_aligning = self._aligner.has_tail

    def push(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        """One message of the server; nothing once somebody else feeds the stream."""
        if not self._publisher.is_active:
            return
        stream = self._publisher.stream
        if stream.epoch is None:
            self._begin_epoch(now_ms)
        if type_id == DATA or not payload:
            stream.push(type_id, wire_timestamp, payload, now_ms)
            return
        is_frame = is_media(type_id, payload)
        if not self._is_aligning:
            if is_frame:
                self._relay(type_id, wire_timestamp, payload, now_ms)
            else:
                stream.push(type_id, wire_timestamp, payload, now_ms)
            return
        if not is_frame:
            self._hold(type_id, payload)
            return
        self._compared_count += 1
        result, rest = self._aligner.add(type_id, wire_timestamp, payload, now_ms)
        if result is Alignment.PENDING:
            return
        self._is_aligning = False
        if result is Alignment.MATCHED:
            stream.timeline.restart(self._aligner.shift_ms)
        else:
            stream.stats.gap_count += 1
            self._begin_epoch(now_ms)
        compared_count = self._compared_count - len(rest)
        for arrived in rest:
            self._push_headers(compared_count, now_ms)
            compared_count += 1
            self._relay(arrived.type_id, arrived.wire_timestamp, arrived.payload, now_ms)
        self._push_headers(compared_count, now_ms)

    def flush(self, now_ms: int) -> None:
        """Give the stream what was held back of a publish that has ended: nothing here, see ``ordered_foreign.py``."""

    def _hold(self, type_id: int, payload: bytes) -> None:
        """Keep a header in its place among the frames that are compared: only some of them may be relayed."""
        if len(self._headers) < 2 * MAX_HEADERS and len(payload) <= MAX_HEADER_BYTES:
            self._headers.append((self._compared_count, type_id, payload))

    def _push_headers(self, compared_count: int, now_ms: int) -> None:
        """Hand on the headers that stand before the frame that follows so many others."""
        while self._headers and self._headers[0][0] <= compared_count:
            _, type_id, payload = self._headers.pop(0)
            self._publisher.stream.push(type_id, 0, payload, now_ms)

    def _relay(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        stream = self._publisher.stream
        before = stream.queue.end
        stream.push(type_id, wire_timestamp, payload, now_ms)
        newest = stream.queue.newest()
        if stream.queue.end != before and newest is not None:
            self._aligner.remember(type_id, payload, newest.dts_ms)

    def _begin_epoch(self, now_ms: int) -> None:
        # Such a server sends its headers first, and what follows has been compared with what was before.
        publisher = self._publisher
        publisher.stream.begin_publish(publisher, self._new_epoch(), now_ms, are_headers_there=True)
