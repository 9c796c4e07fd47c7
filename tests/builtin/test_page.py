from __future__ import annotations

import pytest

from edge.builtin.page import PAGES, Data, Page, PageContext, PageFormat, Visit, choose_format, register


async def collect(_context: PageContext, _visit: Visit) -> Data:
    return {}


WITH_HTML = Page("/x", "X", collect, lambda _data: "", template="x.html")
WITHOUT_HTML = Page("/y", "Y", collect, lambda _data: "", plain_format=PageFormat.JSON)
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


@pytest.mark.parametrize(
    ("console", "view"),
    [
        ("1", PageFormat.TEXT),
        ("-1", PageFormat.TEXT),
        ("007", PageFormat.TEXT),
        ("0", PageFormat.HTML),
        ("00", PageFormat.HTML),
        ("", PageFormat.HTML),
        ("x", PageFormat.HTML),
        ("1.5", PageFormat.HTML),
        ("٣", PageFormat.HTML),
    ],
)
def test_console_of_brpc_chooses_text_by_any_number_but_0(console: str, view: PageFormat) -> None:
    for agent, accept in ((FIREFOX, "text/html"), ("curl/8.5.0", "*/*"), ("", "application/json")):
        assert choose_format(WITH_HTML, asked=None, console=console, accept=accept, user_agent=agent) is view
    assert choose_format(WITH_HTML, asked="json", console=console, accept="", user_agent="") is PageFormat.JSON


def test_console_of_a_page_without_html() -> None:
    assert choose_format(WITHOUT_HTML, asked=None, console="0", accept="", user_agent="") is PageFormat.JSON
