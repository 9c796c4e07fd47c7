from __future__ import annotations

import pytest

from edge.builtin.page import PAGES, Page, PageFormat, choose_format, register

WITH_HTML = Page("/x", "X", lambda _context, _visit: {}, lambda _data: "", template="x.html")
WITHOUT_HTML = Page("/y", "Y", lambda _context, _visit: {}, lambda _data: "", plain_format=PageFormat.JSON)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.parametrize(
    ("asked", "accept", "user_agent", "view"),
    [
        (None, "*/*", "curl/8.5.0", PageFormat.TEXT),
        (None, "", "", PageFormat.TEXT),
        (None, "text/html,application/xhtml+xml", FIREFOX, PageFormat.HTML),
        (None, "*/*", FIREFOX, PageFormat.HTML),
        (None, "application/json", "curl/8.5.0", PageFormat.JSON),
        ("json", "text/html", FIREFOX, PageFormat.JSON),
        ("text", "text/html", FIREFOX, PageFormat.TEXT),
        ("html", "*/*", "curl/8.5.0", PageFormat.HTML),
        ("<script>", "*/*", "curl/8.5.0", PageFormat.TEXT),
    ],
)
def test_view_by_wish_then_accept_then_client(
    asked: str | None, accept: str, user_agent: str, view: PageFormat
) -> None:
    assert choose_format(WITH_HTML, asked=asked, accept=accept, user_agent=user_agent) is view


@pytest.mark.parametrize("asked", [None, "html"])
def test_without_html_a_browser_gets_the_plain_format(asked: str | None) -> None:
    assert choose_format(WITHOUT_HTML, asked=asked, accept="text/html", user_agent=FIREFOX) is PageFormat.JSON


def test_a_path_is_registered_once() -> None:
    page = next(iter(PAGES.values()), None) or register(WITH_HTML)
    with pytest.raises(ValueError, match=page.path):
        register(page)
