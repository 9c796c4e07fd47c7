"""The HTTP service: takes accepted connections, and answers each request from a table of routes."""

from __future__ import annotations

import collections
import logging
from collections.abc import Sequence
from typing import Protocol, cast

from aiohttp import web

from edge.httpd.compression import compress
from edge.httpd.config import HttpConfig
from edge.httpd.connection import SERVER_NAME, HttpConnection, refuse
from edge.httpd.routes import BadTargetError, Route, RouteTable, Target, parse_target
from edge.httpd.screening import Refusal, refusal_of
from edge.net.accepted import Accepted
from edge.net.context import NetContext
from edge.net.stream_transport import StreamTransport
from edge.net.trust import trusted_proxies

# One text for all guarded paths: it tells neither what there is nor where.
NOT_HERE_TEXT = "Not available on this port\n"

# Pages of any origin may play, and none may use what its reader is logged in with (Fetch §3.2.5).
_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
# What a browser asks before it lets a page of another origin send odd headers (Fetch §3.2).
_PREFLIGHT = {
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": "86400",
}

_log = logging.getLogger(__name__)


class Owned(Protocol):
    """What handlers hold beyond a request."""

    async def close(self) -> None:
        """The server ends."""
        ...


class HttpService:
    """HTTP/1.x on connections that somebody else accepted.

    Use: ``start()``, then ``adopt()`` for each connection that opens with an
    HTTP request, ``close()`` at the end.

    Attributes:
        counters: ``http_requests_count``, ``error_<reason>_count`` and so on.
        is_draining: each answer ends its connection, but for those to viewers of streams, who are here.
        is_handed_over: each answer does, for another process serves who comes then.
    """

    def __init__(
        self, config: HttpConfig, routes: Sequence[Route], context: NetContext, *, owned: Sequence[Owned] = ()
    ) -> None:
        """``owned``: what the handlers of the routes hold, closed at the end."""
        self._config = config
        self._routes = RouteTable(routes)
        self._context = context
        self._owned = tuple(owned)
        self._server: web.Server | None = None
        self.counters: collections.Counter[str] = collections.Counter()
        self.is_draining = self.is_handed_over = False

    @property
    def routes(self) -> RouteTable:
        """The table, for those that list or test it."""
        return self._routes

    @property
    def connection_count(self) -> int:
        """Connections that are open now."""
        return len(self._server.connections) if self._server is not None else 0

    async def start(self) -> None:
        """Make ready to adopt; must be called inside the loop that serves."""
        self._server = web.Server(self._answer, loop=self._context.loop)

    def reconfigure(self, config: HttpConfig) -> None:
        """Take new limits for connections adopted from now on."""
        self._config = config

    def adopt(self, accepted: Accepted, *, hides_pages: bool = False) -> None:
        """Serve an accepted connection from which nothing has been read.

        ``hides_pages``: it comes from a port that shows guarded pages to nobody.
        The connection is ours from here on: it is closed also when this raises.
        """
        server = self._server
        if server is None:
            accepted.wire.close()
            raise RuntimeError("the service is not started")
        config, is_internal = self._config, accepted.entrance.is_internal
        connection = HttpConnection(
            server,
            loop=self._context.loop,
            config=config,
            is_internal=is_internal,
            hides_pages=hides_pages or (config.is_internal_port_set and not is_internal),
            count=self._count,
            log=self._context.counters.log_limited,
            role=accepted.entrance.role,
            is_proxied=accepted.is_proxied,
        )
        word = "http" if accepted.tls is None else "https"
        StreamTransport(accepted, self._context, connection, protocol_word=word, role="page").start()

    async def close(self, *, timeout_s: float = 1.0) -> None:
        """End all connections, giving requests in progress ``timeout_s``. Safe to call again."""
        server, self._server = self._server, None
        if server is not None:
            server.pre_shutdown()
            for each in self._owned:
                await each.close()
            await server.shutdown(timeout_s)

    def _count(self, name: str) -> None:
        self.counters[name] += 1

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Screen, route and answer one request; the one catch-all of the pages is here."""
        connection = cast(HttpConnection, request.protocol)
        self.counters["http_requests_count"] += 1
        is_last = connection.take_request()
        proxies = self._context.config.trusted_proxies
        if proxies:
            connection.look_through(request, trusted_proxies(proxies))
        refusal = refusal_of(request, connection.config)
        if refusal is None:
            try:
                target = parse_target(request.raw_path)
            except BadTargetError as error:
                refusal = Refusal(400, error.reason, error.detail)
        if refusal is not None:
            connection.report(refusal.reason, refusal.text)
            refused = refuse(refusal)
            # Without them a player of another origin is not even told the status.
            refused.headers.update(self._origins_for(request.raw_path.partition("?")[0]))
            return refused
        route = self._routes.find(target.path)
        try:
            answer = await self._dispatch(request, target, route, connection)
        except web.HTTPException:
            raise
        except Exception:
            self._count("error_internal_count")
            _log.exception("page %s failed", target.path)
            answer = web.Response(status=500, text="internal error\n")
        if route is not None and route.is_guarded:  # what nodes ask each other is taken as it is
            compress(request, answer, connection.config.http_body_compress_threshold)
        headers = answer.headers
        headers["Server"] = SERVER_NAME
        headers["X-Content-Type-Options"] = "nosniff"
        if route is not None and route.is_cors:
            headers.update(_ANY_ORIGIN)
        if is_last or self.is_handed_over or (self.is_draining and (route is None or not route.is_cors)):
            answer.force_close()
        return answer

    def _origins_for(self, path: str) -> dict[str, str]:
        """Headers that say whose pages may read what is answered on ``path``, whatever the answer."""
        route = self._routes.find(path)
        return _ANY_ORIGIN if route is not None and route.is_cors else {}

    async def _dispatch(
        self, request: web.BaseRequest, target: Target, route: Route | None, connection: HttpConnection
    ) -> web.StreamResponse:
        if route is None:
            return web.Response(status=404, text="not found\n")
        if route.is_guarded and connection.hides_pages:
            self._count("http_forbidden_count")
            return web.Response(status=403, text=NOT_HERE_TEXT)
        if request.method in route.methods:
            return await route.handler(request, target)
        allow = {"Allow": ", ".join((*route.methods, "OPTIONS"))}
        if request.method == "OPTIONS":
            if route.is_cors:
                allow |= _PREFLIGHT | {"Access-Control-Allow-Methods": ", ".join(route.methods)}
            return web.Response(status=204, headers=allow)
        return web.Response(status=405, text="method not allowed\n", headers=allow)
