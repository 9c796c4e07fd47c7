"""Several may hear what happens to streams, each in its turn."""

from __future__ import annotations

from itertools import count
from typing import Any

from edge.hub.config import HubConfig
from edge.hub.events import HubObserver
from edge.hub.key import StreamKey
from edge.hub.registry import Registry
from tests.hub.test_roster import Play


class Ears(HubObserver):
    """Calls what it is given for what it hears of."""

    def __init__(self, **calls: Any) -> None:
        for name, call in calls.items():
            assert hasattr(HubObserver, name)
            setattr(self, name, call)


def test_observers_hear_in_order_and_only_what_they_mind() -> None:
    numbers = count(1)
    hub = Registry(HubConfig(), new_id=lambda: f"e{next(numbers)}", wall_ms=lambda: 0)
    told: list[object] = []
    hub.observers += [
        Ears(on_published=lambda stream: told.append("first")),
        HubObserver(),
        Ears(
            on_published=lambda stream: told.append("second"),
            on_joined=lambda stream, play, is_new: told.append((play.query, is_new)),
            on_left=lambda stream: told.append("left"),
            on_idle=lambda stream, now_ms: told.append(("idle", now_ms)),
            on_ended=lambda stream: told.append("ended"),
        ),
    ]
    stream = hub.claim_publisher(StreamKey("_", "live", "s"), "p", 0).publisher.stream
    hub.tell_published(stream)
    plays = [Play("a"), Play("a")]
    for play in plays:
        hub.add_player(stream, play)
    for number, play in enumerate(plays):
        hub.remove_player(stream, number, play)
    hub.end_stream(stream, "over")
    assert told == ["first", "second", ("a", True), ("a", False), "left", ("idle", 1), "ended"]


def test_players_that_fall_behind_are_heard_of() -> None:
    hub, told = Registry(HubConfig(), new_id=lambda: "e", wall_ms=lambda: 0), list[tuple[str, int]]()
    hub.observers += [HubObserver(), Ears(on_jumped=lambda stream, count: told.append((str(stream.key), count)))]
    stream = hub.find_or_create(StreamKey("_", "live", "s"), 0)
    assert stream.on_jumped is not None
    stream.on_jumped(stream, 7)
    assert told == [("_/live/s", 7)]
