"""Bodies as nginx-rtmp sends them, and answers as it reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.hooks.answer import Answer, No, Unusable, Yes
from edge.hooks.event import Action, Event, Segment
from edge.hooks.form import URL_ENCODED
from edge.hooks.nginx import NginxForm

EVENT = Event(
    Action.PUBLISH,
    client_id="7",
    ip="203.0.113.9",
    app="live",
    stream="cam 1",
    param="key=a%2Fb",
    tc_url="rtmp://h/live",
    page_url="http://p/?q",
    swf_url="s.swf",
    flash_version="FMLE/3.0",
)
_COMMON = (
    b"app=live&flashver=FMLE/3.0&swfurl=s.swf&tcurl=rtmp://h/live&pageurl=http://p/%3Fq"
    b"&addr=203.0.113.9&clientid=7&call="
)


@pytest.mark.parametrize(
    ("event", "rest"),
    [
        (EVENT, b"publish&name=cam%201&type=live&key=a%2Fb"),
        (replace(EVENT, action=Action.PLAY), b"play&name=cam%201&start=-2000&duration=0&reset=0&key=a%2Fb"),
        (replace(EVENT, action=Action.UNPUBLISH, param=""), b"publish_done&name=cam%201"),
        (replace(EVENT, action=Action.STOP, param=""), b"play_done&name=cam%201"),
        (replace(EVENT, action=Action.CONNECT, param=""), b"connect&epoch=0"),
        (replace(EVENT, action=Action.CLOSE, param=""), b"disconnect"),
        (
            replace(EVENT, action=Action.UPDATE, param="", of=Action.PUBLISH, age_s=30, at_ms=29960),
            b"update_publish&time=30&timestamp=29960&name=cam%201",
        ),
        (
            replace(EVENT, action=Action.HLS, param="", segment=Segment(1, 2.0, "/a/1.ts", "", "", "")),
            b"record_done&recorder=hls&name=cam%201&path=/a/1.ts",
        ),
    ],
)
def test_bodies(event: Event, rest: bytes) -> None:
    call = NginxForm().call(event, "http://h/x")
    assert (call.method, call.content_type, call.body) == ("POST", URL_ENCODED, _COMMON + rest)


def test_a_client_cannot_put_words_in_our_mouth() -> None:
    event = replace(EVENT, param="addr=127.0.0.1&n%61me=other&key=1&\xff=2")
    assert NginxForm().call(event, "u").body == _COMMON + b"publish&name=cam%201&type=live&key=1&%C3%BF=2"


@pytest.mark.parametrize(
    ("action", "status", "location", "answer"),
    [
        (Action.PUBLISH, 204, "", Yes()),
        (Action.PUBLISH, 302, "public", Yes(stream="public")),
        (Action.PLAY, 301, "public", Yes(stream="public")),
        (Action.CONNECT, 302, "other", Yes(app="other")),
        (Action.PLAY, 403, "", No(why="status 403")),
        (Action.PLAY, 302, "RTMP://10.0.0.1/x", No(why="status 302 with an RTMP URL, which is not followed")),
        (Action.PLAY, 302, "", Unusable("status 302 without a name in Location")),
        (Action.PLAY, 302, "http://h/x", Unusable("status 302 without a name in Location")),
        (Action.PLAY, 500, "", Unusable("status 500")),
    ],
)
def test_answers(action: Action, status: int, location: str, answer: Answer) -> None:
    assert NginxForm().read(replace(EVENT, action=action), status, location, b"ignored") == answer
