"""The shell around a client session: a connection to an upstream, with one stream or many.

Each stream belongs to a *link*, which is told of what happens to it and to
the connection. Links are pulls' and pushes' (``edge.upstream``).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import UpstreamTlsError
from edge.net import system
from edge.net.byte_stream import ByteStream, stream_of
from edge.net.outgoing import connecting_socket
from edge.net.poller import GONE, READ, WRITE
from edge.net.rtmp.connection import RtmpConnection
from edge.net.rtmp.form import EncoderForm, RtmpForm
from edge.net.tls import TlsBrokenError
from edge.net.tls_client import TlsClientStream
from edge.rtmp.client import ClientSession
from edge.rtmp.commands import LOST_CODE, NO_TRACE, NOTHING_YET_CODE, VIA_CODE, Hops, Trace, parse_via
from edge.rtmp.config import RtmpConfig
from edge.rtmp.events import (
    Connected,
    ConnectRefused,
    MediaReceived,
    PongReceived,
    ReconnectRequested,
    ResumePoint,
    SessionEnded,
    StreamEofReceived,
    StreamFailed,
    StreamStarted,
    StreamStatus,
)
from edge.rtmp.server_words import CLOSING

if TYPE_CHECKING:
    from edge.hub.stream import Stream
    from edge.net.context import NetContext
    from edge.net.rtmp.stream_writer import StreamWriter

logger = logging.getLogger(__name__)

_KEEP_UNUSED_MS = 1500
_REPLACED_AT_MEDIA_SERVER = "Replaced by publisher"
# How servers of HTTP answer what is none; some leave the status line out, as to HTTP/0.9.
_HTTP_MARKS = (b"http/", b"<html", b"<!doctype")
_HEAD_BYTES = 9


class LinkEnd(Enum):
    """Why a link ended."""

    LOST = "lost"  # the connection broke, or could not be made
    REFUSED = "refused"  # the upstream said no
    NOT_FOUND = "not_found"  # the upstream, in working order, does not have the stream
    UNPUBLISHED = "unpublished"  # the upstream said that the publisher has ended
    TIMEOUT = "timeout"  # no answer in time
    NO_DATA = "no_data"  # it answers, and has nothing new of the stream
    LOOP = "proxy_loop"  # the upstream, or one behind it, has seen this request before
    KICKED = "Kicked"  # the upstream, or one behind it, has another publisher instead


class _Stage(Enum):
    """How far a connection has come."""

    TCP = "connecting"
    TLS = "shaking hands"
    RTMP = "open"


class Link(Protocol):
    """One stream on an upstream connection, as its owner sees it."""

    def on_connected(self, connection: RtmpClientConnection) -> None:
        """The connection accepts streams; open one."""
        ...

    def on_started(self, connection: RtmpClientConnection, message_stream_id: int, info: dict[str, Any]) -> None:
        """Play.Start or Publish.Start."""
        ...

    def on_media(self, event: MediaReceived, now_ms: int) -> None:
        """A message of the stream."""
        ...

    def on_commit(self) -> None:
        """All messages at hand have been delivered."""
        ...

    def on_ended(self, end: LinkEnd, text: str) -> None:
        """Nothing more will come; called once."""
        ...

    def on_redirect(self, url: str, text: str) -> None:
        """The upstream says no, and where to ask instead; instead of ``on_ended``."""
        ...

    def on_via(self, via: tuple[str, ...]) -> None:
        """The upstream, a node of ours, says through which services the stream comes to it."""
        ...

    def on_publisher_lost(self) -> None:
        """The upstream, a node of ours, says that the publisher's connection to it broke."""
        ...

    def on_nothing_yet(self, *, is_known: bool) -> None:
        """The upstream, a node of ours, has nothing for the query so far; ``is_known``: its own upstream said so."""
        ...

    def on_writer_finished(self) -> None:
        """A push has written all of its ended stream."""
        ...


class RtmpClientConnection(RtmpConnection[ClientSession]):
    """An outgoing connection.

    Attributes:
        endpoint: ``host:port`` of the upstream.
        is_multiplexing: None until the upstream has answered ``connect``.
        edge_id: service id of an upstream of ours, "" for any other.
        has_ponged: the upstream has answered a ping at least once.
        last_pong_ms: when it last did.
        on_asked_to_leave: called when the upstream says that it will stop.
        on_settled: called once when ``connect`` has been answered (True) or the
            connection has ended before (False).
        waiting: links that have asked for nothing yet: they wait to hear whether
            the connection may be shared.
    """

    __slots__ = (
        "_active",
        "_head",
        "_last_answer",
        "_links",
        "_publishes",
        "_requests",
        "_stage",
        "_started",
        "edge_id",
        "endpoint",
        "has_ponged",
        "is_multiplexing",
        "last_pong_ms",
        "on_asked_to_leave",
        "on_settled",
        "waiting",
    )

    def __init__(self, wire: ByteStream, context: NetContext, session: ClientSession, endpoint: str) -> None:
        super().__init__(wire, context, session, endpoint)
        self.endpoint = endpoint
        self._links: dict[int, Link] = {}  # by request id
        self._requests: dict[Link, int] = {}
        self._publishes: set[int] = set()  # request ids of those that offer a stream
        self._started: dict[int, int] = {}  # message stream ids by request id
        self._active: dict[int, Link] = {}  # by message stream id
        self._last_answer = (0, 0)  # the highest request id answered, and when
        self._head = b""  # the first bytes that came
        self._stage = _Stage.TCP
        self.is_multiplexing: bool | None = None
        self.edge_id = ""
        self.has_ponged = False
        self.last_pong_ms = 0
        self.waiting: list[Link] = []
        self.on_settled: Callable[[RtmpClientConnection, bool], None] | None = None
        self.on_asked_to_leave: Callable[[RtmpClientConnection], None] | None = None
        context.poller.modify(self.fd, WRITE)

    def __str__(self) -> str:
        return f"[c{self.number} upstream {self.endpoint}]"

    @property
    def host(self) -> str:
        """We made it, so it is nobody's place that it takes."""
        return ""

    @property
    def role(self) -> str:
        """It leads to an upstream."""
        return "upstream"

    @property
    def link_count(self) -> int:
        """Links on this connection, waiting ones and questions included."""
        return len(self._links) + len(self.waiting) + self.open_question_count

    @property
    def is_feeding(self) -> bool:
        """Frames of pulls, or why links are refused, may be on their way."""
        return bool(self._links)

    def take_last(self) -> None:
        """Not where streams go out: their upstream may still have to answer."""
        if not self._publishes:
            super().take_last()

    def shut_down(self, why: str) -> None:
        """Its links end, and it with the last of them."""

    # --- connecting ----------------------------------------------------------

    def on_ready(self, events: int) -> None:
        """Called by the poller."""
        if self._stage is _Stage.RTMP or self.state != "open":
            super().on_ready(events)
        elif self._stage is _Stage.TLS:
            self._shake_hands()
        elif events & (WRITE | GONE):
            self._tcp_is_done()

    def _tcp_is_done(self) -> None:
        code = self.wire.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self.close_now(f"connect: {os.strerror(code)}")
            return
        if isinstance(self.wire, TlsClientStream):
            self._stage = _Stage.TLS
            self._watch_deadline()
            self._shake_hands()
        else:
            self._stage = _Stage.RTMP
            self.context.poller.modify(self.fd, READ)
            self.send_session()
            self._watch_deadline()

    def _shake_hands(self) -> None:
        """Go on with the handshake of TLS; behind its end RTMP begins."""
        wire = self.wire
        assert isinstance(wire, TlsClientStream)
        try:
            is_done = wire.flush() and wire.handshake()
        except UpstreamTlsError as error:
            self._tls_failed(error)
            return
        except OSError as error:
            self._tls_failed(UpstreamTlsError(f"{error.strerror} in the handshake"))
            return
        if not is_done:
            self.context.poller.modify(self.fd, WRITE if wire.has_unsent else READ)
            return
        self._stage = _Stage.RTMP
        self._watch()
        self.send_session()
        if wire.has_unread:
            self._read_on_later()

    def _tls_failed(self, error: UpstreamTlsError) -> None:
        self.context.counters.notice(f"error_{error.reason}")
        self.close_now(str(error))

    def on_lost(self, error: OSError | None) -> None:
        """What TLS has against the peer, or the peer against us, is told in its own words."""
        if isinstance(error, TlsBrokenError) and self.state == "open":
            self.context.counters.notice(f"error_{error.reason}")
            self.close_now(str(error.strerror))
        else:
            super().on_lost(error)

    def on_deadline(self, now_ms: int) -> None:
        """RTMP has nothing to say of a peer that has not come so far."""
        if self.is_shaking_hands:
            self._tls_failed(UpstreamTlsError(f"no end of the handshake in {now_ms - self.created_ms} ms"))
        else:
            super().on_deadline(now_ms)

    @property
    def is_connected(self) -> bool:
        """The upstream has accepted ``connect``."""
        return self.is_multiplexing is not None

    @property
    def is_connecting(self) -> bool:
        """TCP has not connected yet."""
        return self._stage is _Stage.TCP

    @property
    def is_shaking_hands(self) -> bool:
        """TCP has connected, and the handshake of TLS is not done."""
        return self._stage is _Stage.TLS

    @property
    def has_begun(self) -> bool:
        """All below RTMP is there: what fails from here on is RTMP's, or the peer's."""
        return self._stage is _Stage.RTMP

    # --- links ---------------------------------------------------------------

    def open_play(
        self, link: Link, name: str, *, hops: Hops = (), trace: Trace = NO_TRACE, resume: ResumePoint | None = None
    ) -> None:
        """Ask for a stream."""
        self._add(link, self._session.open_play(name, hops=hops, trace=trace, resume=resume))

    def open_publish(
        self, link: Link, name: str, *, hops: Hops = (), trace: Trace = NO_TRACE, is_lost: bool = False
    ) -> None:
        """Offer a stream; ``is_lost``: its publisher is not there at present."""
        request_id = self._session.open_publish(name, hops=hops, trace=trace, is_lost=is_lost)
        self._publishes.add(request_id)
        self._add(link, request_id)

    def _add(self, link: Link, request_id: int) -> None:
        self._links[request_id] = link
        self._requests[link] = request_id
        self.send_session()

    def last_turn_ms(self, link: Link) -> int:
        """When the last of the requests before the link's was answered; 0: none was, or a later one has been."""
        request_id, at_ms = self._last_answer
        return at_ms if 0 < request_id < self._requests.get(link, 0) else 0

    def close_link(self, link: Link) -> None:
        """Give a stream up."""
        if link in self.waiting:
            self.waiting.remove(link)
        request_id = self._requests.get(link)
        if request_id is not None:
            self._forget(request_id)
            self._session.close_stream(request_id)
        if self.state != "open":
            return
        self.send_session()
        self._close_if_unused()

    def _close_if_unused(self) -> None:
        """An unused connection closes at once; one that others may share, after a moment."""
        if self.link_count or self.state != "open":
            return
        if self.is_multiplexing:
            self.context.call_later(_KEEP_UNUSED_MS, self._close_unused)
        else:
            self.close_gracefully("unused")

    def _close_unused(self) -> None:
        if not self.link_count and self.state == "open":
            self.close_gracefully("unused")

    def _forget(self, request_id: int) -> Link | None:
        link = self._links.pop(request_id, None)
        self._publishes.discard(request_id)
        message_stream_id = self._started.pop(request_id, 0)
        if link is not None:
            self._requests.pop(link, None)
            if self._active.get(message_stream_id) is link:
                del self._active[message_stream_id]
        return link

    def _answered(self, request_id: int) -> None:
        if request_id > self._last_answer[0]:
            self._last_answer = (request_id, self.context.now_ms())

    def open_writer(
        self,
        stream: Stream,
        message_stream_id: int,
        form: RtmpForm,
        *,
        resume: ResumePoint | None = None,
    ) -> StreamWriter:
        """Write ``stream`` on an accepted publish."""
        writers = self._open_writers(form.chunk_size)
        if not self.edge_id:
            form = EncoderForm(form.chunk_size, form.tracks)
        writer = writers.open(stream, message_stream_id, form, is_hop=bool(self.edge_id), resume=resume)
        writer.tells_delay = self._session.peer_tells_clock
        return writer

    def close_writer(self, writer: StreamWriter) -> None:
        """Stop writing a stream."""
        if self._writers is not None:
            self._writers.close(writer)

    def ping(self) -> None:
        """Ask the upstream whether it lives."""
        self._session.send_ping(self.context.now_ms())
        self.send_session()

    def unsent_bytes(self) -> int:
        """What has not left this machine yet, the kernel's share included."""
        return self.queued_bytes + system.unsent_bytes(self.wire.sock)

    @property
    def is_unheard(self) -> bool:
        """The kernel repeats what was sent, and nothing acknowledges it: no slow peer, whose kernel would."""
        return system.is_unheard(self.wire.sock)

    # --- bytes ---------------------------------------------------------------

    def send_session(self) -> None:
        """Send what the session has queued."""
        if self._stage is not _Stage.RTMP or self.state != "open":
            return
        data = self._session.data_to_send()
        if data:
            self.send(data)

    def on_data(self, data: bytes) -> None:
        """Bytes of the upstream."""
        session, now = self._session, self.last_read_ms
        if not self._head:
            self._head = data[:_HEAD_BYTES]
        session.receive_data(data, now)
        events, active = session.events, self._active
        touched: set[Link] = set()
        while events:
            event = events.popleft()
            if type(event) is MediaReceived:
                link = active.get(event.message_stream_id)
                if link is not None:
                    link.on_media(event, now)
                    touched.add(link)
                continue
            self._on_event(event)
            if self.state != "open":
                break
        for link in touched:
            link.on_commit()
        self.send_session()
        if not self._is_deadline_watched:
            self._watch_deadline()

    def _on_event(self, event: object) -> None:
        if isinstance(event, Connected):
            self.is_multiplexing, self.edge_id = event.is_multiplexing, event.edge_id
            self.peer_clock()  # asked before media fill the way
            self._settle(True)
        elif isinstance(event, ConnectRefused):
            self._end_links(LinkEnd.REFUSED, f"{event.code} {event.description}", event.redirect)
            self.close_gracefully("connect refused")
        elif isinstance(event, StreamStarted):
            self._answered(event.request_id)
            link = self._links.get(event.request_id)
            if link is not None:
                self._started[event.request_id] = event.message_stream_id
                self._active[event.message_stream_id] = link
                link.on_started(self, event.message_stream_id, event.info)
        elif isinstance(event, StreamFailed):
            self._answered(event.request_id)
            end = _end_of(event, is_publish=event.request_id in self._publishes)
            self._end_link(event.request_id, end, f"{event.code} {event.description}", event.redirect)
        elif isinstance(event, StreamStatus):
            if event.code == "NetStream.Play.UnpublishNotify":
                self._end_link(event.request_id, LinkEnd.UNPUBLISHED, event.description)
            elif event.code == VIA_CODE and event.request_id in self._links:
                self._links[event.request_id].on_via(parse_via(event.info))
            elif event.code == LOST_CODE and self.edge_id and event.request_id in self._links:
                self._links[event.request_id].on_publisher_lost()
            elif event.code == NOTHING_YET_CODE and self.edge_id and event.request_id in self._links:
                self._links[event.request_id].on_nothing_yet(is_known=event.info.get("missing") is True)
        elif isinstance(event, StreamEofReceived):
            self._end_link(event.request_id, LinkEnd.UNPUBLISHED, "StreamEOF")
        elif isinstance(event, PongReceived):
            self.has_ponged = True
            self.last_pong_ms = self.context.now_ms()
        elif isinstance(event, ReconnectRequested):
            if self.on_asked_to_leave is not None:
                self.on_asked_to_leave(self)
        elif isinstance(event, SessionEnded):
            if event.error is not None:
                # One that never worked is tried again and again: the lines of its links tell it, ever more rarely.
                self.context.counters.report(event.error, str(self), is_logged=self.is_connected)
            self.close_now(str(event.error) if event.error is not None else "ended")
        else:
            super()._on_event(event)

    def _end_link(self, request_id: int, end: LinkEnd, text: str, redirect: str = "") -> None:
        link = self._forget(request_id)
        if link is not None:
            link.on_commit()
            _tell_end(link, end, text, redirect)
        self._close_if_unused()

    def _settle(self, is_connected: bool) -> None:
        callback, self.on_settled = self.on_settled, None
        if callback is not None:
            callback(self, is_connected)

    def _end_links(self, end: LinkEnd, text: str, redirect: str = "") -> None:
        links = [*dict.fromkeys(self._links.values()), *self.waiting]
        self._links.clear()
        self._requests.clear()
        self._started.clear()
        self._active.clear()
        self.waiting.clear()
        for link in links:
            _tell_end(link, end, text, redirect)

    def on_closed(self, why: str) -> None:
        """Tell the links."""
        self._settle(False)
        self._close_why()
        self._close_writers()
        is_http = self._head.lower().startswith(_HTTP_MARKS)
        # Which rule HTTP breaks first depends on the form of our handshake, and helps nobody.
        self._end_links(LinkEnd.LOST, "it speaks HTTP, not RTMP" if is_http else why)

    def writer_finished(self, message_stream_id: int, reason: str) -> None:
        """A push has written all of its ended stream."""
        link = self._active.get(message_stream_id)
        if link is not None:
            link.on_writer_finished()


def _tell_end(link: Link, end: LinkEnd, text: str, redirect: str) -> None:
    if redirect and end is not LinkEnd.LOOP:
        link.on_redirect(redirect, text)
    else:
        link.on_ended(end, text)


def _end_of(event: StreamFailed, *, is_publish: bool) -> LinkEnd:
    """What a refusal means; nodes of ours word some so that each node behind them knows them again.

    brpc has one code for all it refuses, StreamNotFound, which says nothing of a publish; that
    media-server has another publisher instead is told by its words.
    """
    if is_publish and event.description.startswith(_REPLACED_AT_MEDIA_SERVER):
        return LinkEnd.KICKED
    for end in (LinkEnd.LOOP, LinkEnd.KICKED):
        if event.description.startswith(end.value):
            return end
    if event.code in CLOSING:
        return LinkEnd.LOST  # it shuts down
    is_missing = event.code == "NetStream.Play.StreamNotFound" and not is_publish
    return LinkEnd.NOT_FOUND if is_missing else LinkEnd.REFUSED


def start_connect(
    context: NetContext,
    host: str,
    port: int,
    *,
    endpoint: str,
    app: str,
    tc_url: str,
    rtmp: RtmpConfig,
    edge_id: str,
    timeout_ms: int,
    proof: str = "",
    is_simplified: bool = False,
    is_encoder: bool = False,
    tls: Callable[[ByteStream], TlsClientStream] | None = None,
) -> RtmpClientConnection:
    """Begin to connect, as a common encoder does or as a player; failures come through the links.

    ``proof`` that we are ``edge_id`` is for upstreams of ours. ``tls`` puts TLS over the socket; its handshake is a
    part of the time that the session gives to connect.

    Raises:
        OSError: not even a socket can be made and watched (descriptors, routes).
        UpstreamTlsError: TLS cannot be begun.
    """
    sock = stream_of(connecting_socket(context, host, port))
    try:
        wire = tls(sock) if tls is not None else sock
    except UpstreamTlsError:
        sock.close()
        raise
    session = ClientSession(
        rtmp,
        app=app,
        tc_url=tc_url,
        entropy=context.entropy,
        now_ms=context.now_ms(),
        edge_id=edge_id,
        proof=proof,
        is_simplified=is_simplified,
        is_encoder=is_encoder,
        timeout_ms=timeout_ms,
        handshake="simple" if rtmp.rtmp_client_use_simple_handshake else "complex",
    )
    try:
        return RtmpClientConnection(wire, context, session, endpoint)
    except OSError:
        wire.close()
        raise
