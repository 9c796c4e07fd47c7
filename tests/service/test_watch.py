"""Who hears of grants hears of each, in the order of what happens."""

from __future__ import annotations

from edge.hub.key import StreamKey
from edge.service.grants import NOT_SERVED, Play, Publish, Served
from edge.service.refusal import Refusal
from edge.service.watch import GrantWatcher
from tests.service.fakes import Door


class Notes(GrantWatcher):
    """What was heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def on_play(self, play: Play) -> None:
        self.heard.append(("play", play, play.served))

    def on_play_paused(self, play: Play) -> None:
        self.heard.append(("paused", play))

    def on_play_over(self, play: Play) -> None:
        self.heard.append(("over", play, play.served))

    def on_segment(self, key: StreamKey, peer: str, size_bytes: int, *, is_internal: bool) -> None:
        self.heard.append(("segment", str(key), peer, size_bytes, is_internal))

    def on_publish(self, publish: Publish) -> None:
        self.heard.append(("publish", publish, publish.publisher.is_active))

    def on_publish_over(self, publish: Publish) -> None:
        self.heard.append(("publish over", publish, publish.stream.is_ended))


class Owner:
    """Serves a play: some of it has been sent."""

    def served(self, play: Play) -> Served:
        return Served(99, 7)

    def play_stopped(self, play: Play, refusal: Refusal) -> None: ...

    def play_has_nothing_yet(self, play: Play, *, is_known: bool) -> None: ...


def test_each_grant_and_each_end_is_heard_of_while_it_still_tells_how_far_it_has_come() -> None:
    door, notes = Door(), Notes()
    door.service.watchers += [GrantWatcher(), notes]
    publish = door.publish()
    play = door.play()
    assert isinstance(publish, Publish) and isinstance(play, Play)
    assert notes.heard == [("publish", publish, True), ("play", play, NOT_SERVED)]
    play.owner = Owner()
    notes.heard.clear()
    door.service.pause_play(play)
    door.service.tell_segment(door.name("s?idcpassed=1"), "10.0.0.9:5", 188)
    door.service.end_play(play, 2000)
    door.service.end_publish(publish, 2000)
    assert notes.heard == [
        ("paused", play),
        ("segment", "_/live/s", "10.0.0.9:5", 188, True),
        ("over", play, Served(99, 7)),
        ("publish over", publish, False),
    ]


def test_what_is_refused_nobody_hears_of() -> None:
    door, notes = Door(), Notes()
    door.service.watchers.append(notes)
    assert isinstance(door.play("nosuch"), Refusal)
    assert notes.heard == []
