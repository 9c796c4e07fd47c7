"""What players report (CMCD): with their requests for HLS, and by POST to ``/-/cmcd``.

With a request a report stands in the query (``CMCD=``) or in four headers (CTA-5004 §2); events are posted as lines
of a body (CTA-5004-B, event mode). Events are of the stream that the session's requests are for, and of one that makes
none, as a player of FLV, of the stream that ``cid`` names as a path does: ``live/cam1``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable, Mapping
from typing import cast

from aiohttp import web

from edge.httpd.connection import HttpConnection
from edge.httpd.live import forwarded_query
from edge.httpd.routes import Route, Target
from edge.httpd.status import NEVER_CACHED
from edge.hub.key import StreamKey
from edge.net.aio import now_ms
from edge.net.context import NetContext
from edge.quality.audience import MAX_ID_CHARS, Audience
from edge.quality.cmcd import CmcdError, Value, parse, parse_body, text_of
from edge.quality.config import QualityConfig
from edge.service.refusal import Refusal
from edge.service.service import Service

CMCD_PATH = "/-/cmcd"
_PARAMETER = "CMCD"
_HEADERS = ("CMCD-Request", "CMCD-Object", "CMCD-Status", "CMCD-Session")
_MAX_CID_CHARS = 512


class Receiver:
    """Takes reports for ``audience``; where ``-cmcd`` is off, none."""

    def __init__(
        self,
        config: QualityConfig,
        context: NetContext,
        services: Mapping[str, Service],
        audience: Audience,
    ) -> None:
        self._config = config
        self._context = context
        self._services = services
        self._audience = audience

    def routes(self) -> list[Route]:
        """Where events are posted."""
        return [Route(CMCD_PATH, self.post, is_guarded=False, methods=("POST",), is_cors=True)]

    def note(self, request: web.BaseRequest, target: Target, service: Service, key: StreamKey) -> None:
        """Take what came with a request for a stream that is there."""
        report = self.report_of(request, target)
        if report is not None and request.method != "HEAD":
            self._audience.take(report, stream_of(service, key), now_ms())

    def report_of(self, request: web.BaseRequest, target: Target) -> dict[str, Value] | None:
        """What came with a request; None for nothing, and for what cannot be read."""
        if not self._config.cmcd:
            return None
        text = target.argument(_PARAMETER) or ""
        if not text:
            headers = request.headers
            text = ",".join(headers[name] for name in _HEADERS if name in headers)
        if not text:
            return None
        config = self._config
        try:
            return parse(text, max_bytes=config.cmcd_max_line_bytes, max_keys=config.cmcd_max_keys)
        except CmcdError as error:
            self._reject(request, error.reason)
            return None

    async def post(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        """Events: 204, or 400 where not one can be read; 410, at which players stop, where they are not wanted."""
        config = self._config
        if not config.cmcd:
            return _answer(410, "nobody counts what players report here: -cmcd is off\n")
        if (request.content_length or 0) > config.cmcd_max_body_bytes:
            self._reject(request, "body_too_large")
            return _answer(413, f"a body of more than {config.cmcd_max_body_bytes} bytes\n")
        try:
            limit_ms = cast(HttpConnection, request.protocol).config.http_header_timeout_ms
            async with asyncio.timeout(limit_ms / 1000 or None):
                body = await request.read()
        except TimeoutError:
            self._reject(request, "slow_body")
            return _answer(408, "the body did not come in time\n")
        reports, faults = parse_body(
            body,
            max_lines=config.cmcd_max_lines,
            max_bytes=config.cmcd_max_line_bytes,
            max_keys=config.cmcd_max_keys,
        )
        for reason in faults:
            self._reject(request, reason)
        service, at_ms = self._services[cast(HttpConnection, request.protocol).role], now_ms()
        for report in reports:
            self._audience.take(report, self._stream_of(report, request, target, service), at_ms)
        if faults and not reports:
            return _answer(400, f"{faults[0]}\n")
        return web.Response(status=204, headers=NEVER_CACHED)

    def _stream_of(
        self, report: Mapping[str, Value], request: web.BaseRequest, target: Target, service: Service
    ) -> Hashable:
        """The stream that an event's ``cid`` names, where nothing better is known."""
        session = self._audience.session(text_of(report, "sid", max_chars=MAX_ID_CHARS))
        content_id = text_of(report, "cid", max_chars=_MAX_CID_CHARS)
        if not content_id or (session is not None and session.stream is not None):
            return None
        host = target.host or request.headers.get("Host", "")
        name = service.resolve_path(host, f"/{content_id.lstrip('/')}", forwarded_query(target.raw_query))
        if isinstance(name, Refusal) or service.registry.find(name.key) is None:
            return None
        return stream_of(service, name.key)

    def _reject(self, request: web.BaseRequest, reason: str) -> None:
        self._audience.rejected[reason] += 1
        peer, counters = cast(HttpConnection, request.protocol).peer, self._context.counters
        counters.log_limited(logging.INFO, f"cmcd_{reason}", "[%s http] report refused reason=%s", peer, reason)


def stream_of(service: Service, key: StreamKey) -> Hashable:
    """What reports of a stream are kept under."""
    return service.name, key


def _answer(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, headers=NEVER_CACHED)
