"""Bodies byte for byte as SRS's own demonstration servers are sent them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.hooks.event import Action, Event, Segment
from edge.hooks.form import Call
from edge.hooks.srs import OldSrsForm, SrsForm, fill_in

OLD = Event(
    Action.CONNECT,
    client_id="117",
    ip="203.0.113.9",
    vhost="live.example.com",
    app="live",
    stream="cam1",
    page_url="http://www.example.com/a.html",
)
NEW = Event(
    Action.PUBLISH,
    client_id="k3x9q0",
    ip="203.0.113.9",
    vhost="live.example.com",
    app="live",
    stream="cam1",
    param="token=abc",
    tc_url="rtmp://live.example.com/live",
    page_url="http://p/",
    server_id="vid-1a2b",
    service_id="7c31",
    stream_id="vid-9f",
    send_bytes=7,
    recv_bytes=8,
)
SEGMENT = Segment(
    15, 9.96, "./html/live/cam1-15.ts", "live/cam1-15.ts", "./html/live/cam1.m3u8", "live/cam1.m3u8", "/srv"
)
HLS = replace(NEW, action=Action.HLS, param="", tc_url="…", segment=SEGMENT)
_BASE = (
    b'{"server_id":"vid-1a2b","service_id":"7c31","action":"%s","client_id":"k3x9q0","ip":"203.0.113.9",'
    b'"vhost":"live.example.com","app":"live",'
)
_URL = b'"stream_url":"live.example.com/live/cam1","stream_id":"vid-9f"}'
_TC = b'"tcUrl":"rtmp://live.example.com/live"'
_BASE_OLD = b'{"action":"%s","client_id":117,"ip":"203.0.113.9","vhost":"live.example.com","app":"live"'


@pytest.mark.parametrize(
    ("event", "body"),
    [
        (
            replace(NEW, action=Action.CONNECT, stream=""),
            _BASE % b"on_connect" + b'"stream":"","param":"?token=abc",' + _TC + b',"pageUrl":"http://p/"}',
        ),
        (replace(NEW, action=Action.CLOSE), _BASE % b"on_close" + b'"send_bytes":7,"recv_bytes":8}'),
        (NEW, _BASE % b"on_publish" + _TC + b',"stream":"cam1","param":"?token=abc",' + _URL),
        (
            replace(NEW, action=Action.UNPUBLISH, param="", stream_id=""),
            _BASE % b"on_unpublish" + _TC + b',"stream":"cam1","param":"","stream_url":"live.example.com/live/cam1"}',
        ),
        (
            replace(NEW, action=Action.PLAY),
            _BASE % b"on_play" + b'"stream":"cam1",' + _TC + b',"param":"?token=abc","pageUrl":"http://p/",' + _URL,
        ),
        (
            replace(NEW, action=Action.STOP),
            _BASE % b"on_stop" + b'"stream":"cam1",' + _TC + b',"param":"?token=abc",' + _URL,
        ),
        (
            HLS,
            _BASE % b"on_hls"
            + '"tcUrl":"…","stream":"cam1","param":"","duration":9.96,"cwd":"/srv",'.encode()
            + b'"file":"./html/live/cam1-15.ts","url":"live/cam1-15.ts","m3u8":"./html/live/cam1.m3u8",'
            + b'"m3u8_url":"live/cam1.m3u8","seq_no":15,'
            + _URL,
        ),
        (
            replace(NEW, action=Action.UPDATE, of=Action.PLAY, age_s=30),
            _BASE % b"on_update"
            + _TC
            + b',"stream":"cam1","param":"?token=abc",'
            + _URL[:-1]
            + b',"of":"on_play","age":30,"send_bytes":7,"recv_bytes":8}',
        ),
    ],
)
def test_bodies_of_today(event: Event, body: bytes) -> None:
    assert SrsForm().call(event, "http://h/x") == Call("POST", "http://h/x", "application/json", body)


@pytest.mark.parametrize(
    ("action", "rest"),
    [
        (Action.CONNECT, b',"pageUrl":"http://www.example.com/a.html"}'),
        (Action.CLOSE, b"}"),
        (Action.PUBLISH, b',"stream":"cam1"}'),
        (Action.UNPUBLISH, b',"stream":"cam1"}'),
        (Action.PLAY, b',"stream":"cam1"}'),
        (Action.STOP, b',"stream":"cam1"}'),
    ],
)
def test_bodies_of_the_first_versions(action: Action, rest: bytes) -> None:
    call = OldSrsForm().call(replace(OLD, action=action), "http://h/x")
    assert call.body == _BASE_OLD % action.value.encode() + rest


def test_what_the_first_versions_did_not_know_is_told_as_today() -> None:
    assert OldSrsForm().call(HLS, "http://h/x") == SrsForm().call(HLS, "http://h/x")


def test_what_was_sent_stands_in_no_other_field() -> None:
    event = replace(NEW, stream='a","app":"b', param='x="}&y=1')
    assert b'"app":"live"' in SrsForm().call(event, "u").body
    assert b'a\\",\\"app\\":\\"b' in SrsForm().call(event, "u").body


def test_a_url_with_fields_is_filled_in() -> None:
    event = replace(HLS, action=Action.HLS_NOTIFY, stream="c m", param="k=1&l=2")
    url = "http://h/[server_id]/[service_id]/[app]/[stream]?ts=[ts_url]&p=[param]"
    assert fill_in(url, event) == "http://h/vid-1a2b/7c31/live/c%20m?ts=live/cam1-15.ts&p=?k=1&l=2"
    assert SrsForm().call(event, "http://h/[app]") == Call("GET", "http://h/live")
