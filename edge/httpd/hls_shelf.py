"""What was made of streams for HLS: their segmenters, kept while somebody asks and for a while after the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING

from edge.hls.config import HlsConfig
from edge.hls.segmenter import Segmenter
from edge.hls.two_level import TwoLevelSegmenter
from edge.httpd.hls_answers import PlaylistText
from edge.httpd.hls_pump import Pump
from edge.httpd.waiters import Waiters
from edge.hub.key import StreamKey
from edge.hub.stream import Stream
from edge.net.aio import now_ms, wall_ms
from edge.service.service import Service

if TYPE_CHECKING:
    from edge.hls.handover import HlsImport

#: Playlists differ by what their queries say, which may be anything.
_MAX_TEXTS = 64


class Watch:
    """Who waits for a segmenter, and since when nobody asks, and nothing comes.

    Attributes:
        waiters: requests that wait for what comes next.
        asked_ms: when somebody last asked for its playlist.
        changed_ms: when there was last more of it.
    """

    __slots__ = ("asked_ms", "changed_ms", "waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiters = Waiters(loop)
        self.asked_ms = self.changed_ms = now_ms()

    def tell(self) -> None:
        """There is more."""
        self.changed_ms = now_ms()
        self.waiters.tell()


class HlsStream:
    """All that is made of one stream.

    Attributes:
        segmenters: by kind and tracks.
        two_level: by tracks and whether segments end at keyframes.
        asked_ms: when somebody last asked for a playlist.
        try_again_ms: when the source may next be asked for a stream that has ended here.
        ended_ms: when the stream was seen to have ended, 0 before that.
    """

    def __init__(self, stream: Stream, loop: asyncio.AbstractEventLoop, pump: Pump) -> None:
        self.stream = stream
        self.segmenters: dict[tuple[str, int], Segmenter] = {}
        self.two_level: dict[tuple[int, bool], TwoLevelSegmenter] = {}
        self.asked_ms = now_ms()
        self.ended_ms = self.try_again_ms = 0
        self._loop = loop
        self._pump = pump
        self._watches: dict[Segmenter | TwoLevelSegmenter, Watch] = {}
        self._texts: dict[Hashable, tuple[int, PlaylistText]] = {}

    @property
    def config(self) -> HlsConfig:
        """What holds for the stream."""
        return self.stream.rules.of(HlsConfig)

    def watch(self, segmenter: Segmenter | TwoLevelSegmenter) -> Watch:
        """That of one of its segmenters; of one that was closed meanwhile nobody tells any more."""
        return self._watches.get(segmenter) or Watch(self._loop)

    def text(self, what: Hashable, version: int, make: Callable[[], PlaylistText]) -> PlaylistText:
        """A playlist of this version, made by the first who asks for ``what``."""
        found = self._texts.get(what)
        if found is not None and found[0] == version:
            return found[1]
        if len(self._texts) >= _MAX_TEXTS:
            self._texts.clear()
        made = make()
        self._texts[what] = version, made
        return made

    def segmenter(self, kind: str, tracks: int) -> Segmenter:
        """Begin one if need be."""
        found = self.segmenters.get((kind, tracks))
        if found is None:
            watch = Watch(self._loop)
            found = Segmenter(self.stream, kind, tracks, self.config, watch.tell, self._pump.ask)
            self.segmenters[kind, tracks], self._watches[found] = found, watch
        return found

    def two_level_segmenter(
        self, tracks: int, *, at_keyframes: bool, new_epoch: Callable[[], str]
    ) -> TwoLevelSegmenter:
        """Begin one if need be."""
        found = self.two_level.get((tracks, at_keyframes))
        if found is None:
            watch = Watch(self._loop)
            found = TwoLevelSegmenter(
                self.stream,
                tracks,
                self.config,
                new_epoch(),
                watch.tell,
                at_keyframes=at_keyframes,
                max_bytes=self.stream.config.hls_max_segment_bytes,
                began_wall_ms=wall_ms(),
            )
            self.two_level[tracks, at_keyframes], self._watches[found] = found, watch
        return found

    # --- another process goes on -----------------------------------------------

    @property
    def size_bytes(self) -> int:
        """Of all segments that are held."""
        return sum(segmenter.size_bytes for segmenter in self._watches)

    def documents(self) -> Iterator[bytes]:
        """What there is, for another process (``edge.hls.handover``); nothing changes by it."""
        from edge.hls.handover import two_level_documents, window_documents  # few processes are replaced

        for (_, tracks), segmenter in self.segmenters.items():
            yield from window_documents(segmenter, tracks)
        for (tracks, at_keyframes), two_level in self.two_level.items():
            yield from two_level_documents(two_level, tracks, at_keyframes=at_keyframes)

    def resume(self, told: HlsImport, place_of: Callable[[int], int]) -> None:
        """Go on with what another process has had; ``place_of`` says where its frames stand here."""
        from edge.hls.handover import resume_two_level, resume_window

        for state, segments in told.windows:
            watch = Watch(self._loop)
            args = (self.stream, self.config, place_of, watch.tell, self._pump.ask)
            segmenter = resume_window(state, segments, *args)
            self.segmenters[state.kind, state.tracks], self._watches[segmenter] = segmenter, watch
        for at, growing in told.two_level:
            watch = Watch(self._loop)
            max_bytes = self.stream.config.hls_max_segment_bytes
            two_level = resume_two_level(
                at, growing, self.stream, self.config, place_of, watch.tell, max_bytes=max_bytes
            )
            self.two_level[at.tracks, at.at_keyframes], self._watches[two_level] = two_level, watch

    def let_go(self) -> None:
        """Another process goes on with it: who waits for what comes is answered now, and asks again there."""
        for segmenter, watch in self._watches.items():
            if isinstance(segmenter, TwoLevelSegmenter):
                segmenter.let_go()
            else:
                segmenter.close()
            watch.waiters.release()

    def close(self) -> None:
        """Nobody asks any more."""
        for segmenter, watch in self._watches.items():
            segmenter.close()
            watch.waiters.tell()

    def drop_idle(self, limit_ms: int) -> None:
        """Let go of segmenters whose playlists nobody has asked for since ``limit_ms``."""
        for segmenter, watch in list(self._watches.items()):
            if watch.asked_ms < limit_ms:
                del self._watches[segmenter]
                segmenter.close()
                watch.waiters.tell()
        self.segmenters = {what: one for what, one in self.segmenters.items() if one in self._watches}
        self.two_level = {what: one for what, one in self.two_level.items() if one in self._watches}


class Shelf:
    """The streams that somebody watches by HLS, or has lately, of all services of the process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pump = Pump(loop)
        self._streams: dict[tuple[Service, StreamKey], HlsStream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def watched(self) -> list[tuple[Service, HlsStream]]:
        """All of them, each with the service that its stream is of."""
        return [(service, hls) for (service, _), hls in self._streams.items()]

    def find(self, service: Service, key: StreamKey) -> HlsStream | None:
        """What there is under this name."""
        return self._streams.get((service, key))

    def take(self, service: Service, stream: Stream) -> HlsStream:
        """That of a stream which somebody watches; one that ended under the same name gives way."""
        found = self._streams.get((service, stream.key))
        if found is None or found.stream is not stream:
            if found is not None:
                found.close()
            found = self._streams[service, stream.key] = HlsStream(stream, self._loop, self._pump)
        found.asked_ms = now_ms()
        return found

    def let_go(self) -> None:
        """Another process goes on with all of it."""
        for hls in self._streams.values():
            hls.let_go()

    def two_level_of(self, epoch: str) -> tuple[HlsStream, TwoLevelSegmenter] | None:
        """The segmenter that made up this word."""
        for hls in self._streams.values():
            for segmenter in hls.two_level.values():
                if segmenter.epoch == epoch:
                    return hls, segmenter
        return None

    def tick(self, at_ms: int) -> None:
        """Let go of what nobody asks for, and of what has ended long ago."""
        for key, hls in list(self._streams.items()):
            config = hls.config
            if hls.stream.is_ended and not hls.ended_ms:
                hls.ended_ms = at_ms
            if hls.ended_ms:
                is_over = at_ms - hls.ended_ms >= config.hls_dispose_s * 1000
            else:
                is_over = at_ms - hls.asked_ms > config.hls_viewer_timeout_ms
            if is_over:
                del self._streams[key]
                hls.close()
            elif not hls.ended_ms:
                hls.drop_idle(at_ms - config.hls_viewer_timeout_ms)

    def close(self) -> None:
        """The server ends."""
        for hls in self._streams.values():
            hls.close()
        self._streams.clear()
