"""What a node of ours has from another one of HLS: the window from before it began, and what it has lost."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from urllib.parse import quote

from edge.errors import UpstreamTlsError
from edge.hls.names import Asked, SegmentName, init_digest
from edge.hls.segmenter import Segmenter
from edge.httpd.hls_fetch import Fetcher, key_query
from edge.httpd.hls_shelf import HlsStream
from edge.httpd.hls_window import WINDOW_PATH, decode_window
from edge.hub.key import StreamKey
from edge.net.aio import TaskOwner, now_ms, spawn
from edge.net.track_filter import AUDIO_BIT, VIDEO_BIT
from edge.service.service import Service
from edge.service.source import NodePlace

logger = logging.getLogger(__name__)

#: The node that we ask completes the segment in the same moment as we do.
_TRIES, _RETRY_S = 3, 0.15
#: What nobody had is not asked for again at once, whoever invents names.
_MISSING_MS, _MAX_MISSING = 1000, 4096
_TRIED_PER_S = 10
#: A viewer waits so long for what the node up the way has; then it gets what there is here.
_WAIT_S = 1.0
#: That node may be out of reach for a moment, in which its stream is asked for again: so often it is looked for.
_LOOK_S = 0.05


class Fleet:
    """Fills segmenters of this node from the one that their stream comes from."""

    def __init__(self, fetcher: Fetcher, *, viewer_timeout_ms: int) -> None:
        """``viewer_timeout_ms``: after which nodes take their viewers for gone."""
        self._fetcher = fetcher
        self._keep_ms = viewer_timeout_ms // 3
        self._filling: dict[Segmenter, asyncio.Task[None]] = {}
        self._tried: tuple[int, Counter[StreamKey]] = 0, Counter()
        self._missing: dict[tuple[StreamKey, str], int] = {}
        self._tasks = TaskOwner("hls-fleet")

    @staticmethod
    def _place_of(service: Service, found: HlsStream) -> NodePlace | None:
        try:
            return service.source.node_of(found.stream) if service.source is not None else None
        except UpstreamTlsError:
            return None  # whose log tells

    async def prepare(self, service: Service, found: HlsStream, segmenter: Segmenter, tracks: int) -> None:
        """Fill a new segmenter, and one that has come to lack something; those who ask meanwhile wait together."""
        filling = self._filling.get(segmenter)
        if filling is None:
            is_new = not segmenter.was_filled
            if not is_new and not segmenter.lacks:
                return
            place = self._place_of(service, found)
            segmenter.was_filled, segmenter.told_ms = True, now_ms()
            segmenter.can_fetch = place is not None
            if place is None:
                segmenter.give_up_lacks()
                return
            filling = spawn(
                self._fill(place, service.service_id, found, segmenter, tracks), name="hls-fill", owner=self._tasks
            )
            self._filling[segmenter] = filling
            filling.add_done_callback(lambda _: self._filling.pop(segmenter, None))
        await asyncio.wait({filling}, timeout=_WAIT_S)

    async def _fill(self, place: NodePlace, node: str, found: HlsStream, segmenter: Segmenter, tracks: int) -> None:
        key = found.stream.key
        query = _window_query(key, segmenter.kind, tracks)
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_RETRY_S)
            data = await self._fetcher.get(place, WINDOW_PATH, query, node)
            if data is None:
                break
            try:
                segmenter.fill(decode_window(data))
            except ValueError as error:
                text, cause = "hls window of key=%s from=%s:%d: %s", f"{place.host}:{place.port}"
                logger.warning(text, key, place.host, place.port, error, extra={"cause": cause})
                break
            if not segmenter.lacks:
                return
        segmenter.give_up_lacks()

    def keep_upstream(self, service: Service, found: HlsStream, at_ms: int) -> None:
        """Let the node up the way go on making segments while somebody watches here.

        Else one that begins later would have less of the window from it than this one has.
        """
        for (_, tracks), segmenter in found.segmenters.items():
            if at_ms < segmenter.told_ms + self._keep_ms or found.stream.is_ended:
                continue
            place = self._place_of(service, found)
            if place is None:
                continue
            segmenter.told_ms = at_ms
            query = _window_query(found.stream.key, segmenter.kind, tracks)
            asking = self._fetcher.get(place, WINDOW_PATH, query, service.service_id)
            spawn(asking, name="hls-keep", owner=self._tasks)

    async def fetch(
        self, service: Service, found: HlsStream, segmenter: Segmenter, tracks: int, asked: Asked, path: str
    ) -> bytes | None:
        """Bytes of a segment, part or configuration that this node lacks, by its name; kept if they are listed."""
        name = asked.segment
        place = await self._place_soon(service, found, segmenter, name)
        if place is None or (name is not None and not segmenter.is_of_window(name)):
            return None
        is_known = segmenter.names_init(asked.digest) if name is None else segmenter.find(name) is not None
        if not is_known and (name is None or not segmenter.knows_epoch(name) or not self._may_try(found.stream.key)):
            return None
        what = (found.stream.key, path)
        if self._missing.get(what, 0) > now_ms():
            return None
        whole = segmenter.find(name) if name is not None and asked.part >= 0 else None
        if whole is not None and whole.is_elsewhere:
            # Other parts of it are wanted next, by others who begin as this one does.
            data = await self._get(
                place, service.service_id, found.stream.key, tracks, f".{whole.name}.{segmenter.kind}"
            )
            if data is not None:
                segmenter.keep(whole.name, data)
                return whole.part_bytes(asked.part)
        data = await self._get(place, service.service_id, found.stream.key, tracks, path[len(asked.path) :])
        if data is None:
            if len(self._missing) >= _MAX_MISSING:
                self._missing.clear()
            self._missing[what] = now_ms() + _MISSING_MS
        elif name is None:
            if segmenter.mp4 is not None and init_digest(data) == asked.digest:
                segmenter.mp4.inits[asked.digest] = data
        elif asked.part < 0:
            segmenter.keep(name, data)
        return data

    def is_out_of_reach(self, service: Service, found: HlsStream, segmenter: Segmenter, name: SegmentName) -> bool:
        """A segment is listed here, and is at a node that cannot be asked now: it may be had later."""
        segment = segmenter.find(name)
        is_elsewhere = segment is not None and segment.is_elsewhere and segment.data is None
        return is_elsewhere and not found.stream.is_ended and self._place_of(service, found) is None

    async def _place_soon(
        self, service: Service, found: HlsStream, segmenter: Segmenter, name: SegmentName | None
    ) -> NodePlace | None:
        """The node up the way; for a segment that is listed it is waited for, so long as a viewer may wait."""
        for _ in range(round(_WAIT_S / _LOOK_S)):
            if name is None or not self.is_out_of_reach(service, found, segmenter, name):
                break
            await asyncio.sleep(_LOOK_S)
        return self._place_of(service, found)

    def _may_try(self, key: StreamKey) -> bool:
        """Names that are not known here may be those of a moment ago, or invented: few are asked for."""
        second = now_ms() // 1000
        if self._tried[0] != second:
            self._tried = second, Counter()
        self._tried[1][key] += 1
        return self._tried[1][key] <= _TRIED_PER_S

    async def _get(self, place: NodePlace, node: str, key: StreamKey, tracks: int, tail: str) -> bytes | None:
        """What has this name behind the stream's."""
        query = key_query(key)
        if tracks != AUDIO_BIT | VIDEO_BIT:
            query += "&only-audio=1" if tracks & AUDIO_BIT else "&only-video=1"
        return await self._fetcher.get(place, f"/{key.app}/{key.stream_name}{tail}", query, node)

    async def close(self) -> None:
        """End what is under way."""
        await self._tasks.close()
        await self._fetcher.close()


def _window_query(key: StreamKey, kind: str, tracks: int) -> str:
    """How the window of a stream is asked for."""
    app, name = quote(key.app, safe=""), quote(key.stream_name, safe="")
    return f"{key_query(key)}&app={app}&stream={name}&kind={kind}&tracks={tracks}"
