"""Answers that are always the same, on all ports: what Flash asked before it played, and the probe of a CDN."""

from __future__ import annotations

from collections.abc import Container

from aiohttp import web

from edge.httpd.routes import Handler, Route, Target

_CROSS_DOMAIN = '<cross-domain-policy><allow-access-from domain="*"/></cross-domain-policy>'
_PROBE = "Service is fine"


def fixed_routes(cdn_probe_file: str, taken: Container[str]) -> list[Route]:
    """Return the rows; ``cdn_probe_file`` has no slash, is "" for none, and gives way to the paths of ``taken``."""
    routes = [Route("/crossdomain.xml", _always(_CROSS_DOMAIN, "text/xml"), is_guarded=False)]
    probe = f"/{cdn_probe_file}"
    if cdn_probe_file and probe not in taken and probe != routes[0].path:
        routes.append(Route(probe, _always(_PROBE, "text/plain"), is_guarded=False))
    return routes


def _always(text: str, content_type: str) -> Handler:
    async def handle(_request: web.BaseRequest, _target: Target) -> web.StreamResponse:
        return web.Response(text=text, content_type=content_type, headers={"Cache-Control": "no-cache"})

    return handle
