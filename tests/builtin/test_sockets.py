from __future__ import annotations

import json

import pytest

from edge.builtin import sockets
from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.builtin.sockets import HINT, SOCKETS, SocketsData
from tests.builtin import sample
from tests.builtin.listed import FakeConnection, connections
from tests.harness.at_once import at_once


def collected(path: str, *given: FakeConnection) -> SocketsData:
    context = sample.context(debugging=sample.debugging(connections=connections(*given)))
    return at_once(sockets.collect(context, Visit(path=path)))


@pytest.mark.parametrize("path", ["9", "c9", "009"])
def test_one_connection_with_all_that_is_known(path: str) -> None:
    data = collected(path, FakeConnection(8), FakeConnection(9, queued_bytes=77))
    lines = SOCKETS.text(data).splitlines()
    assert lines[:2] == ["number=9", "peer=10.0.0.9:51234"]
    assert {"keys=_/live/a", "queued_bytes=77", "tcp_rtt_us=23", "unacknowledged_bytes=-", "is_blocked=yes"} <= set(
        lines
    )
    assert json.loads(render(SOCKETS, PageFormat.JSON, data))["socket"]["tcp_retransmitted"] == 3
    assert "<dd>77</dd>" in render(SOCKETS, PageFormat.HTML, data)
    assert SOCKETS.status(data) == 200


def test_without_a_number_all_are_counted() -> None:
    data = collected("", FakeConnection(1), FakeConnection(2, state="closing"))
    assert SOCKETS.text(data).splitlines()[0] == HINT
    assert "connection_count: 2" in SOCKETS.text(data)
    assert (data.by_state, data.by_protocol) == ({"open": 1, "closing": 1}, {"rtmp": 2})
    assert "<dd>2</dd>" in render(SOCKETS, PageFormat.HTML, data)


def test_one_that_has_gone_is_told_of_in_words() -> None:
    data = collected("5", FakeConnection(1))
    assert (SOCKETS.status(data), SOCKETS.text(data)) == (200, "connection 5 has been closed, or never was\n")
    assert "has been closed" in render(SOCKETS, PageFormat.HTML, data)


@pytest.mark.parametrize("path", ["x", "-1", "1/2", "1.5", "٣", "<script>", "9" * 5000, "cc1"])
def test_what_is_no_number_is_404(path: str) -> None:
    data = collected(path)
    assert SOCKETS.status(data) == 404
    assert "script" not in SOCKETS.text(data)


def test_X6_markup_is_escaped() -> None:
    html = render(SOCKETS, PageFormat.HTML, collected("1", FakeConnection(1, is_evil=True, local=sample.EVIL)))
    assert "<script" not in html and html.count("&lt;script&gt;") == 6
