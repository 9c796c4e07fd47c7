"""Live streams over HTTP: FLV, FLV in WebSocket, MPEG-TS.

aiohttp reads the request and answers all that is not the stream. Once there is
something to send, the connection is taken out of its hands and plays the shared
log like any other player.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import cast

from aiohttp import web

from edge.errors import UnsupportedCodecError
from edge.httpd.asking import WAITED_FOR, FirstData, refuses_entry, refuses_head
from edge.httpd.config import HttpConfig
from edge.httpd.connection import HttpConnection
from edge.httpd.detached import Detached
from edge.httpd.routes import Handler, Route, Target
from edge.httpd.status import NEVER_CACHED, refuse_play
from edge.httpd.trace_headers import trace_of
from edge.httpd.ws_handshake import handshake_headers, refuse_handshake, wants_websocket
from edge.hub.media_seen import MediaSeen, media_seen
from edge.hub.stream import Stream
from edge.hub.wire_form import Opening, WireForm
from edge.net.address import host_of
from edge.net.byte_stream import ByteStream
from edge.net.context import NetContext
from edge.net.flv_form import FlvForm
from edge.net.log_connection import LogConnection
from edge.net.track_filter import AUDIO_BIT, VIDEO_BIT, chosen_tracks
from edge.net.ts_form import TsForm
from edge.net.ws_connection import WsConnection
from edge.net.ws_form import WsForm
from edge.service.names import CACHED_NAMES, StreamName, TcUrl
from edge.service.refusal import Reason, Refusal
from edge.service.request import MAX_PAGE_URL, MAX_WORDS, NO_HOSTS_PAGE, HttpClient, PlayRequest, Said
from edge.service.service import Service

#: What CDNs and players of HLS add to a URL: it goes nowhere, and is no part of who asks.
_OF_PLAYERS = frozenset({"p", "lssid", "hls_ctx", "CMCD"})
_OF_PLAYERS_PREFIX = "_HLS_"
_STREAMED = {
    **NEVER_CACHED,
    "Accept-Ranges": "none",
    "X-Accel-Buffering": "no",  # nginx in front of us would hold the stream back
}


def client_of(request: web.BaseRequest, server_url: TcUrl, number: int, protocol: str) -> HttpClient:
    """Who asks by ``request``, with what it says of itself."""
    headers, connection = request.headers, cast(HttpConnection, request.protocol)
    origin = headers.get("Origin", "")
    page_url = headers.get("Referer", "") or ("" if origin == "null" else origin)
    if len(page_url) > MAX_PAGE_URL:
        page_url = NO_HOSTS_PAGE
    authorization = ", ".join(headers.getall("Authorization", ()))  # two of them say nothing
    scheme = "https" if request.secure else "http"
    said = Said(f"{scheme}://{server_url.host}/{server_url.app}", user_agent=headers.get("User-Agent", "")[:MAX_WORDS])
    return HttpClient(
        number, connection.peer, protocol, server_url, page_url=page_url, authorization=authorization, said=said
    )


Start = Callable[[Stream, int, MediaSeen], tuple[WireForm, Opening]]
"""The form in which a stream is sent to somebody who begins now and wants these tracks, and his opening."""


@dataclass(frozen=True, slots=True)
class Output:
    """One way to send a stream.

    Attributes:
        suffix: what its paths end in.
        container: its name.
        protocols: what pages call its players, plain and in TLS.
        start: raises UnsupportedCodecError for a stream of which it has no place for a track that is wanted.
        status, headers: of an answer that goes on with the stream.
    """

    suffix: str
    container: str
    protocols: tuple[str, str]
    start: Start
    connection: type[LogConnection] = LogConnection
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_on: Callable[[HttpConfig], bool] = lambda config: config.http_flv


def _start_flv(stream: Stream, tracks: int, seen: MediaSeen) -> tuple[WireForm, Opening]:
    form = FlvForm.of(stream.queue, tracks)
    return form, form.opening(_named(tracks, seen))


def _start_ws(stream: Stream, tracks: int, seen: MediaSeen) -> tuple[WireForm, Opening]:
    form = WsForm(FlvForm.of(stream.queue, tracks))
    return form, form.opening(_named(tracks, seen))


def _named(tracks: int, seen: MediaSeen) -> int:
    """Bits of the tracks that a file header should name: players wait for what it names."""
    return tracks & ((AUDIO_BIT if seen.has_audio else 0) | (VIDEO_BIT if seen.has_video else 0))


FLV = Output(".flv", "FLV", ("http-flv", "https-flv"), _start_flv, headers={"Content-Type": "video/x-flv"})
WS = Output(
    FLV.suffix,
    FLV.container,
    ("ws-flv", "wss-flv"),
    _start_ws,
    WsConnection,
    101,
    {"Upgrade": "websocket", "Connection": "Upgrade"},
)


class LivePlayer:
    """Answers requests to play.

    Attributes:
        services: by the role of the port that a request came to.
    """

    def __init__(self, config: HttpConfig, context: NetContext, services: Mapping[str, Service]) -> None:
        self.services = services
        self._config = config
        self._context = context
        self._ts = Output(
            ".ts",
            "MPEG-TS",
            ("http-ts", "https-ts"),
            self._start_ts,
            headers={"Content-Type": "video/mp2t"},
            is_on=lambda config: config.http_ts,
        )

    def reconfigure(self, config: HttpConfig) -> None:
        """Take other settings, for requests to come."""
        self._config = config

    def routes(self) -> list[Route]:
        """The rows of the table; which outputs are on is a matter of the vhost."""
        handlers: dict[str, Handler] = {FLV.suffix: self.play_flv, self._ts.suffix: self.play_ts}
        return [Route(f"*{suffix}", handler, is_guarded=False, is_cors=True) for suffix, handler in handlers.items()]

    async def play_ts(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """MPEG-TS."""
        return await self.play(request, target, self._ts)

    def _start_ts(self, stream: Stream, tracks: int, seen: MediaSeen) -> tuple[WireForm, Opening]:
        form = TsForm(tracks & (AUDIO_BIT | VIDEO_BIT), self._config.ts_pcr_lead_ms)
        form.require_places(stream.queue)
        return form, form.opening()

    async def play_flv(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """FLV, in messages of a WebSocket if the client wants to upgrade."""
        if not wants_websocket(request):
            return await self.play(request, target, FLV)
        return refuse_handshake(request) or await self.play(request, target, WS)

    async def play(self, request: web.BaseRequest, target: Target, output: Output) -> web.StreamResponse:
        """Ask for the stream that ``target`` names, and answer with it in one of the outputs, or with why not."""
        connection = cast(HttpConnection, request.protocol)
        service = self.services[connection.role]
        path = target.path.removesuffix(output.suffix)
        host = target.host or request.headers.get("Host", "")
        name = service.resolve_path(host, path, forwarded_query(target.raw_query))
        if isinstance(name, Refusal):
            app, _, rest = path.strip("/").partition("/")
            url = TcUrl(host, "", app if rest else "", "")
            client = client_of(request, url, 0, output.protocols[request.secure])
            service.tell_bad_name(rest or app, url, name, client, is_play=True)
            return self._refuse(connection, name)
        config = service.rules_of(name.key).of(HttpConfig)
        if not output.is_on(config):
            return web.Response(status=404, text=f"{output.container} is off\n", headers=NEVER_CACHED)
        if request.method == "HEAD":
            return await self._answer_head(request, service, name, output)
        if connection.transport is None:
            return web.Response()  # lost since its request was read: nobody would say so again
        if connection.is_forwarded and self._is_over(host_of(connection.peer)):
            return self._refuse(connection, Refusal(Reason.OVERLOAD, "too many: -max_connections_per_ip"))
        number, protocol = self._context.next_connection_number(), output.protocols[request.secure]
        client = client_of(request, TcUrl(host, "", name.key.app, ""), number, protocol)
        is_patient = config.http_flv_missing == "wait"
        asked = PlayRequest(client, name, trace=trace_of(request), suffix=output.suffix)
        first = FirstData(service, asked, is_patient=is_patient)
        connection.on_lost = first.give_up
        try:
            refusal = await first.ask(config.pull_nodata_timeout_ms)
        finally:
            connection.on_lost = None
        if refusal is not None:
            if refusal.reason in WAITED_FOR:
                service.chronicle.nothing_came(client, name, refusal)
            return self._refuse(connection, refusal)
        play = first.play
        assert play is not None
        try:
            form, opening = output.start(play.stream, tracks_of(name), media_seen(play.stream))
        except UnsupportedCodecError as error:
            first.give_up()
            service.chronicle.no_place(client, name, error.detail)
            return _refuse_codec(output, error)
        except Exception:
            first.give_up()
            raise

        def take(wire: ByteStream, head: bytes, unread: bytes) -> None:
            if first.play is None:  # stopped in this very moment
                wire.close()
                return
            play = first.take()
            try:
                player = output.connection(
                    wire, self._context, peer=client.peer, protocol=protocol, service=service, play=play
                )
            except Exception:  # not watched for want of memory: nobody else would end the play
                service.end_play(play, self._context.now_ms())
                raise
            player.number = client.number
            player.start(head, form, opening)
            if unread:
                player.on_data(unread)
            player.read_some()  # the poller does not tell of what came before it was asked, inside TLS

        headers = {**_STREAMED, **output.headers}
        if output.status == 101:
            headers |= handshake_headers(request)
        return Detached(take, first.give_up, status=output.status, headers=headers)

    def _is_over(self, host: str) -> bool:
        """Whether a client behind a proxy plays as often as it may; the listener knew the proxy only."""
        limit = self._context.config.max_connections_per_ip
        return 0 < limit <= self._context.connections.count_from(host)

    def _refuse(self, connection: HttpConnection, refusal: Refusal) -> web.StreamResponse:
        """Count and answer; of names that are none the log tells."""
        counters, reason = self._context.counters, refusal.reason.value
        if connection.transport is not None:  # somebody is there to hear it
            counters[f"error_{reason}_count"] += 1
        if refusal.reason is Reason.BAD_NAME or refusal.is_of_a_gate:
            text = "[%s http] refused reason=%s %s"
            counters.log_limited(logging.INFO, reason, text, connection.peer, reason, refusal.detail)
        return refuse_play(refusal)

    async def _answer_head(
        self, request: web.BaseRequest, service: Service, name: StreamName, output: Output
    ) -> web.StreamResponse:
        """What is known without asking anybody, to those who might play it."""
        connection = cast(HttpConnection, request.protocol)
        client = client_of(request, TcUrl("", "", name.key.app, ""), 0, output.protocols[request.secure])
        refusal = await refuses_entry(service, PlayRequest(client, name, suffix=output.suffix))
        refusal = refusal or refuses_head(service, name)
        stream = service.registry.find(name.key)
        if refusal is not None:
            return self._refuse(connection, refusal)
        if stream is not None:
            try:
                output.start(stream, tracks_of(name), media_seen(stream))
            except UnsupportedCodecError as error:
                return _refuse_codec(output, error)
        return Detached(lambda *_: None, lambda: None, headers={**_STREAMED, **output.headers})


def _refuse_codec(output: Output, error: UnsupportedCodecError) -> web.Response:
    text = f"{output.container} has no place for {error.codec}\n"
    return web.Response(status=415, text=text, headers=NEVER_CACHED)


def tracks_of(name: StreamName) -> int:
    """Bits of the tracks that a player's URL asks for."""
    return chosen_tracks(only_audio=name.only_audio, only_video=name.only_video)


@lru_cache(maxsize=CACHED_NAMES)
def forwarded_query(query: str) -> str:
    """A URL's query, as it was written, without what only players and CDNs mean something by."""
    parts = query.split("&")
    return "&".join(
        part
        for part in parts
        if (field := part.partition("=")[0]) not in _OF_PLAYERS and not field.startswith(_OF_PLAYERS_PREFIX)
    )
