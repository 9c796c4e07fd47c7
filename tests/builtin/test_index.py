from __future__ import annotations

import pytest

from edge.builtin.index import collect, play_path, text
from edge.builtin.page import Visit
from tests.builtin import sample


@pytest.mark.parametrize(
    ("visited", "port", "server"),
    [
        ("edge1.example", 8079, "rtmp://edge1.example:8079/live"),
        ("[::1]", 1935, "rtmp://[::1]/live"),
        ("", 8079, "rtmp://media1:8079/live"),
    ],
)
def test_addresses_use_the_name_the_visitor_used(visited: str, port: int, server: str) -> None:
    context = sample.context(server_urls=lambda: {"host": "media1", "rtmp_port": port})
    data = collect(context, Visit(host=visited))
    assert data["publish_server"] == server
    assert data["publish_url"] == f"{server}/livestream"
    assert data["streams"][0]["play_url"] == f"{server}/a"


def test_vhost_is_an_argument_unless_default() -> None:
    assert play_path(sample.stream()) == "live/a"
    assert play_path(sample.stream(vhost="v.example")) == "live/a?vhost=v.example"


def test_text_shows_how_to_publish_and_what_is_on() -> None:
    shown = text(collect(sample.context(), Visit(host="h")))
    assert "ffmpeg -re -i file.mp4 -c copy -f flv rtmp://h:8079/live/livestream" in shown
    assert "_/live/a: rtmp://h:8079/live/a" in shown
    assert "/readyz" in shown
