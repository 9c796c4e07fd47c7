from __future__ import annotations

import pytest

from edge.builtin.console import CONSOLE, MAX_STREAMS, collect, since_of, text
from edge.builtin.page import PageFormat, Visit
from edge.builtin.site import render
from edge.facts.rows import row_of
from tests.builtin import sample
from tests.harness.at_once import at_once


def test_json_has_what_the_page_is_made_of() -> None:
    data = at_once(
        collect(sample.context(last_hour=[sample.taken(10), sample.taken(20)]), Visit("h", query="since=10"))
    )
    row = row_of(data)
    assert (row["stream_count"], row["live_count"], row["player_count"]) == (1, 1, 3)
    assert [each["at_s"] for each in row["samples"]] == [20]
    assert row["totals"] == {"received_bytes": 5, "sent_bytes": 15, "cpu_ms": 250, "uptime_ms": 12_000}
    assert row["audience"] == [{"protocol": "http-flv", "player_count": 3}]
    assert row["publish_url"] == "rtmp://h:8079/live/livestream"
    (stream,) = row["streams"]
    assert (stream["key"], stream["shown_state"], stream["level"]) == ("_/live/a", "live", "good")
    assert (stream["preview_kind"], stream["preview_source"]) == ("flv", "/live/a.flv?vhost=_")
    assert stream["player_page"] == "/play/live/a?vhost=_"


def test_the_detail_is_told_how_long_frames_take() -> None:
    timed = {"ingest_delay_ms": 3.0, "hop_delays_ms": (4.0, 8.0), "delay_ms": 12.0, "flush_delay_ms": 9.0}
    found = [sample.stream(), sample.stream("b", **timed, is_delay_whole=True)]
    rows = row_of(at_once(collect(sample.context(streams=found), Visit("h"))))["streams"]
    assert [row["delay_text"] for row in rows] == ["", "12 ms here, by hop 4 + 8 ms, ingest 3 ms, flush 9 ms"]


@pytest.mark.parametrize(
    ("addresses", "kind", "source"),
    [
        ({"has_flv": False}, "hls", "/live/a%20b%3F.m3u8?vhost=_"),
        ({"has_flv": False, "has_hls": False}, "", ""),
        ({}, "flv", "/live/a%20b%3F.flv?vhost=_"),
    ],
)
def test_what_plays_the_preview(addresses: dict[str, bool], kind: str, source: str) -> None:
    context = sample.context(addresses=addresses, streams=[sample.stream("a b?")])
    (stream,) = at_once(collect(context, Visit("h"))).streams
    assert (stream.preview_kind, stream.preview_source) == (kind, source)


@pytest.mark.parametrize(
    ("query", "since"),
    [("", 0), ("since=12", 12), ("since=-1", 0), ("since=x", 0), (f"since={'9' * 5000}", 0), ("since=%D9%A3", 0)],
)
def test_since(query: str, since: int) -> None:
    assert since_of(Visit(query=query)) == since


def test_many_streams_are_counted_and_some_shown() -> None:
    many = [sample.stream(f"s{number}", players=number % 7) for number in range(MAX_STREAMS + 20)]
    data = at_once(collect(sample.context(streams=many), Visit("h")))
    assert (len(data.streams), data.stream_count) == (MAX_STREAMS, MAX_STREAMS + 20)
    assert data.streams[0].players == 6
    assert "... and 20 more" in render(CONSOLE, PageFormat.HTML, data)


def test_an_empty_server_shows_how_to_publish() -> None:
    data = at_once(collect(sample.context(streams=[], audience=[]), Visit("10.1.2.3")))
    html = render(CONSOLE, PageFormat.HTML, data)
    assert '<div id="empty" class="card">' in html
    assert "-c copy -f flv rtmp://10.1.2.3:8079/live/livestream</code>" in html
    assert html.count("data-copies=") == 3
    busy = render(CONSOLE, PageFormat.HTML, at_once(collect(sample.context(), Visit("h"))))
    assert '<div id="empty" class="card" hidden>' in busy and "_/live/a" in busy


def test_what_keeps_traffic_away_is_said() -> None:
    context = sample.context(readiness={"is_ready": False, "reasons": ("draining",)})
    html = render(CONSOLE, PageFormat.HTML, at_once(collect(context, Visit("h"))))
    assert 'role="alert">draining</p>' in html


def test_nothing_is_inline_and_the_policy_says_so() -> None:
    html = render(CONSOLE, PageFormat.HTML, at_once(collect(sample.context(), Visit("h"))))
    assert "<style" not in html and " style=" not in html and " onclick" not in html
    assert html.count("<script") == 1
    assert CONSOLE.policy is not None
    policy = CONSOLE.policy(Visit(authority="h:80"))
    assert "default-src 'none'" in policy and "unsafe" not in policy and "media-src 'self' blob:" in policy


def test_text_is_a_screenful() -> None:
    context = sample.context(servers=[sample.server(state="isolated", last_error="refused")])
    shown = text(at_once(collect(context, Visit("h"))))
    assert "streams: 1 live of 1\nplayers: 3\nmedia in: 1.3 Mbit/s\n" in shown
    assert "[players]\nprotocol  player_count\nhttp-flv  3\n" in shown
    assert "10.0.0.1:1935  pull+push  isolated  refused" in shown
