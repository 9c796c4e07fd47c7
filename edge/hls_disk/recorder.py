"""Makes segments of each live stream as long as it lasts, and hands them to the writer.

Each stream has a segmenter of its own for that, whoever watches by HTTP: its
frames are packed once more, and of its segments only the one in progress is
held, beside what waits for the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from edge.hls.config import HlsConfig
from edge.hls.segment import Segment
from edge.hls.segmenter import Segmenter
from edge.hls_disk.config import DiskConfig
from edge.hls_disk.folder import Folder
from edge.hls_disk.listing import Made
from edge.hls_disk.reports import Reports
from edge.hls_disk.store import Listed, Source, Store
from edge.hls_disk.writer import Writer
from edge.hub.events import HubObserver
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.media.fmp4 import Fmp4Muxer
from edge.media.frame import AUDIO, METADATA, TRACK_BIT, VIDEO
from edge.media.mpegts import TsMuxer
from edge.net.aio import now_ms, wall_ms
from edge.service.refusal import Reason, Refusal

logger = logging.getLogger(__name__)

_TRACKS = TRACK_BIT[AUDIO] | TRACK_BIT[VIDEO]
_CLOSE_WITHIN_S = 2.0
#: A segmenter holds its window in memory, which nobody reads here.
_LEAST_WINDOW_S = 0.1

StopPublisher = Callable[[Publisher[Stream], Refusal], None]


class _Place:
    """One directory; who writes there, and what there is."""

    def __init__(self, config: DiskConfig, reports: Reports) -> None:
        self.store = Store(config, Folder(config.hls_path), reports, wall_ms)
        self.writer = Writer(self.store, reports, config.hls_disk_queue_bytes)


class DiskHls:
    """The files of a node.

    Attributes:
        reports: what is counted.
        on_listed: called in the loop with each segment that has been written; None for nobody.
    """

    def __init__(self, configs: Iterable[DiskConfig], loop: asyncio.AbstractEventLoop) -> None:
        """``configs``: of all vhosts; what a process before has left at their places is gone on with."""
        self.loop = loop
        self.reports = Reports(now_ms)
        self.on_listed: Callable[[StreamKey, Listed], object] | None = None
        self._places: dict[str, _Place] = {}
        self._is_started = False
        for config in configs:
            self.place_of(config)
        self._observers: list[tuple[Registry, Recorder]] = []

    def start(self) -> None:
        """Begin to write."""
        self._is_started = True
        for place in self._places.values():
            place.writer.start()

    def place_of(self, config: DiskConfig) -> _Place | None:
        """Where files of these settings are; None for nowhere."""
        if not config.hls_path:
            return None
        place = self._places.get(config.hls_path)
        if place is None:
            place = self._places[config.hls_path] = _Place(config, self.reports)
            if self._is_started:
                place.writer.start()
        return place

    def attach(self, registry: Registry, stop_publisher: StopPublisher) -> None:
        """Write the streams of a service; ``stop_publisher`` ends a publish (``-hls_on_error=disconnect``)."""
        recorder = Recorder(self, stop_publisher)
        registry.observers.append(recorder)
        self._observers.append((registry, recorder))

    def look_again(self) -> None:
        """Streams that run are written too whose vhost wants that by now."""
        for registry, recorder in self._observers:
            for stream in registry.streams.values():
                if stream.publisher is not None:
                    recorder.record(stream)

    def counters(self) -> dict[str, int]:
        """For pages and metrics."""
        queued_bytes = sum(place.writer.queued_bytes for place in self._places.values())
        return {**self.reports.counts(), "hls_disk_queue_bytes": queued_bytes}

    async def leave(self) -> None:
        """Write what there is, without an end: the next process goes on with the streams."""
        for registry, recorder in self._observers:
            if recorder in registry.observers:
                registry.observers.remove(recorder)
        self._observers.clear()
        await self._wait_closed()

    async def close(self) -> None:
        """Write what there is, and end; the files stay for the next process."""
        for registry, recorder in self._observers:
            if recorder in registry.observers:
                registry.observers.remove(recorder)
            recorder.close()
        self._observers.clear()
        await self._wait_closed()

    async def _wait_closed(self) -> None:
        await asyncio.gather(*(place.writer.wait_closed(_CLOSE_WITHIN_S) for place in self._places.values()))


class Recorder(HubObserver):
    """The streams of one service."""

    def __init__(self, disk: DiskHls, stop_publisher: StopPublisher) -> None:
        self._disk = disk
        self._stop_publisher = stop_publisher
        self.streams: dict[Stream, Recording] = {}

    def on_published(self, stream: Stream) -> None:
        """A publish begins: what was given up for the one before is tried again."""
        recording = self.record(stream)
        if recording is not None:
            recording.is_off = False

    def on_joined(self, stream: Stream, play: Any, is_new: bool) -> None:
        """What is pulled is pulled for somebody."""
        if not stream.is_ended:
            self.record(stream)

    def on_ended(self, stream: Stream) -> None:
        """The last segment has been made; the files stay for a while."""
        if recording := self.streams.pop(stream, None):
            recording.close()

    def close(self) -> None:
        """The node ends."""
        for recording in self.streams.values():
            recording.close()
        self.streams.clear()

    def record(self, stream: Stream) -> Recording | None:
        """Write a stream, if it is not written yet; None where its vhost wants no files."""
        found = self.streams.get(stream)
        if found is None:
            place = self._disk.place_of(stream.rules.of(DiskConfig))
            if place is None:
                return None
            found = self.streams[stream] = Recording(stream, self._disk, place, self._stop_publisher)
        return found


class Recording:
    """One stream on its way to the disk.

    Attributes:
        is_off: an error has ended it until the next publish (``-hls_on_error=ignore``).
    """

    def __init__(self, stream: Stream, disk: DiskHls, place: _Place, stop_publisher: StopPublisher) -> None:
        self.stream = stream
        self._config = stream.rules.of(DiskConfig)
        self._place = place
        self.is_off = False
        self._disk = disk
        self._stop_publisher = stop_publisher
        self._source = Source(stream.key, self._failed_in_thread, self._listed_in_thread, self._config)
        self._has_written = False
        self._told_codecs: set[str] = set()
        self._current: Segment | None = None
        self._segmenter: Segmenter | None = None
        hls = replace(stream.rules.of(HlsConfig), hls_window_s=_LEAST_WINDOW_S)
        segmenter = Segmenter(stream, self._config.kind, _TRACKS, hls, self._on_change)
        self._segmenter = segmenter
        for segment in list(segmenter.segments):
            self._take(segmenter, segment)
        self._current = segmenter.current

    def close(self) -> None:
        """The stream has ended, or the node does."""
        if self._segmenter is not None:
            self._segmenter.close()
        if self._has_written:
            self._place.writer.put(partial(self._place.store.end, self._source))

    def _on_change(self) -> None:
        segmenter = self._segmenter
        if segmenter is None or segmenter.current is self._current:
            return
        done, self._current = self._current, segmenter.current
        if done is not None:
            self._take(segmenter, done)

    def _take(self, segmenter: Segmenter, segment: Segment) -> None:
        data = segment.data
        if data is None:
            return
        # Nobody else reads this segmenter, and the writer has the bytes.
        segment.data, segment.size = None, 0
        self._tell_of_codecs()
        if self.is_off:
            return
        disk, place = self._disk, self._place
        made = Made(
            segment.name,
            segmenter.kind,
            segment.duration_ms,
            segment.wall_ms,
            segment.discontinuity,
            segment.target_s,
            segment.is_discontinuity,
            segment.init,
            data,
            (segmenter.init(segment.init) or b"") if segment.init else b"",
        )
        self._has_written = True
        if not place.writer.put(partial(place.store.segment, self._source, made), len(data)):
            disk.reports.count("hls_disk_dropped_count")
            text = f"segment of {len(data)} bytes dropped, {place.writer.queued_bytes} wait for the disk"
            disk.reports.failed(f"key={self.stream.key}", text)

    def _tell_of_codecs(self) -> None:
        """A track that the container has no place for is left out, and said once."""
        queue = self.stream.queue
        headers = [header for header in queue.headers_at(queue.end) if header.kind != METADATA]
        muxer: TsMuxer | Fmp4Muxer
        if self._config.kind == "ts":
            muxer = TsMuxer()
            for header in headers:
                muxer.set_header(header)
        else:
            muxer = Fmp4Muxer(_TRACKS)
            for header in headers:
                muxer.take_header(header)
        for codec in set(muxer.unsupported) - self._told_codecs:
            self._told_codecs.add(codec)
            text = "HLS files key=%s without its %s, which segments in %s have no place for"
            logger.warning(text, self.stream.key, codec, self._config.kind)

    def _listed_in_thread(self, listed: Listed) -> None:
        tell = self._disk.on_listed
        if tell is not None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                self._disk.loop.call_soon_threadsafe(tell, self.stream.key, listed)

    # --- errors ----------------------------------------------------------------

    def _failed_in_thread(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._disk.loop.call_soon_threadsafe(self._failed)

    def _failed(self) -> None:
        """A segment could not be written: what is to be done about that (SRS: ``hls_on_error``)."""
        policy = self._config.hls_on_error
        if policy == "continue" or self.is_off or self.stream.is_ended:
            return
        self.is_off = True
        publisher = self.stream.publisher
        if policy == "disconnect" and publisher is not None:
            self._stop_publisher(publisher, Refusal(Reason.OVERLOAD, "HLS files cannot be written"))
