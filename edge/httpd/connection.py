"""One HTTP connection: aiohttp's handler with deadlines, without tracebacks for what a peer sent.

The kind of port it came from is a fact of the accepted socket, kept here; no
header can change it.
"""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import Callable
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler

from edge.httpd.config import HttpConfig
from edge.httpd.detached import Detached
from edge.httpd.screening import MAX_TARGET_BYTES, Refusal
from edge.net.address import Address, host_of
from edge.net.stream_transport import StreamTransport
from edge.net.trust import TrustedProxies

# What the parser reads before it gives up; what may be is said by the screening, which has a status for each.
_MAX_READ_LINE_BYTES = 32768
_MAX_READ_HEADERS = 1000
# Which library serves is nobody's business.
SERVER_NAME = "edge"
# What a refused peer still sends is read and dropped this long, lest the reset overtakes the answer.
LINGER_S = 0.2

Log = Callable[..., None]
"""Called with level, reason, text and arguments: one line, or none when there are too many of that reason."""

_log = logging.getLogger(__name__)


def refuse(refusal: Refusal) -> web.Response:
    """Build the plain answer that ends a connection. Nothing of the request is in it."""
    answer = web.Response(status=refusal.status, text=f"{refusal.text}\n", headers={"Server": SERVER_NAME})
    if refusal.status == 405:
        answer.headers["Allow"] = "GET, HEAD, OPTIONS"
    answer.force_close()
    return answer


def _refusal_by_parser(error: BaseException | None) -> Refusal:
    """What to say of a head that the parser gave up."""
    if isinstance(error, LineTooLong):
        return Refusal(431, "header_too_large", "the head is too large")
    return Refusal(400, "bad_framing", "not a well-formed HTTP request")


class HttpConnection(RequestHandler):
    """Serves the requests of one connection.

    Attributes:
        is_internal: whether the listener that accepted it is the internal port.
        role: its owner's word for the listener.
        on_lost: called once when the connection is lost before its present request is answered; None for nobody.
        peer: whose request is being answered, ``ip:port``: of the other end, or as a proxy of ours says.
        is_proxied: a load balancer has said whose connection it is.
        is_forwarded: a reverse proxy has said whose request it is.
        hides_pages: guarded pages are refused on it, whether or not there is an internal port.
        config: limits that this connection was accepted under.
    """

    __slots__ = (
        "_count",
        "_head_bytes",
        "_head_handle",
        "_log",
        "_payload",
        "_socket_peer",
        "_stall_handle",
        "_taken_count",
        "_unwritten_bytes",
        "config",
        "hides_pages",
        "is_forwarded",
        "is_internal",
        "is_proxied",
        "on_lost",
        "peer",
        "role",
    )

    def __init__(
        self,
        server: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        config: HttpConfig,
        is_internal: bool,
        hides_pages: bool,
        count: Callable[[str], None],
        log: Log,
        role: str = "",
        is_proxied: bool = False,
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=config.http_keepalive_ms / 1000,
            access_log=cast(logging.Logger, None),
            logger=_log,
            max_line_size=_MAX_READ_LINE_BYTES,
            max_field_size=_MAX_READ_LINE_BYTES,
            max_headers=_MAX_READ_HEADERS,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )
        self.config = config
        self.is_internal = is_internal
        self.hides_pages = hides_pages
        self.role = role
        self.on_lost: Callable[[], None] | None = None
        self.peer = self._socket_peer = "-"
        self.is_proxied = is_proxied
        self.is_forwarded = False
        self._count = count
        self._log = log
        self._head_bytes = 0
        self._head_handle: asyncio.TimerHandle | None = None
        self._payload: StreamReader = EMPTY_PAYLOAD
        self._stall_handle: asyncio.TimerHandle | None = None
        self._taken_count = 0
        self._unwritten_bytes = 0

    def look_through(self, request: web.BaseRequest, proxies: TrustedProxies) -> None:
        """Find out whose request this is: a proxy that is trusted has many clients on one connection."""
        self.peer, self.is_forwarded = self._socket_peer, False
        host = host_of(self._socket_peer)
        forwarded = request.headers.getall("Forwarded", ())
        client = proxies.client_of(
            host, forwarded=forwarded, x_forwarded_for=request.headers.getall("X-Forwarded-For", ())
        )
        if client != host:
            self.peer, self.is_forwarded = str(Address(client, 0)), True

    def take_request(self) -> bool:
        """Count one request; True means that its answer must end the connection, which may not be used for ever."""
        self._taken_count += 1
        return self._taken_count >= self.config.http_max_requests > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self.peer = self._socket_peer = str(Address(*peer)) if peer else "-"
        self._begin_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        on_lost, self.on_lost = self.on_lost, None
        if on_lost is not None:
            on_lost()
        self._end_head()
        if self._stall_handle is not None:
            self._stall_handle.cancel()
            self._stall_handle = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # What comes after a complete request, and is not complete itself, is part of a head.
        is_head = self._payload.is_eof()
        before = self._request_count
        try:
            super().data_received(data)
        except Exception as error:  # the parser let slip what it could not read, such as a number of 5000 digits
            self._abandon_head(Refusal(400, "bad_framing", f"not a well-formed HTTP request ({type(error).__name__})"))
            return
        if self._request_count != before:
            self._payload = self._messages[-1][1]
            self._end_head()
            if self._payload is EMPTY_PAYLOAD and not data.endswith(b"\n"):
                self._begin_head()  # a pipelined head has begun
        elif is_head and data and self.transport is not None:
            self._begin_head()
            self._head_bytes += len(data)
            if (
                self._head_bytes > self.config.http_max_header_bytes + MAX_TARGET_BYTES
                and not self._request_in_progress
            ):
                self._abandon_head(Refusal(431, "header_too_large", "the head is too large"))

    def _begin_head(self) -> None:
        """Start the clock of a head; bytes that trickle in do not set it back."""
        if self._head_handle is None and self.config.http_header_timeout_ms > 0:
            self._head_handle = self._loop.call_later(self.config.http_header_timeout_ms / 1000, self._head_is_late)

    def _end_head(self) -> None:
        self._head_bytes = 0
        if self._head_handle is not None:
            self._head_handle.cancel()
            self._head_handle = None

    def _head_is_late(self) -> None:
        self._head_handle = None
        if self._request_in_progress:  # its answer must not be cut; a pipelined head gets its time afterwards
            self._begin_head()
            return
        self._abandon_head(Refusal(408, "header_timeout", "the head of the request did not come in time"))

    def _abandon_head(self, refusal: Refusal) -> None:
        """Answer while no request exists that aiohttp could answer, and close."""
        self._end_head()
        if self.transport is None or self._close or self._force_close:
            return
        self.report(refusal.reason, refusal.text)
        body = f"{refusal.text}\n".encode()
        reason_phrase = http.HTTPStatus(refusal.status).phrase
        head = (
            f"HTTP/1.1 {refusal.status} {reason_phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Server: {SERVER_NAME}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
        self.close()

    def report(self, reason: str, detail: str) -> None:
        """Count a peer's fault and say so in one line, unless there are too many of the kind."""
        self._count(f"error_{reason}_count")
        text = "http closed reason=%s peer=%s detail=%s"
        self._log(logging.INFO, reason, text, reason, self.peer, detail)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused, or a fault of ours that the service did not catch."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        if status >= 500:
            _log.error("http handler failed peer=%s", self.peer, exc_info=exc)
            self._count("error_internal_count")
            return refuse(Refusal(status, "internal", "internal error"))
        refusal = _refusal_by_parser(exc)
        self.report(refusal.reason, type(exc).__name__)
        return refuse(refusal)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer, watching that the peer takes it; or give the connection to who goes on with it."""
        if isinstance(resp, Detached):
            request._finish()
            self._detach(request, resp)
            return resp, True
        if self._stall_handle is None and self.config.write_stall_timeout_ms > 0:
            self._unwritten_bytes = 0
            self._watch_writing()
        return await super().finish_response(request, resp, start_time)

    def _detach(self, request: web.BaseRequest, answer: Detached) -> None:
        """Take the connection out of aiohttp's hands, which hear that it is lost, and hand it over."""
        transport, unread = cast(StreamTransport | None, self.transport), self._message_tail
        if transport is None or transport.is_closing():
            answer.give_up()
            return
        try:
            head = answer.head(request)
            if request.method == "HEAD":
                transport.write(head)
                transport.close()
                answer.give_up()
                return
            wire, unsent = transport.detach()
            self._messages.clear()
            self.connection_lost(None)
            answer.hand_over(wire, unsent + head, unread)
        except Exception:
            transport.failed_internally()
            answer.give_up()

    def _watch_writing(self) -> None:
        self._stall_handle = self._loop.call_later(self.config.write_stall_timeout_ms / 1000, self._check_writing)

    def _check_writing(self) -> None:
        self._stall_handle = None
        if self.transport is None:
            return
        transport = self.transport
        unwritten_bytes = transport.get_write_buffer_size()
        if unwritten_bytes == 0:
            return
        if unwritten_bytes == self._unwritten_bytes:
            self.report("write_stall", f"{unwritten_bytes} bytes not taken")
            transport.abort()
            return
        self._unwritten_bytes = unwritten_bytes
        self._watch_writing()
