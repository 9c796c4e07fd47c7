"""What an event says of itself."""

from __future__ import annotations

from dataclasses import replace

from edge.hooks.event import Action, Event


def test_the_connection_is_no_part_of_a_question() -> None:
    event = Event(Action.PLAY, client_id="1", ip="10.0.0.1", port="5", app="live", stream="a", param="t=1")
    assert replace(event, client_id="2", port="6", stream_id="x", send_bytes=9).question == event.question
    for other in ({"ip": "10.0.0.2"}, {"param": "t=2"}, {"stream": "b"}, {"action": Action.PUBLISH}):
        assert replace(event, **other).question != event.question


def test_what_closes_what() -> None:
    assert {action: action.closing for action in Action if action.closing} == {
        Action.CONNECT: Action.CLOSE,
        Action.PUBLISH: Action.UNPUBLISH,
        Action.PLAY: Action.STOP,
    }
    assert Event(Action.PLAY, app="live", stream="a").stream_url == "__defaultVhost__/live/a"


def test_a_question_is_short_whatever_clients_say() -> None:
    event = Event(Action.PLAY, stream="s", param="x" * 8000, user_agent="\ud800" * 8000)
    assert len(event.question) == 32
    one = Event(Action.PLAY, page_url="a', 'b", swf_url="c")
    assert one.question != Event(Action.PLAY, page_url="a", swf_url="b', 'c").question
