"""What is granted shows what was asked for, and tells nobody when nobody is there."""

from __future__ import annotations

from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from tests.service.fakes import NODE, VIEWER, Door


def test_grants_show_what_was_asked_for_and_from_when() -> None:
    door = Door()
    publish, play = door.publish("s?a=1"), door.play("s?b=2&idcpassed=1", NODE)
    assert not isinstance(publish, Refusal)
    assert not isinstance(play, Refusal)
    assert (play.key, play.query, play.client, play.since_ms) == (publish.stream.key, "b=2&idcpassed=1", NODE, 1000)
    assert (play.is_internal, play.hears_errors_only) == (True, False)
    assert (publish.name.query, publish.client, publish.since_ms) == ("a=1", VIEWER, 1000)
    play.stop(Refusal(Reason.FORBIDDEN, "not served yet"))
    publish.stop(Refusal(Reason.FORBIDDEN, "not served yet"))
    play.tell_nothing_yet(is_known=True)


def test_requests_are_values() -> None:
    door = Door()
    assert PlayRequest(VIEWER, door.name()) == PlayRequest(VIEWER, door.name())
    assert PublishRequest(VIEWER, door.name()) != PublishRequest(NODE, door.name())
