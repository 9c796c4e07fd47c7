"""The two-level scheme over HTTP: playlists that name what is to come, segments that are sent while they grow."""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import partial

from aiohttp import HttpVersion11, web

from edge.hls.config import HlsConfig
from edge.hls.names import PermitOf, TwoLevelName, Uris
from edge.hls.two_level import GrowingSegment, TwoLevelSegmenter
from edge.httpd.asking import refuses_newcomers
from edge.httpd.hls_about import about
from edge.httpd.hls_answers import PlaylistText, media_answer, media_headers, missing, not_yet, refuse
from edge.httpd.hls_paths import Scheme, media_suffix, safe_query, segment_tracks, wait_seconds
from edge.httpd.hls_sessions import Session
from edge.httpd.hls_shelf import HlsStream, Shelf
from edge.httpd.routes import Target
from edge.net.aio import now_ms
from edge.service.names import StreamName
from edge.service.service import Service


class TwoLevelPlayer:
    """Answers requests for what is made of streams in the scheme."""

    def __init__(self, config: HlsConfig, shelf: Shelf) -> None:
        self._config = config
        self._shelf = shelf

    def reconfigure(self, config: HlsConfig) -> None:
        """Take other settings, for requests to come."""
        self._config = config

    def segmenter(self, found: HlsStream, name: StreamName, *, at_keyframes: bool) -> TwoLevelSegmenter:
        """Begin one if need be; raises UnsupportedCodecError for a stream that it would leave half out."""
        if (segment_tracks(name), at_keyframes) not in found.two_level:
            about(found, "ts", segment_tracks(name))
        return found.two_level_segmenter(
            segment_tracks(name), at_keyframes=at_keyframes, new_epoch=lambda: secrets.token_hex(8)
        )

    async def playlist(
        self,
        request: web.BaseRequest,
        found: HlsStream,
        segmenter: TwoLevelSegmenter,
        uris: Uris,
        *,
        is_shared: bool = True,
    ) -> web.StreamResponse:
        """The media playlist, once a segment has begun; ``is_shared``: by all viewers, so that caches may keep it."""
        config = self._config
        tries_s = config.get_media_playlist_times * config.retry_interval_ms / 1000
        wait_s = min(wait_seconds(config.hls_playlist_wait_ms), tries_s)
        if not await found.watch(segmenter).waiters.wait(lambda: segmenter.has_begun or segmenter.is_ended, wait_s):
            return not_yet("no segment has begun yet")
        if not segmenter.has_begun:
            return not_yet("the stream has ended without a segment")
        watch = found.watch(segmenter)
        found.asked_ms = watch.asked_ms = now_ms()
        if not segmenter.is_ended and now_ms() - watch.changed_ms > found.config.hls_window_s * 1000:
            return not_yet(f"key={found.stream.key} is interrupted")
        return PlaylistText(segmenter.playlist(uris), 1 if is_shared else 0).answer(request)

    async def session_playlist(
        self, request: web.BaseRequest, session: Session, found: HlsStream, permit_of: PermitOf | None = None
    ) -> web.StreamResponse:
        """That of one viewer, in whose URIs its id is."""
        key = session.name.key
        query = f"lssid={session.id}&vhost={safe_query(key.vhost)}"
        uris = Uris(f"/{key.vhost}/{key.app}/{key.stream_name}", query, permit_of=permit_of)
        segmenter = self.segmenter(found, session.name, at_keyframes=session.at_keyframes)
        return await self.playlist(request, found, segmenter, uris, is_shared=False)

    def session_uri(self, request: web.BaseRequest, target: Target, name: StreamName, session: Session) -> str:
        """Absolute, as media-server's are: the id is of this node."""
        host = target.host or request.headers.get("Host", "")
        config = session.service.rules_of(name.key).of(HlsConfig)
        if not config.use_host_in_m3u8 or not host:
            address = request.transport.get_extra_info("sockname") if request.transport is not None else None
            host = f"{address[0]}:{address[1]}" if address else host
        prefix = config.hls_entry_prefix or f"{'https' if request.secure else 'http'}://{host}"
        key = name.key
        query = "&".join(part for part in (f"vhost={safe_query(key.vhost)}", safe_query(name.query)) if part)
        suffix = media_suffix(Scheme.TWO_LEVEL, session=session.id)
        return Uris(f"/{key.vhost}/{key.app}/{key.stream_name}", query, prefix).playlist(suffix)

    async def segment(self, request: web.BaseRequest, service: Service, asked: TwoLevelName) -> web.StreamResponse:
        """One by its name: whole, or what there is of it and then the rest."""
        there = self._shelf.two_level_of(asked.epoch)
        last = asked.path.rpartition("/")[2]
        if there is None or there[0].stream.key.stream_name.rpartition("/")[2] != last:
            return missing(f"Fail to get TS@{asked.number}")
        found, segmenter = there
        wait_s = wait_seconds(self._config.hls_segment_wait_ms)
        number = asked.number
        waiters = found.watch(segmenter).waiters
        await waiters.wait(lambda: segmenter.find(number) is not None or not segmenter.is_ahead(number), wait_s)
        segment = segmenter.find(number)
        stopping = refuses_newcomers(service)
        if segment is None and stopping is not None:
            return refuse(stopping)
        if segment is None and segmenter.is_ahead(number):
            return not_yet(f"TS@{number} has not begun in time")
        if segment is None:
            return missing(f"Fail to get TS@{number}")
        if segment.is_complete:
            return media_answer("ts", b"".join(segment.pieces))
        return await self._send_growing(request, found, segmenter, segment)

    async def _send_growing(
        self, request: web.BaseRequest, found: HlsStream, segmenter: TwoLevelSegmenter, segment: GrowingSegment
    ) -> web.StreamResponse:
        """What there is now, and the rest as it comes."""
        wait_s, waiters = wait_seconds(self._config.hls_segment_wait_ms), found.watch(segmenter).waiters
        if request.version < HttpVersion11:
            # Without chunks the end of the connection is that of the segment, wherever it is cut off.
            if not await waiters.wait(lambda: segment.is_complete, wait_s):
                return not_yet(f"TS@{segment.number} is not complete in time")
            return media_answer("ts", b"".join(segment.pieces))
        response = web.StreamResponse(headers=media_headers("ts"))
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        sent = 0
        with suppress(ConnectionError):  # the client has gone
            while sent < len(segment.pieces) or not segment.is_complete:
                count = len(segment.pieces)
                if count > sent:
                    await response.write(b"".join(segment.pieces[sent:count]))
                    sent = count
                elif not await waiters.wait(partial(_has_more, segment, sent), wait_s):
                    # Cut off: whoever keeps it must not take it for the whole.
                    if request.transport is not None:
                        request.transport.abort()
                    break
        return response


def _has_more(segment: GrowingSegment, sent: int) -> bool:
    return len(segment.pieces) > sent or segment.is_complete
