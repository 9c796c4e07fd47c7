from __future__ import annotations

import pytest

from edge.builtin.index import INDEX, collect, http_path, play_path, text
from edge.builtin.page import PAGES, PageFormat, Visit
from edge.builtin.site import render
from tests.builtin import sample
from tests.harness.at_once import at_once


@pytest.mark.parametrize(
    ("visited", "port", "server"),
    [
        ("edge1.example", 8079, "rtmp://edge1.example:8079/live"),
        ("[::1]", 1935, "rtmp://[::1]/live"),
        ("", 8079, "rtmp://media1:8079/live"),
    ],
)
def test_addresses_use_the_name_the_visitor_used(visited: str, port: int, server: str) -> None:
    context = sample.context(addresses={"rtmp_port": port})
    data = at_once(collect(context, Visit(host=visited)))
    assert data.publish_server == server
    assert data.publish_url == f"{server}/livestream"


@pytest.mark.parametrize(
    ("visited", "vhost", "path"),
    [
        ("10.0.0.1", "_", "live/a"),
        ("media1", "_", "live/a"),
        ("localhost", "v.example", "live/a?vhost=v.example"),
        ("V.example", "v.example", "live/a"),
        ("edge1.example", "_", "live/a?vhost=_"),
    ],
)
def test_play_url_names_the_vhost_unless_its_host_does(visited: str, vhost: str, path: str) -> None:
    context = sample.context(addresses={"rtmp_port": 1935}, streams=[sample.stream(vhost=vhost)])
    row = at_once(collect(context, Visit(host=visited))).streams[0]
    assert row.play_url == f"rtmp://{visited}/{path}"


def test_play_url_by_http_is_of_the_port_that_plays() -> None:
    urls = {"rtmp_port": 1935, "http_port": 80}
    context = sample.context(addresses=urls, streams=[sample.stream(vhost="v.example")])
    data = at_once(collect(context, Visit(host="10.0.0.1")))
    assert data.flv_url == "http://10.0.0.1/live/livestream.flv"
    assert data.streams[0].flv_url == "http://10.0.0.1/live/a.flv?vhost=v.example"
    assert "ffplay http://10.0.0.1/live/livestream.flv" in text(data)
    context = sample.context(addresses={**urls, "has_flv": False, "has_hls": False})
    data = at_once(collect(context, Visit(host="10.0.0.1")))
    assert (data.flv_url, data.streams[0].flv_url) == ("", "")
    assert "http://" not in text(data)


@pytest.mark.parametrize(("is_encrypted", "is_tls_forced"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("port", "place"), [(443, "h"), (1935, "h:1935"), (80, "h:80")])
def test_addresses_are_of_tls_for_who_came_so_or_must(
    is_encrypted: bool, is_tls_forced: bool, port: int, place: str
) -> None:
    urls = {"rtmp_port": port, "http_port": port, "is_tls_forced": is_tls_forced}
    data = at_once(collect(sample.context(addresses=urls), Visit("h", is_encrypted)))
    assert data.publish_server == f"rtmps://{place}/live"
    assert data.streams[0].flv_url.startswith(f"https://{place}/live/a.flv")


def test_play_path_takes_streams_without_a_vhost() -> None:
    assert play_path("", "live", "a", "_") == "live/a"


def test_text_shows_how_to_publish_and_what_is_on() -> None:
    shown = text(at_once(collect(sample.context(), Visit(host="h"))))
    assert "ffmpeg -re -i file.mp4 -c copy -f flv rtmp://h:8079/live/livestream" in shown
    assert "_/live/a: rtmp://h:8079/live/a?vhost=_" in shown
    assert "play:    ffplay rtmp://h:8079/live/livestream\n         ffplay http://h:8079/live/livestream.flv\n" in shown
    assert "         ffplay http://h:8079/live/livestream.m3u8\n\n" in shown


def test_all_pages_are_listed_with_what_they_are_there_for() -> None:
    data = at_once(collect(sample.context(), Visit(host="h")))
    listed = text(data).partition("[pages]\n")[2].splitlines()
    others = sorted(path for path in PAGES if path != "/")
    assert listed == [f"{path}: {PAGES[path].about or PAGES[path].title}" for path in others]
    html = render(INDEX, PageFormat.HTML, data)
    assert '<a href="/console">Open the console</a>' in html and "livestream.m3u8" in html
    for path in others:
        assert (f'<a href="{path}">{path}</a>' in html) is ("GET" in PAGES[path].methods)


def test_outputs_that_are_off_have_no_line() -> None:
    addresses = {"has_flv": False, "has_hls": False, "has_ts": False}
    data = at_once(collect(sample.context(addresses=addresses), Visit(host="h")))
    assert (data.flv_url, data.ts_url, data.hls_url) == ("", "", "")
    assert ".m3u8" not in text(data) and ".flv" not in text(data)


def test_text_tells_what_the_server_is() -> None:
    urls = {"role": "edge", "proxy_to": "list://a:1935,b:1935"}
    assert "(origin)" in text(at_once(collect(sample.context(), Visit())))
    assert "(edge of list://a:1935,b:1935)" in text(at_once(collect(sample.context(addresses=urls), Visit())))


def test_streams_that_are_not_live_and_pushes_that_do_not_get_through_are_remarked() -> None:
    push = {"push_state": "retrying", "push_to": "10.0.0.1:1935", "push_state_s": 61, "push_error": "refused\n"}
    rows = [sample.stream(), sample.stream("b", state="retrying"), sample.stream("c", **push)]
    data = at_once(collect(sample.context(streams=rows), Visit(host="h")))
    lines = text(data).splitlines()
    assert "[streams] 1 live of 3" in lines
    assert [line.partition("?vhost=_")[2] for line in lines if line.startswith("_/live/")] == [
        "",
        " (retrying)",
        " (push retrying to 10.0.0.1:1935 for 1 min 1 s: refused\\x0a)",
    ]
    html = render(INDEX, PageFormat.HTML, data)
    assert "Live streams <small>1 of 3</small>" in html and "push to 10.0.0.1:1935 retrying for 1 min 1 s" in html


def test_http_path_escapes_what_a_url_may_not_hold() -> None:
    row = sample.stream("x/100%;#1", vhost="v.example", app="a b")
    assert http_path(row, "v.example") == "a%20b/x/100%25%3B%231.flv"
    assert http_path(row, "_") == "a%20b/x/100%25%3B%231.flv?vhost=v.example"
