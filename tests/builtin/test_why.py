from __future__ import annotations

import html
import json

import pytest

from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.why import WHY, asked, collect, policy, text
from tests.builtin import sample


def of(query: str) -> Visit:
    return Visit(host="edge3", query=query)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", ("", "")),
        ("stream=live/cam", ("live/cam", "")),
        ("stream=rtmp%3A%2F%2Fh%2Flive%2Fcam%3Fa%3Db&address=10.0.0.9", ("rtmp://h/live/cam?a=b", "10.0.0.9")),
        ("stream=+live/cam+&stream=", ("", "")),
    ],
)
def test_what_is_asked(query: str, wanted: tuple[str, str]) -> None:
    assert asked(of(query)) == wanted


async def test_text_begins_with_the_sentence_and_gives_advice() -> None:
    lines = text(await collect(sample.context(), of("stream=cam"))).splitlines()
    assert lines[0].startswith("_/live/cam: it does not play: pull: ")
    assert lines[2].startswith("    -> Start that server")
    assert any("a player came" in line and "2 times" in line for line in lines)


async def test_address_has_its_connections_and_causes() -> None:
    shown = text(await collect(sample.context(), of("address=10.0.0.9")))
    assert shown.startswith("10.0.0.9: the newest cause\n")
    assert "-> Use another one." in shown and "connection c7: rtmp play" in shown


async def test_nothing_asked_says_how_to_ask() -> None:
    data = await collect(sample.context(), of(""))
    assert "/why?stream=" in text(data)
    page = render(WHY, PageFormat.HTML, data)
    assert 'name="stream"' in page and 'name="address"' in page and 'method="get"' in page


async def test_secrets_of_the_url_are_not_shown_again() -> None:
    data = await collect(sample.context(), of("stream=rtmp%3A%2F%2Fh%2Flive%2Fcam%3Ftoken%3Dsecret1"))
    assert data.stream == "rtmp://h/live/cam"


@pytest.mark.parametrize("query", ["stream=cam&address=10.0.0.9", "stream=%3Cscript%3E&address=%3Cscript%3E"])
async def test_markup_of_peers_is_shown_and_not_obeyed(query: str) -> None:
    data = await collect(sample.context(), of(query))
    page = render(WHY, PageFormat.HTML, data)
    assert "<script" not in page and html.escape("<script>") in page
    assert json.loads(render(WHY, PageFormat.JSON, data))["about_address"]["causes"]
    assert "\x1b" not in text(data)


async def test_form_leads_to_this_server_only() -> None:
    assert "form-action 'self'" in policy(of("")) and "default-src 'none'" in policy(of(""))
    assert WHY.is_guarded
