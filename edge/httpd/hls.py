"""HLS over HTTP: playlists and segments of streams that somebody watches (decisions of the URLs: docs/playback.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, cast

from aiohttp import web

from edge.errors import UnsupportedCodecError
from edge.hls import playlist
from edge.hls.config import HlsConfig
from edge.hls.names import Asked, Uris, parse_path, parse_two_level_path
from edge.hls.permits import Opens
from edge.hls.segmenter import Segmenter
from edge.httpd.asking import refuses_entry, refuses_head, refuses_newcomers, refuses_unready
from edge.httpd.cmcd import Receiver
from edge.httpd.config import HttpConfig
from edge.httpd.connection import HttpConnection
from edge.httpd.hls_about import about
from edge.httpd.hls_answers import (
    PlaylistText,
    bad_request,
    head_of_playlist,
    media_answer,
    missing,
    not_yet,
    refuse,
)
from edge.httpd.hls_audience import SUFFIX, Audience
from edge.httpd.hls_fetch import Fetcher
from edge.httpd.hls_fleet import Fleet
from edge.httpd.hls_media_playlist import media_playlist
from edge.httpd.hls_paths import (
    Directives,
    PlaylistPath,
    Scheme,
    media_suffix,
    parse_directives,
    parse_playlist_path,
    safe_query,
    segment_tracks,
    shared_query,
    wait_seconds,
)
from edge.httpd.hls_permits import TIME_IS_OVER, HlsGuard, uri_permits
from edge.httpd.hls_sessions import Sessions
from edge.httpd.hls_shelf import HlsStream, Shelf
from edge.httpd.hls_two_level import TwoLevelPlayer
from edge.httpd.hls_window import WINDOW_PATH, encode_window, has_asked
from edge.httpd.live import LivePlayer, client_of, forwarded_query
from edge.httpd.routes import Route, Target
from edge.httpd.status import NEVER_CACHED
from edge.httpd.trace_headers import trace_of
from edge.hub.key import StreamKey
from edge.hub.stream import Stream
from edge.net.aio import now_ms
from edge.net.context import NetContext
from edge.net.track_filter import AUDIO_BIT, VIDEO_BIT
from edge.service.names import StreamName, TcUrl
from edge.service.refusal import Reason, Refusal
from edge.service.request import HttpClient, PlayRequest
from edge.service.service import Service

if TYPE_CHECKING:
    from edge.hls.handover import HlsImport
    from edge.httpd.steer import Steering

#: Programs on libavformat know no parts, and read a segment as a whole stream: it has to begin with a keyframe.
_LIBAVFORMAT = "Lavf"
#: Players that ask for what comes more segments later than the next are told so (RFC 8216bis §6.2.5.2).
_FURTHEST = 2
#: A first playlist of whole segments takes no longer than this, once there are pictures.
_WHOLE_TARGETS = 3
#: How often an edge asks for a stream of which it serves the end.
_TRY_AGAIN_MS = 2000
#: A playlist that has not changed for so many target durations, or the window, is no news for anybody.
_STALE_TARGETS = 3
#: What other nodes may ask for, as they say it.
_TRACKS = {str(bits): bits for bits in (AUDIO_BIT, VIDEO_BIT, AUDIO_BIT | VIDEO_BIT)}


class HlsPlayer:
    """Answers requests for playlists and segments; ``close`` ends all that it began."""

    def __init__(
        self,
        config: HlsConfig,
        http: HttpConfig,
        context: NetContext,
        services: Mapping[str, Service],
        live: LivePlayer,
        receiver: Receiver,
        *,
        max_segment_bytes: int,
        steering: Steering | None = None,
        guard: HlsGuard | None = None,
    ) -> None:
        """``live`` answers for paths that end in ``.ts`` and name no segment."""
        self.services = services
        self._config = config
        self._context = context
        self._live = live
        self._receiver = receiver
        self._steering = steering
        self._guard = guard or HlsGuard(lambda *_: False, bytes)
        self.shelf = Shelf(context.loop)
        self.audience = Audience(
            config,
            count_refused=self._count_refused,
            on_joined=self._start_ticking,
        )
        self.sessions = Sessions(config)
        fetcher = Fetcher(max_bytes=2 * max_segment_bytes, keep_s=config.defer_close_second)
        self._fleet = Fleet(fetcher, viewer_timeout_ms=config.hls_viewer_timeout_ms)
        self._two_level = TwoLevelPlayer(config, self.shelf)
        self._ticker: asyncio.TimerHandle | None = None

    def reconfigure(self, config: HlsConfig, http: HttpConfig) -> None:
        """Take other settings, for requests to come; those of HLS itself are read at the start."""
        self._live.reconfigure(http)
        self._two_level.reconfigure(config)

    def counters(self) -> dict[str, int]:
        """For pages and metrics: viewers with an id of their own, plays that viewers share, streams segmented."""
        return {
            "hls_user_count": len(self.sessions),
            "hls_play_count": len(self.audience),
            "hls_stream_count": len(self.shelf),
        }

    def routes(self) -> list[Route]:
        """The rows of the table, those of ``live`` among them."""
        rows = [route for route in self._live.routes() if route.path != "*.ts"]
        handlers = {"*.m3u8": self.playlist, "*.ts": self.ts, "*.m4s": self.media, "*.init.mp4": self.media}
        rows += [Route(path, handler, is_guarded=False, is_cors=True) for path, handler in handlers.items()]
        return [*rows, Route(WINDOW_PATH, self.window, is_guarded=False)]

    def resume(self, service: Service, stream: Stream, told: HlsImport, place_of: Callable[[int], int]) -> None:
        """Go on with what another process made of a stream (``edge.hls.handover``), if it is served here."""
        if service.rules_of(stream.key).of(HlsConfig).hls:
            self.shelf.take(service, stream).resume(told, place_of)
            self._start_ticking()

    async def close(self) -> None:
        """The server ends."""
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        await self._fleet.close()
        await self.audience.close()
        self.shelf.close()

    # --- playlists -----------------------------------------------------------

    async def playlist(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """A master or a media playlist of any scheme; none while the server leaves, which ends no broadcast."""
        answer = await self._playlist(request, target)
        stopping = refuses_newcomers(self._service_of(request))
        return answer if stopping is None else refuse(stopping)

    async def _playlist(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        asked = parse_playlist_path(target.path)
        service = self._service_of(request)
        if asked.session:
            return await self._session_playlist(request, target, service, asked)
        name = self._name_of(request, target, service, asked.path)
        if isinstance(name, Refusal):
            return self._refuse_name(request, name)
        config = service.rules_of(name.key).of(HlsConfig)
        if not config.hls or (asked.scheme is Scheme.LOW_LATENCY and not config.hls_low_latency):
            return missing("low-latency HLS is off" if config.hls else "HLS is off")
        if asked.scheme is Scheme.DEFAULT:
            is_classic = config.hls_default == "classic"
            asked = asked._replace(scheme=Scheme.CLASSIC if is_classic else Scheme.TWO_LEVEL)
        is_head, suffix, has_permit, lifetime_s = request.method == "HEAD", SUFFIX, False, 0.0
        is_cdn = self._guard.is_cdn(request, service, name.key)
        # Without permits anybody may guess what a media playlist is called: addresses and pages are looked at again.
        is_entry = not asked.is_media or self._guard.of(request, service, name.key) is None
        is_judged = is_entry and is_cdn is None
        if is_judged:
            suffix = target.path.removeprefix(asked.path)
            entry = PlayRequest(self._client(request, name), name, suffix=suffix)
            refusal = await refuses_entry(service, entry)
            if refusal is not None:
                return self._refuse_name(request, refusal)
            lifetime_s = entry.lifetime_s
        elif (unpermitted := self._guard.refuses(request, target, service, name.key, Opens.PLAYLIST)) is not None:
            return self._refuse_name(request, unpermitted)
        else:
            name, has_permit = self._guard.said_with_permit(service, name), True
        found = await self._find(request, service, name, is_head=is_head, suffix=suffix, has_permit=has_permit)
        if not isinstance(found, HlsStream):
            return found
        self._receiver.note(request, target, service, name.key)
        try:
            if not asked.is_media:
                overloaded = service.refuse_newcomer()  # who plays already asks for media playlists
                if overloaded is not None:
                    return refuse(overloaded)
                answer = self._master(request, target, service, name, asked, found, lifetime_s, is_cdn=bool(is_cdn))
            elif asked.scheme is Scheme.TWO_LEVEL:
                two_level = self._two_level.segmenter(found, name, at_keyframes=asked.at_keyframes)
                shared, permits = shared_query(target.raw_query, name), self._guard.of(request, service, name.key)
                uris = Uris(asked.path, shared, config.hls_entry_prefix, permit_of=uri_permits(permits))
                answer = await self._two_level.playlist(request, found, two_level, uris)
            else:
                answer = await self._media_playlist(request, target, service, name, asked, found)
        except UnsupportedCodecError as error:
            return web.Response(status=415, text=f"{error}\n", headers=NEVER_CACHED)
        return self._guard.answered(answer, service, name.key) if is_judged else answer

    async def _find(
        self,
        request: web.BaseRequest,
        service: Service,
        name: StreamName,
        *,
        is_head: bool,
        suffix: str = SUFFIX,
        has_permit: bool = False,
    ) -> HlsStream | web.StreamResponse:
        """What is made of a stream, which is asked for if need be; or the answer why there is nothing."""
        new_client = partial(self._client, request, name, has_permit=has_permit)
        stream: Stream | Refusal | None = self.audience.watched(service, name)
        ended = self.shelf.find(service, name.key)
        if stream is None and ended is not None and ended.stream.is_ended and not is_head:
            stream = await self._begun_again(request, service, name, ended, new_client)
            if stream is None:
                return ended
        if stream is None and is_head:
            refusal = refuses_head(service, name)
            if refusal is not None:
                return self._refuse_name(request, refusal)
            return ended or head_of_playlist()
        if stream is None:
            stream = refuses_unready(service, name)
        if stream is None:
            stream = await self.audience.join(service, name, new_client, trace=trace_of(request), suffix=suffix)
        if isinstance(stream, Refusal):
            return refuse(stream)
        self._start_ticking()
        return self.shelf.take(service, stream)

    async def _begun_again(
        self,
        request: web.BaseRequest,
        service: Service,
        name: StreamName,
        ended: HlsStream,
        new_client: Callable[[], HttpClient],
    ) -> Stream | None:
        """The next stream of a name whose last one has ended here; an edge asks for it, but not all the time."""
        live = service.registry.find(name.key)
        if live is None or live.feed.is_vacant:
            if service.source_of(name.key) is None or now_ms() < ended.try_again_ms:
                return None
            ended.try_again_ms = now_ms() + _TRY_AGAIN_MS
        if refuses_unready(service, name) is not None:
            return None
        joined = await self.audience.join(service, name, new_client, trace=trace_of(request))
        return None if isinstance(joined, Refusal) else joined

    def _master(
        self,
        request: web.BaseRequest,
        target: Target,
        service: Service,
        name: StreamName,
        asked: PlaylistPath,
        found: HlsStream,
        lifetime_s: float,
        *,
        is_cdn: bool,
    ) -> web.StreamResponse:
        """It names the media playlist, which bears what the viewer said: after a restart it is asked for alone."""
        config = found.config
        kind = _kind_of(asked.scheme, config)
        what = about(found, kind, segment_tracks(name))
        shared = shared_query(target.raw_query, name)
        at_keyframes, permits = _reads_whole_segments(request), self._guard.of(request, service, name.key)
        max_age_s = 1
        if asked.scheme is Scheme.TWO_LEVEL and config.hls_user_session and request.method != "HEAD":
            session = self.sessions.open(service, name, at_keyframes=at_keyframes, lifetime_s=lifetime_s)
            if session is None:
                self._context.counters["error_hls_users_count"] += 1
                return not_yet("hls_users: too many viewers with an id")
            uri, max_age_s = self._two_level.session_uri(request, target, name, session), 0
        else:
            suffix = media_suffix(asked.scheme, at_keyframes=at_keyframes)
            said = f"p={permits.of_session(lifetime_s)}" if permits is not None else safe_query(name.query)
            uri = Uris(asked.path, shared, config.hls_entry_prefix).playlist(suffix, said)
        steering = None
        steers = asked.scheme is not Scheme.TWO_LEVEL and not config.hls_entry_prefix
        if self._steering is not None and steers and not is_cdn:  # other nodes want permits of its viewers
            path, query = f"{asked.path}{media_suffix(asked.scheme)}", uri.partition("?")[2]
            report = self._receiver.report_of(request, target)
            steering = self._steering.tag(request, target, path=path, query=query, report=report)
            max_age_s = 0  # it is of this viewer
        text = playlist.multivariant(
            uri,
            bandwidth=what.bandwidth,
            codecs=what.codecs,
            resolution=what.resolution,
            version=6 if kind == "m4s" else 3,
            steering=steering,
        )
        answer = PlaylistText(text, max_age_s).answer(request)
        if asked.scheme is Scheme.TWO_LEVEL:
            answer.headers["Vary"] = "User-Agent"
        return answer

    async def _media_playlist(
        self,
        request: web.BaseRequest,
        target: Target,
        service: Service,
        name: StreamName,
        asked: PlaylistPath,
        found: HlsStream,
    ) -> web.StreamResponse:
        is_low_latency = asked.scheme is Scheme.LOW_LATENCY
        directives = parse_directives(target.raw_query) if is_low_latency else Directives()
        if directives is None:
            return bad_request("_HLS_msn, _HLS_part or _HLS_skip make no sense")
        kind = _kind_of(asked.scheme, found.config)
        segmenter = await self._segmenter(found, kind, segment_tracks(name))
        watch = found.watch(segmenter)
        found.asked_ms = watch.asked_ms = now_ms()
        await self._fleet.prepare(service, found, segmenter, segment_tracks(name))
        takes_parts = is_low_latency and not _reads_whole_segments(request)

        def has_begun() -> bool:
            current = segmenter.current
            is_part = takes_parts and current is not None and bool(current.parts)
            return is_part or bool(segmenter.listed())

        wait_s = first_s = wait_seconds(self._config.hls_playlist_wait_ms)
        if segmenter.current is not None:
            # The rest of this segment and the next one: ffmpeg and GStreamer do not ask again after a 503.
            first_s = max(wait_s, _WHOLE_TARGETS * segmenter.target_s)
        tracks = segment_tracks(name)
        if not await self._wait_whole(service, found, segmenter, tracks, has_begun, first_s) or not has_begun():
            return not_yet(f"no segment of key={name.key} is complete yet")
        if directives.number >= 0 and not segmenter.is_ended:
            newest = segmenter.current or segmenter.segments[-1]
            if directives.number > newest.name.number + _FURTHEST:
                return bad_request("_HLS_msn is too far ahead")
            most_s = max(wait_s, 3 * segmenter.target_s)
            is_there = partial(has_asked, segmenter, directives)
            if not await self._wait_whole(service, found, segmenter, tracks, is_there, most_s):
                return not_yet(f"key={name.key} has stopped")
        await self._fleet.prepare(service, found, segmenter, tracks)  # frames may have been lost meanwhile
        stale_s = max(found.config.hls_window_s, _STALE_TARGETS * segmenter.target_s)
        if not segmenter.is_ended and now_ms() - watch.changed_ms > stale_s * 1000:
            return not_yet(f"key={name.key} is interrupted")
        permits = self._guard.of(request, service, name.key)
        text = media_playlist(
            found, segmenter, target, name, asked.path, directives if is_low_latency else None, permits
        )
        return text.answer(request)

    async def _wait_whole(
        self,
        service: Service,
        found: HlsStream,
        segmenter: Segmenter,
        tracks: int,
        is_there: Callable[[], bool],
        within_s: float,
    ) -> bool:
        """Wait for a part or segment, or the end; what comes to lack meanwhile is asked for at the node up the way."""
        until_s, waiters = self._context.loop.time() + within_s, found.watch(segmenter).waiters
        while not (is_there() or segmenter.is_ended):
            if segmenter.lacks:
                await self._fleet.prepare(service, found, segmenter, tracks)
            elif not await waiters.wait(
                lambda: is_there() or segmenter.is_ended or segmenter.lacks, until_s - self._context.loop.time()
            ):
                return waiters.is_released  # the playlist as it is will do: the next one is asked for elsewhere
        return True

    async def _segmenter(self, found: HlsStream, kind: str, tracks: int) -> Segmenter:
        """One that has caught up, begun if need be.

        Raises:
            UnsupportedCodecError: it would leave half of the stream out.
        """
        if (kind, tracks) not in found.segmenters:
            about(found, kind, tracks)
        segmenter = found.segmenter(kind, tracks)
        if not segmenter.has_caught_up:
            wait_s = wait_seconds(self._config.hls_segment_wait_ms)
            await found.watch(segmenter).waiters.wait(lambda: segmenter.has_caught_up, wait_s)
        return segmenter

    async def _session_playlist(
        self, request: web.BaseRequest, target: Target, service: Service, asked: PlaylistPath
    ) -> web.StreamResponse:
        session = self.sessions.find(service, asked.session, asked.path)
        if session is None:
            return missing(f"Invalid user_id={asked.session}")
        if session.is_over:
            return self._refuse_name(request, TIME_IS_OVER)
        if (unproven := self._guard.refuses_cdn(request, service, session.name.key)) is not None:
            return self._refuse_name(request, unproven)
        found = await self._find(request, service, session.name, is_head=request.method == "HEAD")
        if not isinstance(found, HlsStream):
            return found
        self._receiver.note(request, target, service, session.name.key)
        permit_of = uri_permits(self._guard.of(request, service, session.name.key))
        return await self._two_level.session_playlist(request, session, found, permit_of)

    # --- segments --------------------------------------------------------------

    async def ts(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """A segment in TS of either scheme; else the live stream in TS."""
        two_level = parse_two_level_path(target.path)
        if two_level is not None:
            service, there = self._service_of(request), self.shelf.two_level_of(two_level.epoch)
            if there is not None:
                key = there[0].stream.key
                if (unpermitted := self._guard.refuses(request, target, service, key, Opens.MEDIA)) is not None:
                    return self._refuse_name(request, unpermitted)
                self._receiver.note(request, target, service, key)
            return await self._two_level.segment(request, service, two_level)
        if parse_path(target.path) is not None:
            return await self.media(request, target)
        return await self._live.play_ts(request, target)

    async def media(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """A segment, a part or a decoder configuration by its name."""
        asked = parse_path(target.path)
        if asked is None:
            return missing("no name of a segment")
        service = self._service_of(request)
        name = self._name_of(request, target, service, asked.path)
        if isinstance(name, Refusal):
            return self._refuse_name(request, name)
        if not service.rules_of(name.key).of(HlsConfig).hls:
            return missing("HLS is off")
        opens = Opens.CONFIGURATION if asked.kind == "mp4" else Opens.MEDIA
        if (unpermitted := self._guard.refuses(request, target, service, name.key, opens)) is not None:
            return self._refuse_name(request, unpermitted)
        name = self._guard.said_with_permit(service, name)
        found = self.shelf.find(service, name.key)
        if found is None:
            if request.method == "HEAD":
                return missing(f"Fail to get {target.path.rpartition('/')[2]}")
            # Another edge has told of it, or this one before it was started anew.
            answer = await self._find(request, service, name, is_head=False, has_permit=True)
            if not isinstance(answer, HlsStream):
                return answer
            found = answer
        self._receiver.note(request, target, service, name.key)
        kind, tracks = "ts" if asked.kind == "ts" else "m4s", segment_tracks(name)
        if (kind, tracks) not in found.segmenters and not _is_served(kind, found.config):
            return missing("there is no HLS of that kind")
        try:
            segmenter = await self._segmenter(found, kind, tracks)
        except UnsupportedCodecError as error:
            return missing(str(error))
        await self._fleet.prepare(service, found, segmenter, tracks)
        body = await self._bytes_of(service, found, segmenter, asked)
        stopping = refuses_newcomers(service)
        if body is None and stopping is not None:
            return refuse(stopping)
        if body is None:
            body = await self._fleet.fetch(service, found, segmenter, tracks, asked, target.path)
        if body is None and asked.segment is not None and segmenter.is_ahead(asked.segment):
            return not_yet("the segment is not complete in time")
        if body is None and asked.segment and self._fleet.is_out_of_reach(service, found, segmenter, asked.segment):
            return not_yet("the node that has the segment cannot be asked now")
        if body is None:
            return missing(f"Fail to get {target.path.rpartition('/')[2]}")
        if request.method != "HEAD" and asked.segment is not None:
            peer, is_hop = (
                cast(HttpConnection, request.protocol).peer,
                self._guard.is_node(request, service, found.stream),
            )
            service.tell_segment(name, peer, len(body), is_hop=is_hop)
            if self._steering is not None:
                self._steering.deliveries.note(request, segmenter, asked, len(body))
        return media_answer(asked.kind, body)

    async def _bytes_of(self, service: Service, found: HlsStream, segmenter: Segmenter, asked: Asked) -> bytes | None:
        """Bytes of what has a name; waits for what is being made."""
        name, part = asked.segment, asked.part
        if name is None:
            return segmenter.init(asked.digest)

        def get() -> bytes | None:
            segment = segmenter.find(name)
            if segment is None:
                return None
            return segment.part_bytes(part) if part >= 0 else segment.data

        def is_over() -> bool:
            if get() is not None or segmenter.is_ended:
                return True
            current = segmenter.current
            if current is not None and current.name == name:
                return not segmenter.is_collecting
            return not segmenter.is_ahead(name)

        def is_cut_short() -> bool:
            """Where this server ends, what was being made: other nodes make all of it under the same name."""
            is_last = bool(segmenter.segments) and segmenter.segments[-1].name == name
            return is_last and segmenter.is_ended and refuses_newcomers(service) is not None

        wait_s = wait_seconds(self._config.hls_segment_wait_ms)
        await found.watch(segmenter).waiters.wait(is_over, wait_s)
        return None if is_cut_short() else get()

    async def window(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """What a node of ours asks for that plays the stream from here: all segments that are listed."""
        service = self._service_of(request)
        said = {name: target.argument(name) or "" for name in ("vhost", "app", "stream", "kind", "tracks")}
        key = StreamKey(said["vhost"], said["app"], said["stream"])
        stream = service.registry.find(key)
        if said["kind"] not in ("ts", "m4s") or said["tracks"] not in _TRACKS or request.method == "HEAD":
            return bad_request("kind or tracks make no sense")
        if stream is None or stream.feed.is_vacant or stream.cuts is None:
            return missing(f"Fail to find key={key}")
        if not self._guard.is_node(request, service, stream):
            return web.Response(status=403, text="only nodes that play the stream from here may ask\n")
        found, tracks = self.shelf.take(service, stream), _TRACKS[said["tracks"]]
        self._start_ticking()
        try:
            segmenter = await self._segmenter(found, said["kind"], tracks)
        except UnsupportedCodecError as error:
            return missing(str(error))
        found.watch(segmenter).asked_ms = now_ms()
        await self._fleet.prepare(service, found, segmenter, tracks)
        return web.Response(body=encode_window(segmenter), headers={**NEVER_CACHED, "Content-Type": "application/json"})

    # --- for all ---------------------------------------------------------------

    def _service_of(self, request: web.BaseRequest) -> Service:
        return self.services[cast(HttpConnection, request.protocol).role]

    def _name_of(self, request: web.BaseRequest, target: Target, service: Service, path: str) -> StreamName | Refusal:
        host = target.host or request.headers.get("Host", "")
        return service.resolve_path(host, path, forwarded_query(target.raw_query))

    def _client(self, request: web.BaseRequest, name: StreamName, *, has_permit: bool = False) -> HttpClient:
        host = request.headers.get("Host", "")
        protocol = "hls-https" if request.secure else "hls"
        number = self._context.next_connection_number()
        client = client_of(request, TcUrl(host, "", name.key.app, ""), number, protocol)
        return self._guard.let_in(request, self._service_of(request), name, client, has_permit=has_permit)

    def _count_refused(self, refusal: Refusal) -> None:
        self._context.counters[f"error_{refusal.reason.value}_count"] += 1

    def _refuse_name(self, request: web.BaseRequest, refusal: Refusal) -> web.Response:
        """Count, tell the log, and answer."""
        connection, counters = cast(HttpConnection, request.protocol), self._context.counters
        self._count_refused(refusal)
        if refusal.reason is Reason.BAD_NAME or refusal.is_of_a_gate:
            text = "[%s http] refused reason=%s %s"
            counters.log_limited(
                logging.INFO, refusal.reason.value, text, connection.peer, refusal.reason.value, refusal.detail
            )
        return refuse(refusal)

    def _start_ticking(self) -> None:
        if self._ticker is None:
            self._ticker = self._context.loop.call_later(1.0, self._tick)

    def _tick(self) -> None:
        at_ms = now_ms()
        self._ticker = self._context.loop.call_later(1.0, self._tick)  # whatever happens in this one
        self.audience.tick(at_ms)
        self.shelf.tick(at_ms)
        self.sessions.tick(at_ms)
        for service, found in self.shelf.watched():
            self._fleet.keep_upstream(service, found, at_ms)
        if not (len(self.audience) or len(self.shelf) or len(self.sessions)):
            self._ticker.cancel()
            self._ticker = None


def _reads_whole_segments(request: web.BaseRequest) -> bool:
    return _LIBAVFORMAT in request.headers.get("User-Agent", "")


def _kind_of(scheme: Scheme, config: HlsConfig) -> str:
    is_mp4 = scheme is Scheme.LOW_LATENCY or (scheme is Scheme.CLASSIC and config.hls_use_fmp4)
    return "m4s" if is_mp4 else "ts"


def _is_served(kind: str, config: HlsConfig) -> bool:
    return config.hls_low_latency or config.hls_use_fmp4 if kind == "m4s" else not config.hls_use_fmp4
