"""All pages as routes: the one place that knows aiohttp."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import jinja2
from aiohttp import web
from markupsafe import Markup

# Each registers its pages when it is imported.
from edge.builtin import health, index, status, streams, version  # noqa: F401
from edge.builtin.page import PAGES, Data, Page, PageContext, PageFormat, Visit, choose_format
from edge.builtin.present import bit_rate, cell, columns, duration, shorten
from edge.httpd.routes import Route, Target
from edge.httpd.screening import host_name_of

_FOLDER = Path(__file__).parent / "templates"
_STYLE = (_FOLDER / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Nothing is loaded, run or sent anywhere; the only style is our own, known by its hash (row X6).
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_CONTENT_TYPES = {
    PageFormat.TEXT: "text/plain",
    PageFormat.HTML: "text/html",
    PageFormat.JSON: "application/json",
}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=duration, bit_rate=bit_rate, cell=cell, shorten=shorten)
    environment.globals.update(
        columns=columns,
        style=Markup(_STYLE),
        MAX_ROWS=streams.MAX_ROWS,
        has_services=streams.has_services,
        shown_state=streams.shown_state,
        level=streams.level,
        server_groups=status.server_groups,
        names_of=status.names_of,
        LONG=status.LONG,
        server_level=status.server_level,
    )
    return environment


_ENVIRONMENT = _environment()


def render(page: Page, view: PageFormat, data: Data) -> str:
    """Return the body of ``page`` in one of its formats."""
    if view is PageFormat.JSON:
        return json.dumps(data, ensure_ascii=False, default=str, indent=1) + "\n"
    if view is PageFormat.TEXT:
        return page.text(data)
    tabs = sorted((tab for tab in PAGES.values() if tab.is_listed), key=lambda tab: tab.path)
    return _ENVIRONMENT.get_template(page.template).render(page=page, tabs=tabs, data=data)


def _answer(page: Page, view: PageFormat, context: PageContext, visit: Visit) -> web.Response:
    data = page.collect(context, visit)
    headers = {"Cache-Control": "no-store"}
    if view is PageFormat.HTML:
        headers |= {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Referrer-Policy": "no-referrer"}
    return web.Response(
        status=page.status(data), text=render(page, view, data), content_type=_CONTENT_TYPES[view], headers=headers
    )


def _route(page: Page, context: PageContext, *, is_json: bool) -> Route:
    async def handle(request: web.BaseRequest, target: Target) -> web.StreamResponse:
        view = PageFormat.JSON
        if not is_json:
            view = choose_format(
                page,
                asked=target.argument("format"),
                accept=request.headers.get("Accept", ""),
                user_agent=request.headers.get("User-Agent", ""),
            )
        return _answer(page, view, context, Visit(host=host_name_of(request) or ""))

    path = page.path if not is_json else f"{page.path if page.path != '/' else '/index'}.json"
    return Route(path, handle, is_guarded=page.is_guarded)


def site_routes(context: PageContext) -> list[Route]:
    """Return two rows per page: its path, and the same with ``.json``; the index also as ``/index``."""
    routes = [_route(page, context, is_json=is_json) for page in PAGES.values() for is_json in (False, True)]
    index_page = _route(PAGES["/"], context, is_json=False)
    return [*routes, Route("/index", index_page.handler, is_guarded=index_page.is_guarded)]
