"""What is granted shows what was asked for, and tells nobody when nobody is there."""

from __future__ import annotations

from edge.service.admission import LATER
from edge.service.refusal import Reason, Refusal
from edge.service.request import PlayRequest, PublishRequest
from tests.service.fakes import NODE, VIEWER, Door
from tests.service.test_admission import Says


def test_grants_show_what_was_asked_for_and_from_when() -> None:
    door = Door()
    publish, play = door.publish("s?a=1"), door.play("s?b=2&idcpassed=1", NODE)
    assert not isinstance(publish, Refusal)
    assert not isinstance(play, Refusal)
    assert (play.key, play.query, play.client, play.since_ms) == (publish.stream.key, "b=2&idcpassed=1", NODE, 1000)
    assert (play.is_internal, play.hears_errors_only) == (True, False)
    assert (publish.name.query, publish.client, publish.since_ms) == ("a=1", VIEWER, 1000)
    refusal = Refusal(Reason.FORBIDDEN, "not served yet")
    assert (play.stopped, publish.stopped) == (None, None)
    play.stop(refusal)
    publish.stop(refusal)
    assert (play.stopped, publish.stopped) == (refusal, refusal)
    play.tell_nothing_yet(is_known=True)


def test_play_remembers_when_it_was_asked_for_though_a_rule_took_its_time() -> None:
    door = Door()
    door.publish()
    rule, answers = Says(LATER), []
    door.service.admission.rules.append(rule)
    door.service.play(PlayRequest(VIEWER, door.name()), answers.append, door.now_ms)
    door.now_ms += 700
    rule.say(None)
    (play,) = answers
    assert (play.asked_ms, play.since_ms) == (1000, 1700)


def test_requests_are_values() -> None:
    door = Door()
    assert PlayRequest(VIEWER, door.name()) == PlayRequest(VIEWER, door.name())
    assert PublishRequest(VIEWER, door.name()) != PublishRequest(NODE, door.name())
