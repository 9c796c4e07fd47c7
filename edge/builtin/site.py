"""All pages as routes: the one place that knows aiohttp, beside the files that they load (``assets.py``)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from aiohttp import web

# Each registers its pages when it is imported.
from edge.builtin import (  # noqa: F401
    connections,
    console,
    directory,
    flags,
    health,
    hotspots,
    index,
    iobuf,
    listing,
    media_server,
    metrics,
    orders,
    player,
    pprof,
    reloads,
    rpcz,
    sockets,
    status,
    streams,
    tasks,
    threads,
    upstreams,
    vars,
    version,
    vhosts,
    vlog,
    why,
)
from edge.builtin.assets import asset_routes
from edge.builtin.json_text import json_pieces
from edge.builtin.page import PAGES, Attachment, Data, Page, PageContext, PageFormat, Visit, choose_format
from edge.builtin.play_hls import PLAY_HLS
from edge.httpd.changes import change_refusal_of, host_refusal, is_of_browser
from edge.httpd.connection import HttpConnection
from edge.httpd.routes import Route, Target
from edge.httpd.screening import host_name_of
from edge.net.aio import load_in_thread
from edge.net.slices import joined

_CONTENT_TYPES = {
    PageFormat.TEXT: "text/plain",
    PageFormat.HTML: "text/html",
    PageFormat.JSON: "application/json",
}
_HTML = "edge.builtin.html"
_NOBODY = Visit()


def render(page: Page[Data], view: PageFormat, data: Data, visit: Visit = _NOBODY) -> str:
    """Return the body of ``page`` in one of its formats."""
    return "".join(pieces(page, view, data, visit))


def pieces(page: Page[Data], view: PageFormat, data: Data, visit: Visit = _NOBODY) -> Iterator[str]:
    """The same bit by bit: of many streams it takes longer than others on the loop are to wait."""
    if view is PageFormat.JSON:
        return json_pieces(data)
    if view is PageFormat.TEXT:
        return page.text_pieces(data) if page.text_pieces is not None else iter((page.text(data),))
    from edge.builtin.html import html_pieces

    return html_pieces(page, data, visit)


async def _load_html() -> None:
    """Import the templates for the first page that needs them, away from the loop."""
    if not hasattr(sys.modules.get(_HTML), "html_pieces"):  # the last that is defined there
        await load_in_thread(_HTML)


async def answer_of(page: Page[Any], view: PageFormat, context: PageContext, visit: Visit) -> web.Response:
    """The whole answer, whoever asks."""
    data = await page.collect(context, visit)
    if view is PageFormat.HTML and getattr(data, "error", None):
        view = PageFormat.TEXT
    headers = {"Cache-Control": "no-store"}
    attachment = page.attachment(data)
    if attachment is not None:
        return _attached(attachment, page.status(data), headers)
    if view is PageFormat.HTML:
        from edge.builtin.html import CONTENT_SECURITY_POLICY

        policy = CONTENT_SECURITY_POLICY
        if page.policy is not None:
            siblings = (await context.facts.process()).addresses.siblings
            policy = page.policy(replace(visit, siblings=siblings))
        # To this server alone pages say where they are: links and forms that change something are known by it.
        headers |= {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
    # What an upstream has said may be no UTF-8; a lone surrogate is shown as JSON, too, has it.
    body = (await joined(pieces(page, view, data, visit))).encode("utf-8", "backslashreplace")
    return web.Response(
        status=page.status(data), body=body, content_type=_CONTENT_TYPES[view], charset="utf-8", headers=headers
    )


def _attached(attachment: Attachment, code: int, headers: dict[str, str]) -> web.Response:
    if attachment.name:
        headers["Content-Disposition"] = f'attachment; filename="{attachment.name}"'
    is_bare_text = attachment.content_type.startswith("text/") and ";" not in attachment.content_type
    headers["Content-Type"] = attachment.content_type + ("; charset=utf-8" if is_bare_text else "")
    return web.Response(status=code, body=attachment.body, headers=headers)


def _refused(page: Page[Any], visit: Visit, request: web.BaseRequest) -> web.Response | None:
    """The answer to who may not look here, or not change anything; None for who may."""
    connection, refusal = cast(HttpConnection, request.protocol), None
    if page.changes(visit):
        if request.method == "HEAD":  # a safe method, RFC 9110 §9.2.1: nothing is done for who only looks
            return web.Response(status=405, text="HEAD does nothing here: ask by GET\n", headers={"Allow": "GET"})
        refusal = change_refusal_of(request)
    elif page.is_guarded and not page.is_for_any_name and is_of_browser(request):
        refusal = host_refusal(request, connection.config)
    if refusal is None:
        return None
    connection.report(refusal.reason, refusal.text)
    return web.Response(status=refusal.status, text=f"{refusal.text}\n")


def _visit(page: Page[Any], request: web.BaseRequest, target: Target, view: PageFormat) -> Visit:
    host = host_name_of(request) or ""
    return Visit(
        host,
        request.secure,
        authority=request.headers["Host"] if host else "",
        path=target.path.removeprefix("/").partition("/")[2] if page.has_paths else "",
        query=target.raw_query,
        peer=cast(HttpConnection, request.protocol).peer,
        view=view,
        accept=",".join(request.headers.getall("Accept", ())),
    )


def _routes(page: Page[Any], context: PageContext, *, is_json: bool) -> list[Route]:
    """The page, and all below it if it has paths; as JSON it has none, since ``.json`` may end a stream's name."""

    async def handle(request: web.BaseRequest, target: Target) -> web.StreamResponse:
        view = PageFormat.JSON
        if not is_json:
            view = choose_format(
                page,
                asked=target.argument("format"),
                accept=request.headers.get("Accept", ""),
                user_agent=request.headers.get("User-Agent", ""),
                console=target.argument("console"),
            )
        visit = _visit(page, request, target, view)
        if (refused := _refused(page, visit, request)) is not None:
            return refused
        if view is PageFormat.HTML:
            await _load_html()
        return await answer_of(page, view, context, visit)

    path = page.path if not is_json else f"{page.path if page.path != '/' else '/index'}.json"
    paths = [path, f"{path}/*"] if page.has_paths and not is_json else [path]
    return [Route(path, handle, is_guarded=page.is_guarded, methods=page.methods) for path in paths]


def site_routes(context: PageContext) -> list[Route]:
    """Return the rows of all pages, each as it is and with ``.json``, and of the files that they load."""
    pages = [*PAGES.values(), PLAY_HLS]
    routes = [row for page in pages for is_json in (False, True) for row in _routes(page, context, is_json=is_json)]
    (index_page,) = _routes(PAGES["/"], context, is_json=False)
    alias = Route("/index", index_page.handler, is_guarded=index_page.is_guarded)
    return [*routes, alias, *asset_routes()]
