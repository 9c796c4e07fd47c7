"""All pages as routes: the one place that knows aiohttp."""

from __future__ import annotations

import json
import sys

from aiohttp import web

# Each registers its pages when it is imported.
from edge.builtin import health, index, status, streams, version  # noqa: F401
from edge.builtin.page import PAGES, Data, Page, PageContext, PageFormat, Visit, choose_format
from edge.httpd.routes import Route, Target
from edge.httpd.screening import host_name_of
from edge.net.aio import load_in_thread

_CONTENT_TYPES = {
    PageFormat.TEXT: "text/plain",
    PageFormat.HTML: "text/html",
    PageFormat.JSON: "application/json",
}
_HTML = "edge.builtin.html"


def render(page: Page, view: PageFormat, data: Data) -> str:
    """Return the body of ``page`` in one of its formats."""
    if view is PageFormat.JSON:
        return json.dumps(data, ensure_ascii=False, default=str, indent=1) + "\n"
    if view is PageFormat.TEXT:
        return page.text(data)
    from edge.builtin import html

    return html.render(page, data)


async def _load_html() -> None:
    """Import the templates for the first page that needs them, away from the loop."""
    if not hasattr(sys.modules.get(_HTML), "render"):  # the last that is defined there
        await load_in_thread(_HTML)


def _answer(page: Page, view: PageFormat, context: PageContext, visit: Visit) -> web.Response:
    data = page.collect(context, visit)
    headers = {"Cache-Control": "no-store"}
    if view is PageFormat.HTML:
        from edge.builtin.html import CONTENT_SECURITY_POLICY

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
        if view is PageFormat.HTML:
            await _load_html()
        return _answer(page, view, context, Visit(host_name_of(request) or "", request.secure))

    path = page.path if not is_json else f"{page.path if page.path != '/' else '/index'}.json"
    return Route(path, handle, is_guarded=page.is_guarded)


def site_routes(context: PageContext) -> list[Route]:
    """Return two rows per page: its path, and the same with ``.json``; the index also as ``/index``."""
    routes = [_route(page, context, is_json=is_json) for page in PAGES.values() for is_json in (False, True)]
    index_page = _route(PAGES["/"], context, is_json=False)
    return [*routes, Route("/index", index_page.handler, is_guarded=index_page.is_guarded)]
