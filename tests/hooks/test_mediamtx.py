"""Bodies as mediamtx sends them, and answers as it reads them."""

from __future__ import annotations

import pytest

from edge.hooks.answer import No, Unusable, Yes
from edge.hooks.event import Action, Event
from edge.hooks.mediamtx import MediamtxForm

EVENT = Event(
    Action.PLAY,
    client_id="7",
    ip="::1",
    app="live",
    stream="cam1",
    param="user=u&pass=p&jwt=t&user=v",
    protocol="hls-https",
)


def test_body() -> None:
    assert MediamtxForm().call(EVENT, "http://h/x").body == (
        b'{"ip":"::1","user":"u","password":"p","token":"t","action":"read","path":"live/cam1","protocol":"hls",'
        b'"id":"7","query":"user=u&pass=p&jwt=t&user=v","userAgent":""}'
    )
    publish = Event(Action.PUBLISH, app="live", stream="cam1", protocol="rtmps")
    assert b'"action":"publish","path":"live/cam1","protocol":"rtmp"' in MediamtxForm().call(publish, "u").body
    assert b'"action":"on_stop"' in MediamtxForm().call(Event(Action.STOP), "u").body


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, Yes()), (401, No(why="status 401")), (302, Unusable("status 302")), (500, Unusable("status 500"))],
)
def test_answers(status: int, answer: object) -> None:
    assert MediamtxForm().read(EVENT, status, "name", b'{"code":1}') == answer
