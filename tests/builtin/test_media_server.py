"""media-server's pages: texts, widths and formulas of its own."""

from __future__ import annotations

import re
import time

import pytest

from edge.builtin.media_server import (
    MAX_PLAYERS,
    MEDIA_SERVER,
    PLAYERS,
    collect,
    collect_players,
    collect_urls,
    created_time,
    fluency,
    players_text,
    text,
    urls_of,
    urls_text,
)
from edge.builtin.page import PageContext, PageFormat, Visit
from edge.builtin.site import render
from tests.builtin import sample
from tests.harness.at_once import at_once

HEAD = "CreatedTime               |From               |Key       |Gop |F/s|Video B/s|Audio B/s|Play|Fluency|\n"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def shown(context: PageContext) -> str:
    return text(at_once(collect(context, Visit())))


def test_the_table() -> None:
    row = "2026/11/30-16:36:20.123000|10.0.0.9:51234     |_/live/a  |50  |25 |150000   |8000     |3   |99.5%  |\n"
    assert shown(sample.context()) == HEAD + row
    assert shown(sample.context(streams=[])) == HEAD


def test_a_long_key_widens_its_column() -> None:
    lines = shown(sample.context(streams=[sample.stream("a-rather-long-name"), sample.stream("b")])).splitlines()
    assert lines[0].startswith(f"{'CreatedTime':26}|{'From':19}|{'Key':25}|Gop |")
    assert [len(line) for line in lines] == [len(lines[0])] * 3


def test_streams_go_by_the_bytes_of_their_keys() -> None:
    names = ["b", "é", "a", "Z", "z"]
    keys = [
        line.split("|")[2].strip() for line in shown(sample.context(streams=map(sample.stream, names))).splitlines()
    ]
    assert keys[1:] == ["_/live/Z", "_/live/a", "_/live/b", "_/live/z", "_/live/é"]


def test_an_edge_says_where_it_pulls_from_and_each_service_has_its_table() -> None:
    services = [
        sample.service(service="front", role="edge", pulls_from="127.0.0.1:1936"),
        sample.service(service="merge", role="edge", pulls_from="list://a:1935"),
    ]
    streams = [sample.stream("a", service="front"), sample.stream("b", service="merge")]
    lines = shown(sample.context(services=services, streams=streams)).splitlines()
    assert lines[0] == "[ proxy_to: 127.0.0.1:1936 ]" and "_/live/a" in lines[2]
    assert lines[3] == "[ proxy_to: list://a:1935 ]" and "_/live/b" in lines[5]


def test_a_stream_that_nobody_feeds() -> None:
    stream = sample.stream(publisher="", fps=None, fluency_pct=None, gop=0, video_bps=0, audio_bps=0)
    row = shown(sample.context(streams=[stream])).splitlines()[1]
    assert row.endswith("|0.0.0.0:0          |_/live/a  |0   |0  |0        |0        |3   |-      |")


@pytest.mark.parametrize(
    ("fps", "known", "words"),
    [
        (25, 99.5, "99.5%"),
        (25, 1234.5, "1234.5%"),  # it had no room for it
        (15, None, "100.0%*"),
        (22, None, "146.7%*"),
        (23, None, "76.7%*"),
        (30, None, "100.0%*"),
        (0, None, "-"),
        (None, None, "-"),
        (0, 0.0, "0.0%"),
    ],
)
def test_fluency(fps: int | None, known: float | None, words: str) -> None:
    assert fluency(sample.stream(fps=fps, fluency_pct=known)) == words


def test_created_time_has_six_digits_behind_the_second() -> None:
    assert created_time(1_796_056_580_007) == "2026/11/30-16:36:20.007000"


def test_html_is_sorted_in_the_browser_and_leads_to_the_players() -> None:
    data = at_once(collect(sample.context(streams=[sample.stream("a b")]), Visit()))
    html = render(MEDIA_SERVER, PageFormat.HTML, data)
    assert '<table class="gridtable sortable">' in html and 'src="/-/player/sort.js"' in html
    assert '<a href="/players/_/live/a%20b">3</a>' in html
    assert 'href="/play_hls?fileUrl=http%3A//media1%3A8079/live/a%2520b.m3u8"' in html
    assert 'http-equiv="refresh"' not in html, "what somebody has sorted is not to jump"


@pytest.mark.parametrize(
    ("vhost", "rtmp", "flv"),
    [
        ("_", "rtmp://media1:8079/live/a", "http://media1:8079/live/a.flv"),
        ("v.example", "rtmp://media1:8079/live?vhost=v.example/a", "http://media1:8079/live/a.flv%3Fvhost=v.example"),
    ],
)
def test_urls(vhost: str, rtmp: str, flv: str) -> None:
    urls = urls_of(vhost, "live", "a", sample.ADDRESSES)
    assert (urls.rtmp, urls.flv, urls.hls) == (rtmp, flv, flv.replace(".flv", ".m3u8"))


def test_urls_of_a_stream() -> None:
    lines = urls_text(at_once(collect_urls(sample.context(), Visit(path="_/live/a"))))
    assert lines == (
        "rtmp: http://cyberplayer.bcelive.com/live/index.html?fileUrl=rtmp://media1:8079/live/a\n"
        "flv:  http://cyberplayer.bcelive.com/live/index.html?fileUrl=http://media1:8079/live/a.flv&isLive=true\n"
        "hls:  http://media1:8079/play_hls?fileUrl=http://media1:8079/live/a.m3u8\n"
    )
    assert urls_text(at_once(collect_urls(sample.context(), Visit(path="_/live/x")))) == "No players on _/live/x\n"


def players_of(context: PageContext, path: str = "_/live/a") -> str:
    return players_text(at_once(collect_players(context, Visit(path=path))))


def test_players_of_a_stream() -> None:
    lines = players_of(sample.context()).splitlines()
    assert lines[0] == "[ _/live/a ]"
    names = [line.partition("=")[0] for line in lines[1 : lines.index("")]]
    assert names == [
        *("index", "remote_side", "player_group_create", "publisher_create", "last_push_time", "last_push_to_now"),
        *("last_message_timestamp", "cached", "keyframes", "metadata", "avc_seq_header", "aac_seq_header"),
    ]
    assert "last_push_to_now=12ms" in lines and "cached=125" in lines
    assert re.fullmatch(
        r"0\) 10\.0\.0\.8:40000 c8 http-flv \d{4}/\d\d/\d\d-[\d:.]{15} play_delay=3ms "
        r"sent=3500000 behind=40ms jumps=0 \[FlvDownloader\]",
        lines[-1],
    )


def test_how_long_frames_take_to_here_is_told_once_it_is_known() -> None:
    timed = {"ingest_delay_ms": 3.0, "hop_delays_ms": (4.0, 8.0), "delay_ms": 12.0, "is_delay_whole": True}
    lines = players_of(sample.context(streams=[sample.stream(**timed)])).splitlines()
    assert lines[lines.index("") - 1] == "delay=12 ms here, by hop 4 + 8 ms, ingest 3 ms"
    assert "\ndelay=" not in players_of(sample.context())


@pytest.mark.parametrize("host", ["", "media1", "v.example", "w.example"])
def test_a_stream_is_found_in_short_and_by_its_key_first(host: str) -> None:
    other = sample.stream(key="v.example/live/a", vhost="v.example")
    context = sample.context(
        streams=[sample.stream(), other], details=[sample.details(), sample.details(key=other.key)]
    )
    meant = other.key if host == other.vhost else "_/live/a"
    visit = Visit(host, path="live/a")
    assert at_once(collect_players(context, visit)).key == at_once(collect_urls(context, visit)).key == meant
    assert players_text(at_once(collect_players(context, visit))).startswith(f"[ {meant} ]\n")
    same = sample.context(streams=[sample.stream(), sample.stream(key="live/a", vhost="live", app="a", stream="")])
    assert at_once(collect_urls(same, visit)).key == "live/a"


def test_players_of_no_stream() -> None:
    assert players_of(sample.context(), "_/live/x") == "No players on _/live/x\n"
    assert players_of(sample.context(), "a\x1b[1m") == "No players on a\\x1b[1m\n"


def test_a_stream_that_has_sent_nothing() -> None:
    silent = sample.details(
        publisher="", publisher_age_ms=None, last_media_age_ms=None, metadata=(), video_header="", audio_header=""
    )
    lines = players_of(sample.context(details=[silent], players=[])).splitlines()
    assert {"remote_side=0.0.0.0:0", "last_push_time=<never pushed>", "metadata=null", "avc_seq_header=null"} <= set(
        lines
    )


def test_many_players_are_counted() -> None:
    many = [sample.player(number) for number in range(MAX_PLAYERS + 5)]
    context = sample.context(players=many, streams=[sample.stream(players=MAX_PLAYERS + 5)])
    assert players_of(context).endswith("... and 5 more\n")


def test_the_page_of_players_is_text_for_browsers_too() -> None:
    assert PLAYERS.template == ""
