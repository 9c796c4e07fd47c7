from __future__ import annotations

import asyncio
import json

import pytest

from edge.builtin import iobuf
from edge.builtin.iobuf import IOBUF, BufferData
from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.sockets import SOCKETS
from tests.builtin import sample
from tests.builtin.listed import FakeConnection, connections
from tests.harness.at_once import at_once


def collected(*given: FakeConnection) -> BufferData:
    context = sample.context(debugging=sample.debugging(connections=connections(*given)))
    return at_once(iobuf.collect(context, Visit()))


def test_connections_for_which_most_waits_come_first_and_all_are_added_up() -> None:
    data = collected(
        FakeConnection(1, unsent_bytes=5),
        FakeConnection(2, queued_bytes=10, behind_bytes=90),
        FakeConnection(3, queued_bytes=50, unsent_bytes=7),
        FakeConnection(4),
    )
    assert [row.id for row in data.rows] == [2, 3, 1, 4]
    assert (data.connection_count, data.queued_bytes, data.behind_bytes, data.unsent_bytes) == (4, 60, 90, 12)
    lines = IOBUF.text(data).splitlines()
    assert lines[:2] == ["connection_count: 4", "queued_bytes: 60"]
    assert lines[6].split() == ["2", "10.0.0.9:51234", "rtmp", "play", "10", "90", "0"]
    assert json.loads(render(IOBUF, PageFormat.JSON, data))["rows"][0]["behind_bytes"] == 90
    assert 'href="/sockets/2"' in render(IOBUF, PageFormat.HTML, data)


def test_rows_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iobuf, "MAX_SHOWN", 2)
    data = collected(*(FakeConnection(number, queued_bytes=1) for number in range(5)))
    assert (len(data.rows), data.queued_bytes) == (2, 5)
    assert IOBUF.text(data).endswith("... and 3 more\n")
    assert "... and 3 more" in render(IOBUF, PageFormat.HTML, data)


async def test_others_have_their_turn_while_thousands_of_sockets_are_asked() -> None:
    given = connections(*(FakeConnection(number) for number in range(200)))
    turns: list[int] = []
    for page in (IOBUF, SOCKETS):
        turns.clear()
        asyncio.get_running_loop().call_soon(turns.append, 1)
        await page.collect(sample.context(debugging=sample.debugging(connections=given)), Visit())
        assert turns, page.path


def test_X6_markup_is_escaped() -> None:
    html = render(IOBUF, PageFormat.HTML, collected(FakeConnection(1, is_evil=True)))
    assert "<script" not in html and html.count("&lt;script&gt;") == 3


def test_none() -> None:
    assert IOBUF.text(collected()).endswith("unsent_bytes: 0\n")
