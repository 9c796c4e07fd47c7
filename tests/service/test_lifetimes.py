"""What is let in for a time ends with it, and a rule's name goes on in place of a secret one."""

from __future__ import annotations

from edge.service.admission import Granted
from edge.service.grants import Play, Publish
from edge.service.handover import grant_state
from edge.service.refusal import Reason, Refusal
from tests.service.fakes import VIEWER, Door
from tests.service.test_admission import Says


class Owner:
    """Of a play or a publish; keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Refusal] = []

    def play_stopped(self, play: Play, refusal: Refusal) -> None:
        self.told.append(refusal)

    def publish_stopped(self, publish: Publish, refusal: Refusal) -> None:
        self.told.append(refusal)


def test_play_and_publish_end_when_their_time_is_over() -> None:
    door, owner = Door(), Owner()
    door.service.admission.rules.append(Says(Granted(lifetime_s=5.0)))
    publish = door.publish()
    assert isinstance(publish, Publish) and publish.ends_ms == door.now_ms + 5000
    door.service.admission.rules[:] = [Says(Granted(lifetime_s=2.0))]
    play, left = door.play(), door.play()
    assert isinstance(play, Play) and isinstance(left, Play)
    publish.owner = play.owner = owner
    door.service.end_play(left, door.now_ms)
    del left
    door.service.tick(door.now_ms + 1999)
    assert not owner.told and len(door.service.lifetimes) == 3
    door.service.tick(door.now_ms + 2000)
    assert [refusal.reason for refusal in owner.told] == [Reason.EXPIRED] and play.stopped
    door.service.tick(door.now_ms + 5000)
    assert len(owner.told) == 2 and len(door.service.lifetimes) == 0


def test_those_who_left_long_before_their_time_are_not_kept_for_it() -> None:
    door, owner = Door(), Owner()
    door.publish()
    door.service.admission.rules.append(Says(Granted(lifetime_s=1e9)))
    stays = door.play()
    assert isinstance(stays, Play)
    stays.owner = owner
    for _ in range(5000):
        play = door.play()
        assert isinstance(play, Play)
        door.service.end_play(play, door.now_ms)
    assert len(door.service.lifetimes) <= 1024
    door.service.tick(stays.ends_ms)
    assert [refusal.reason for refusal in owner.told] == [Reason.EXPIRED]


def test_end_by_time_moves_to_the_next_process() -> None:
    door = Door()
    door.service.admission.rules.append(Says(Granted(lifetime_s=5.0, max_kbps=800)))
    publish = door.publish()
    assert isinstance(publish, Publish)
    request = grant_state(publish).publish_request(VIEWER)
    again = Publish(request, publish.publisher)
    assert (again.ends_ms, again.max_kbps) == (publish.ends_ms, 800)


def test_name_of_a_refused_publish_that_may_be_a_secret_is_told_to_nobody() -> None:
    door = Door()
    admission = door.service.admission
    admission.hides = lambda request: True
    admission.rules.append(Says(Refusal(Reason.KEY_INVALID, "no stream has this key")))
    door.publish("b7Qk-9sXw2-Lm4Tz8Rv1")
    entries = door.service.chronicle.stories.of_address("10.9.9.9")
    assert entries and "KeyInvalid" in entries[-1].text
    assert "b7Qk" not in repr(door.service.chronicle.stories._streams) + repr(entries)
