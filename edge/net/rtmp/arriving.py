"""The beginning of a server connection: who the client is, where it went to, and whether it may stay."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from edge.errors import ProtocolError
from edge.net.byte_stream import ByteStream
from edge.net.rtmp.playing import PlayingConnection
from edge.net.rtmp.status import CONNECT_REJECTED, connect_refusal
from edge.rtmp.events import ConnectRequested
from edge.rtmp.identity import PROOF_PROPERTY
from edge.rtmp.server import ServerSession
from edge.service.admission import Asking
from edge.service.names import CACHED_NAMES, TcUrl, moved_to, parse_tc_url
from edge.service.refusal import Refusal
from edge.service.request import MAX_PAGE_URL, MAX_WORDS, NO_HOSTS_PAGE, SAID_NOTHING, Said
from edge.service.spans import SERVER

if TYPE_CHECKING:
    from edge.net.rtmp.service import RtmpService

NOWHERE = TcUrl("", "", "", "")


@lru_cache(maxsize=CACHED_NAMES)
def _said(tc_url: str, swf_url: str, program: str) -> Said:
    """Thousands of players say the same, and share it."""
    return Said(tc_url, swf_url, program)


def _words(value: object) -> str:
    return value[:MAX_WORDS] if isinstance(value, str) else ""


class ArrivingConnection(PlayingConnection):
    """Asks whether a client may stay, and remembers what it said of itself.

    Attributes:
        server_url: where the client went to, as far as it has said so.
        page_url: the page that it comes from, as it says; "" for none, and for what is too long to be one.
        is_proven: it is a node that has proved to be one of ours, or is trusted by its address.
        said: what it has said of itself besides.
    """

    __slots__ = ("_connecting", "is_proven", "page_url", "said", "server_url")

    def __init__(self, wire: ByteStream, rtmp: RtmpService, session: ServerSession, peer: str) -> None:
        super().__init__(wire, rtmp, session, peer)
        self.server_url = NOWHERE
        self.page_url = ""
        self.is_proven = False
        self.said: Said = SAID_NOTHING
        self._connecting: Asking | None = None

    @property
    def is_arriving(self) -> bool:
        """It waits for the answer whether it may stay."""
        return self._connecting is not None

    @property
    def authorization(self) -> str:
        """Clients of this protocol say all in their URL."""
        return ""

    @property
    def edge_id(self) -> str:
        """Service id of a node of ours, else ""."""
        return self._session.peer_edge_id

    @property
    def is_hop(self) -> bool:
        """The peer is a node of ours."""
        return bool(self._session.peer_edge_id)

    @property
    def hears_errors_only(self) -> bool:
        """The peer multiplexes streams and is no node of ours: it ignores every status that is no error."""
        return self._session.hears_errors_only

    def _on_connect(self, event: ConnectRequested) -> None:
        self.server_url = parse_tc_url(event.tc_url, event.app)
        error = connect_refusal(self.service)
        if error is not None:
            return self._reject(event, error, error.detail)
        self._look_at(event)

        def answered(refusal: Refusal | None) -> None:
            is_late, self._connecting = self._connecting is not None, None
            if refusal is None:
                self._tell_span("")
                self._session.accept_connect(event.request_id, announced=self.rtmp.config_at(self.server_url))
            else:
                fault = ProtocolError(refusal.detail, reason=refusal.reason.value, is_quiet=True)
                self._reject(event, fault, refusal.told)
            if is_late:
                self._go_on_late()

        asking = self.service.connect(self.server_url, self, answered, move_to=self._move_to)
        if asking.is_open:
            self._connecting = asking

    def _move_to(self, app: str) -> None:
        """What it asks for from now on is of another app."""
        self.server_url = replace(self.server_url, app=app)

    def _look_at(self, event: ConnectRequested) -> None:
        """Keep what it says of itself."""
        page_url = event.properties.get("pageUrl")
        if page_url and isinstance(page_url, str):
            self.page_url = page_url if len(page_url) <= MAX_PAGE_URL else NO_HOSTS_PAGE
        swf_url, program = event.properties.get("swfUrl"), event.properties.get("flashVer")
        self.said = _said(event.tc_url, _words(swf_url), _words(program))
        proof = event.properties.get(PROOF_PROPERTY)
        if event.edge_id and proof and isinstance(proof, str):
            self.is_proven = self.service.proves(proof, event.edge_id)
        self.is_proven |= self.service.trusts(self.host)

    def _reject(self, event: ConnectRequested, error: ProtocolError, told: str) -> None:
        self._tell_span(error.reason)
        self._session.reject_connect(event.request_id, told, CONNECT_REJECTED)
        self.send_session()
        self.context.counters.report(error, str(self), peer=self.peer)
        self.close_gracefully(error.reason)

    def ask_to_reconnect(self, base: str = "") -> None:
        """In the words of E-RTMP, where the client knows them. Nodes of ours have lists of their own."""
        tc_url = ""
        if base and not self.is_hop:
            service = self.service
            tc_url = moved_to(base, self.server_url, default_vhost=service.hub.default_vhost, hostname=service.hostname)
        if self.state == "open" and self._session.ask_to_reconnect(tc_url):
            self.send_session()

    def _go_on_late(self) -> None:
        """Work off what came while the answer was waited for."""
        raise NotImplementedError

    def _tell_span(self, error: str) -> None:
        """What the setup of the connection, from its being accepted to ``connect``, has come to."""
        age_ms = self.context.now_ms() - self.created_ms
        span = self.context.spans.begun(SERVER, "rtmp.connect", age_ms, peer=self.peer, log_id=self.number)
        span.end(error, request_bytes=self.received_bytes)

    def _withdraw_connect(self, why: str) -> None:
        """The client has gone."""
        connecting, self._connecting = self._connecting, None
        if connecting is not None:
            connecting.cancel()
        if self.server_url is NOWHERE:
            self._tell_span(why)  # it has never come to a connect
        else:
            self.service.disconnected(self, self.received_bytes, self.total_sent_bytes())
