"""Which streams of HLS are guarded: what their playlists bear, and what is looked at when these are asked for again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

from aiohttp import web

from edge.hls.config import HlsConfig
from edge.hls.names import PermitOf, SegmentName
from edge.hls.permits import PARAMETER, Opens, Permits, Permitted, StreamPermits
from edge.hls.segmenter import Segmenter
from edge.httpd.connection import HttpConnection
from edge.httpd.hls_fetch import NODE_HEADER
from edge.httpd.routes import Target
from edge.hub.key import StreamKey
from edge.hub.stream import Stream
from edge.net.address import host_of
from edge.net.aio import wall_ms
from edge.service.names import StreamName
from edge.service.refusal import Reason, Refusal
from edge.service.request import HttpClient
from edge.service.service import Service

#: Streams whose permits are remembered; of further ones they are made anew.
_MAX_STREAMS = 4096
IsCdn = Callable[[Service, StreamKey, Sequence[str]], "bool | None"]
_NO_SECRET = Refusal(Reason.TOKEN_INVALID, "the Authorization header has no secret of a CDN (-hls_cdn_secret_file)")
TIME_IS_OVER = Refusal(Reason.TOKEN_EXPIRED, "the viewer's time is over")
_REFUSALS = {
    Permitted.MISSING: Refusal(Reason.TOKEN_INVALID, "there is no permit: the entry playlist has the URL"),
    Permitted.INVALID: Refusal(Reason.TOKEN_INVALID, "the permit is not one for this"),
    Permitted.EXPIRED: Refusal(Reason.TOKEN_EXPIRED, "the permit has ended"),
}


class HlsGuard:
    """Gives permits to who has passed the gates, and looks at them; a CDN that answers for its viewers needs none."""

    def __init__(
        self,
        guards: Callable[[Service, StreamKey], bool],
        secret: Callable[[], bytes],
        is_cdn: IsCdn = lambda *_: None,
        asks_players: Callable[[Service, StreamKey], bool] = lambda *_: False,
        *,
        now_wall_ms: Callable[[], int] = wall_ms,
    ) -> None:
        """``guards``: whether a gate stands before a stream; ``secret``: the same on all nodes behind one cache.

        ``is_cdn``: whether ``Authorization`` headers are those of a CDN that answers for its viewers; None where they
        do not say so. ``asks_players``: whether gates stand before a stream, those too that give no permits.
        """
        self._asks_players = asks_players
        self._guards, self._secret, self._is_cdn, self._wall_ms = guards, secret, is_cdn, now_wall_ms
        self._permits = Permits(b"")
        self._known = b""
        self._streams: dict[tuple[StreamKey, HlsConfig], StreamPermits] = {}

    def is_cdn(self, request: web.BaseRequest, service: Service, key: StreamKey) -> bool | None:
        """Whether a CDN asks that answers for its viewers; None where nobody says so, False where it is not true."""
        said = request.headers.getall("Authorization", ())
        return self._is_cdn(service, key, said) if said else None

    def refuses_cdn(self, request: web.BaseRequest, service: Service, key: StreamKey) -> Refusal | None:
        """Why who says to be a CDN is not served, be there a gate or not."""
        return _NO_SECRET if self.is_cdn(request, service, key) is False else None

    def of(self, request: web.BaseRequest, service: Service, key: StreamKey) -> StreamPermits | None:
        """What a stream's playlists bear for who asks; None for nothing."""
        if not self._guards(service, key) or self.is_cdn(request, service, key):
            return None
        permits = self._present()
        config = service.rules_of(key).of(HlsConfig)
        found = self._streams.get((key, config))
        if found is None:
            if len(self._streams) >= _MAX_STREAMS:
                self._streams.clear()
            window_ms = max(int(config.hls_window_s * 1000), config.ts_duration_ms * config.ts_max_stored)
            found = self._streams[key, config] = StreamPermits(
                permits, _text_of(key), self._wall_ms, window_ms=window_ms, session_s=config.hls_session_s
            )
        return found

    def refuses(
        self, request: web.BaseRequest, target: Target, service: Service, key: StreamKey, opens: Opens
    ) -> Refusal | None:
        """Why what a playlist names, whose permit is one of ``opens``, is not given; None where it is given.

        Nodes that play the stream from here need no permit, nor does a CDN.
        """
        is_cdn = self.is_cdn(request, service, key)
        if is_cdn is not None:
            return None if is_cdn else _NO_SECRET
        if not self._guards(service, key):
            return None
        stream = service.registry.find(key)
        if stream is not None and self.is_node(request, service, stream):
            return None
        found = self._present().look_at(target.argument(PARAMETER) or "", _text_of(key), self._wall_ms(), opens)
        return _REFUSALS.get(found)

    def answered(self, answer: web.StreamResponse, service: Service, key: StreamKey) -> web.StreamResponse:
        """The answer to a request that the gates of a stream were asked about: no cache may give it to anybody else."""
        if self._guards(service, key) or self._asks_players(service, key):
            answer.headers["Cache-Control"] = "private, no-store"
        return answer

    def is_node(self, request: web.BaseRequest, service: Service, stream: Stream) -> bool:
        """Whether a node of ours asks that plays the stream from here, under the id that it has told us.

        Others may have heard that id, as whoever says to be a node is told ours: of a guarded stream it has to come
        from the address of that node.
        """
        service_id = request.headers.get(NODE_HEADER, "")
        if not service_id:
            return False
        hosts = {host_of(play.client.peer) for play in stream.roster.plays() if play.client.edge_id == service_id}
        if not self._guards(service, stream.key):
            return bool(hosts)
        return host_of(cast(HttpConnection, request.protocol).peer) in hosts

    def said_with_permit(self, service: Service, name: StreamName) -> StreamName:
        """The name of a stream as whoever has a permit says it: all of them the same, where one is asked for."""
        return replace(name, query="") if self._guards(service, name.key) else name

    def let_in(
        self, request: web.BaseRequest, service: Service, name: StreamName, client: HttpClient, *, has_permit: bool
    ) -> HttpClient:
        """A client of a request; no gate is asked about a CDN, nor again about one whose permit was good.

        ``has_permit``: ``refuses`` was asked about it and had nothing against it, whatever the query says.
        """
        is_let_in = (has_permit and self._guards(service, name.key)) or self.is_cdn(request, service, name.key)
        return replace(client, is_proven=True) if is_let_in else client

    def _present(self) -> Permits:
        secret = self._secret()
        if secret != self._known:
            self._known, self._permits = secret, Permits(secret)
            self._streams.clear()
        return self._permits


def uri_permits(permits: StreamPermits | None, segmenter: Segmenter | None = None) -> PermitOf | None:
    """For the URIs of a playlist of ``segmenter``, or of the two-level scheme."""
    if permits is None:
        return None

    def permit_of(what: SegmentName | tuple[str, int] | str) -> str:
        if isinstance(what, str):
            return permits.of_configuration()
        segment = segmenter.find(what) if segmenter is not None and isinstance(what, SegmentName) else None
        return permits.of_segment(what, segment.wall_ms if segment is not None else None)

    return permit_of


def _text_of(key: StreamKey) -> str:
    return f"{key.vhost}/{key.app}/{key.stream_name}"
