from __future__ import annotations

import json
import logging
import re
import time

import pytest

from edge.builtin.page import PageContext, PageFormat, Visit
from edge.builtin.query import BadQueryError
from edge.builtin.rpcz import RPCZ, RpczData, collect, elapsed, parse_time, shown_time
from edge.builtin.site import render, site_routes
from edge.service.spans import CLIENT, SERVER, SpanRing
from tests.builtin import sample
from tests.harness.at_once import at_once
from tests.httpd.serving import serving, status_of


def filled() -> tuple[PageContext, SpanRing]:
    """Three spans: a connect, a refused play, and a pull with a step."""
    context = sample.context()
    ring = context.debugging().spans
    ring.is_on = True
    ring.begun(SERVER, "rtmp.connect", 3, peer="10.0.0.9:5", log_id=7).end(request_bytes=3200)
    ring.begin(SERVER, "service.play", "_/live/a", peer="10.0.0.9:5", log_id=7).end("not_found")
    span = ring.begin(CLIENT, "upstream.pull", "_/live/a", peer="10.0.0.1:1935", hops=("n1", "n2"))
    span.note("accepted")
    span.end()
    return context, ring


def shown(context: PageContext, query: str = "", path: str = "") -> RpczData:
    return at_once(collect(context, Visit(path=path, query=query, peer="10.9.9.9:1")))


def methods(context: PageContext, query: str) -> list[str]:
    return [row.method.partition(".")[2] for row in shown(context, query).spans]


def test_a_line_per_span_as_brpc_writes_it() -> None:
    context, _ = filled()
    pull, play, connect = RPCZ.text(shown(context)).splitlines()
    form = (
        r"\d{4}/\d\d/\d\d-\d\d:\d\d:\d\d\.\d{6} {5,} ?\.\d{6} S trace=[0-9a-f]+ span=[0-9a-f]+ log_id=7 "
        r"rtmp\.connect\(3200\)=0 \[OK\] - 10\.0\.0\.9:5"
    )
    assert re.fullmatch(form, connect), connect
    assert play.endswith("service.play(0)=0 [not_found] _/live/a 10.0.0.9:5")
    assert " C " in pull and pull.endswith("[OK] _/live/a 10.0.0.1:1935 hops=n1,n2")


def test_one_trace_has_its_steps() -> None:
    context, _ = filled()
    trace = shown(context).spans[0].trace
    text = RPCZ.text(shown(context, f"trace={trace}"))
    assert len(text.splitlines()) == 3 and text.splitlines()[1].endswith("... accepted")
    span = shown(context).spans[0].span
    assert len(shown(context, f"trace={trace}&span={span}").spans) == 1
    html = render(RPCZ, PageFormat.HTML, shown(context, f"trace={trace}"))
    assert "accepted" in html and "service.play" in html
    told = json.loads(render(RPCZ, PageFormat.JSON, shown(context)))
    assert told["spans"][0]["notes"][0]["text"] == "accepted" and told["spans"][0]["hops"] == ["n1", "n2"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["pull", "play", "connect"]),
        ("max_scan=1", ["pull"]),
        ("max_scan=0", ["pull"]),
        ("max_scan=2&log_id=7", ["play"]),
        ("log_id=7", ["play", "connect"]),
        ("min_latency=3000", ["connect"]),
        ("min_request_size=3200", ["connect"]),
        ("min_response_size=1", []),
        ("error_code=0", ["pull", "connect"]),
        ("error_code=1", ["play"]),
        ("error_code=not_found", ["play"]),
        ("error_code=other", []),
        ("time=2001/01/01-00:00:00", []),
        ("time=2099/01/01-00:00:00.5", ["pull", "play", "connect"]),
        ("trace=0", []),
    ],
)
def test_filters(query: str, found: list[str]) -> None:
    context, _ = filled()
    assert methods(context, query) == found
    if not found:
        assert RPCZ.text(shown(context, query)) == "Fail to find matched spans\n"


@pytest.mark.parametrize(
    "query",
    [
        *("max_scan=x", "min_latency=nan", "log_id=", "trace=zz", "trace=", "time=x", "time=2026/13/01-00:00:00"),
        *("time=25:00:00", "time=2026/01/01-00:00:00.x", "time=" + "9" * 500, "span=%3Cscript%3E"),
    ],
)
def test_what_is_no_filter(query: str) -> None:
    context, _ = filled()
    data = shown(context, query)
    assert RPCZ.status(data) == 400 and "script" not in RPCZ.text(data)


def test_times_come_back() -> None:
    now_us = 1_767_000_000_123_456
    assert parse_time(shown_time(now_us), 0) == now_us
    clock = time.strftime("%H:%M:%S", time.localtime(now_us / 1e6))
    assert parse_time(clock, now_us) == now_us // 1_000_000 * 1_000_000
    with pytest.raises(BadQueryError):
        parse_time("", now_us)


@pytest.mark.parametrize(("us", "text"), [(49, "     .000049"), (1_500_000, "    1.500000"), (0, "     .000000")])
def test_elapsed(us: int, text: str) -> None:
    assert elapsed(us) == text


def test_off_says_how_to_switch_it_on() -> None:
    data = shown(sample.context())
    assert not data.is_on and "/rpcz/enable" in RPCZ.text(data)
    assert 'href="/rpcz/enable"' in render(RPCZ, PageFormat.HTML, data)


def test_stats_and_what_is_no_page() -> None:
    context, _ = filled()
    assert RPCZ.text(shown(context, path="stats")).startswith("held_count: 3\nmax_spans: 2000\n")
    assert RPCZ.status(shown(context, path="x")) == 404


@pytest.mark.parametrize("view", ["json", "html", "text"])
async def test_words_of_an_upstream_that_are_no_utf8_are_no_fault_of_the_page(view: str) -> None:
    context, ring = filled()
    ring.begin(CLIENT, "upstream.pull", "_/live/a", peer="10.0.0.1:1935").end("refused: a\udced\udcffb")
    async with serving(routes=site_routes(context)) as server:
        answer = await server.get(f"/rpcz?format={view}")
    sign = b"\\u" if view == "json" else b"\\x"
    assert status_of(answer) == 200 and b"refused: a" + sign + b"dced" + sign + b"dcffb" in answer


def test_X6_markup_is_escaped_and_a_line_stays_one() -> None:
    context, ring = filled()
    span = ring.begin(SERVER, sample.EVIL, f"{sample.EVIL}\n", peer=sample.EVIL, hops=(sample.EVIL,))
    span.note(sample.EVIL)
    span.end(sample.EVIL)
    newest = shown(context).spans[0]
    html = render(RPCZ, PageFormat.HTML, shown(context, f"trace={newest.trace}"))
    assert "<script" not in html and html.count("&lt;script&gt;") == 6
    assert len(RPCZ.text(shown(context, "max_scan=1")).splitlines()) == 1


async def test_X4_switched_by_who_may(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    context = sample.context()
    ring = context.debugging().spans
    async with serving(routes=site_routes(context)) as server:
        assert status_of(await server.get("/rpcz/enable", headers="Origin: http://evil\r\n")) == 403
        assert status_of(await server.get("/rpcz/enable", headers="Via: 1.1 proxy\r\n")) == 403
        assert not ring.is_on
        assert status_of(await server.get("/rpcz/enable")) == 200
        assert ring.is_on
        assert status_of(await server.get("/rpcz", headers="Origin: http://evil\r\n")) == 200
        assert status_of(await server.get("/rpcz/disable")) == 200
    assert not ring.is_on
    assert "rpcz enabled peer=127.0.0.1:" in caplog.text and "rpcz disabled peer=" in caplog.text
