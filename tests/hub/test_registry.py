"""Who may publish, what happens to players when publishers come and go."""

from __future__ import annotations

from itertools import count

import pytest

from edge.errors import StreamBusyError
from edge.hub.config import HubConfig
from edge.hub.key import StreamKey
from edge.hub.publisher import Publisher
from edge.hub.reader import QuietReader
from edge.hub.registry import Registry
from edge.hub.stream import Stream
from edge.media.frame import VIDEO
from tests.hub.test_events import Ears

KEY = StreamKey("_", "live", "s")


class Watch(QuietReader):
    """A reader that writes down what it is told."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.unpublished: list[str] = []

    def on_frames(self) -> None:
        """Not looked at here."""

    def on_evict(self, base: int) -> None:
        """Not looked at here."""

    def on_end(self, reason: str) -> None:
        self.ends.append(reason)

    def on_unpublished(self, reason: str) -> None:
        self.unpublished.append(reason)


def registry(**config) -> Registry:
    numbers = count(1)
    return Registry(HubConfig(**config), new_id=lambda: f"e{next(numbers)}", wall_ms=lambda: 77)


def publish(hub: Registry, peer: str, now_ms: int = 0, **options) -> Publisher:
    return hub.claim_publisher(KEY, peer, now_ms, **options).publisher


def watched(stream: Stream) -> Watch:
    watch = Watch()
    stream.readers.append(watch)
    return watch


def test_publisher_makes_the_stream_and_an_epoch() -> None:
    hub = registry()
    publisher = publish(hub, "a")
    stream = publisher.stream
    assert hub.find(KEY) is stream
    assert stream.epoch is not None
    assert (stream.epoch.id, stream.epoch.started_wall_ms) == ("e1", 77)
    assert publisher.is_active


def test_what_a_node_pushes_is_kept_for_those_who_had_it_from_another_one() -> None:
    hub = registry(publisher_grace_ms=10**6)
    assert not publish(hub, "encoder").stream.retention.is_full
    pushes = [publish(hub, peer, is_hop=True) for peer in ("a", "b")]
    stream = pushes[0].stream
    hub.release_publisher(pushes[0], 0, "gone")
    for at_ms in (1000, 50_000):
        hub.tick(at_ms)
    assert stream.retention.is_full, "the other one is still there"
    hub.release_publisher(pushes[1], 50_000, "gone")
    for at_ms in (51_000, 81_000):
        assert stream.retention.is_full
        hub.tick(at_ms)
    assert not stream.retention.is_full


def test_M8_replaced_publisher_stays_mute_and_its_leaving_affects_nobody() -> None:
    hub = registry()
    old = publish(hub, "a")
    claim = hub.claim_publisher(KEY, "b", 5)
    new = claim.publisher
    watch = watched(new.stream)
    assert claim.replaced is old
    assert new.stream is old.stream
    old.push(VIDEO, 0, b"\x17\x01x", 10)
    old.commit()
    assert old.refused_count == 1
    assert new.stream.queue.end == 0
    hub.release_publisher(old, 20, "gone")
    assert new.is_active
    assert watch.ends == []
    assert hub.find(KEY) is new.stream


def test_M8_second_publisher_is_refused_when_so_configured() -> None:
    hub = registry(reject_second_stream_when_republish=True, stop_kickedoff_publisher=True)
    old = publish(hub, "a:1")
    with pytest.raises(StreamBusyError, match="Fail to replace publisher a:1"):
        publish(hub, "b:2", 99_999)
    assert old.is_active


def test_M8_publishers_kick_each_other_at_most_once_a_second() -> None:
    hub = registry()
    publish(hub, "a", 0)
    second = publish(hub, "b", 10)
    for now_ms in (11, 500, 1009):
        with pytest.raises(StreamBusyError):
            publish(hub, "a", now_ms)
    assert second.is_active
    assert publish(hub, "a", 1010).is_active


def test_Q1_newcomer_may_publish_at_once_when_the_last_has_left() -> None:
    hub = registry()
    publish(hub, "a", 0)
    second = publish(hub, "b", 10)
    hub.release_publisher(second, 20, "gone")
    assert publish(hub, "a", 21).is_active


def test_end_of_the_publisher_ends_players_and_frees_the_key() -> None:
    hub = registry()
    ended = []
    hub.observers.append(Ears(on_ended=ended.append))
    publisher = publish(hub, "a")
    watch = watched(publisher.stream)
    hub.release_publisher(publisher, 10, "publisher is gone")
    assert watch.ends == ["publisher is gone"]
    assert ended == [publisher.stream]
    assert hub.find(KEY) is None
    assert publisher.stream.is_ended
    assert publish(hub, "b", 11).stream is not publisher.stream


def test_grace_keeps_the_players_for_a_publisher_that_returns() -> None:
    hub = registry(publisher_grace_ms=3000)
    publisher = publish(hub, "a")
    watch = watched(publisher.stream)
    hub.release_publisher(publisher, 1000, "gone")
    hub.tick(3999)
    assert watch.ends == []
    again = publish(hub, "a", 3999)
    assert again.stream is publisher.stream
    hub.tick(9000)
    assert watch.ends == []
    hub.release_publisher(again, 10_000, "gone")
    hub.tick(13_000)
    assert watch.ends == ["publisher is gone"]
    assert hub.streams == {}


@pytest.mark.parametrize(
    ("is_hop", "is_loss", "is_kept"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_node_whose_push_was_cut_is_waited_for(is_hop: bool, is_loss: bool, is_kept: bool) -> None:
    hub = registry(publisher_return_ms=10_000)
    publisher = publish(hub, "a", is_hop=is_hop)
    hub.release_publisher(publisher, 0, "gone", is_loss=is_loss)
    assert (hub.find(KEY) is not None) is is_kept


def test_returning_push_keeps_epoch_and_stream() -> None:
    hub = registry()
    first = publish(hub, "a", is_hop=True)
    assert first.stream.epoch is None
    hub.release_publisher(first, 0, "gone", is_loss=True)
    second = publish(hub, "a", 500, is_hop=True)
    assert second.stream is first.stream
    assert second.stream.feed.grace_until_ms == 0


def test_players_are_counted_and_the_last_one_is_told_of() -> None:
    hub = registry()
    idle = []
    hub.observers.append(Ears(on_idle=lambda stream, now_ms: idle.append(now_ms)))
    stream = publish(hub, "a").stream
    hub.add_player(stream)
    hub.add_player(stream, is_internal=True)
    assert (stream.player_count, stream.viewer_count) == (2, 1)
    hub.remove_player(stream, 50)
    assert idle == []
    hub.remove_player(stream, 60, is_internal=True)
    assert idle == [60]
    assert (stream.player_count, stream.viewer_count, stream.idle_since_ms) == (0, 0, 50)


def test_stream_that_nobody_feeds_plays_or_pulls_is_dropped() -> None:
    hub = registry()
    stream = hub.find_or_create(KEY, 0)
    assert hub.find_or_create(KEY, 1) is stream
    hub.add_player(stream)
    hub.tick(1000)
    assert hub.find(KEY) is stream
    hub.remove_player(stream, 1500)
    hub.tick(2000)
    assert hub.find(KEY) is None


def test_stream_being_pulled_stays() -> None:
    hub = registry()
    stream = hub.find_or_create(KEY, 0)
    stream.pull = object()
    hub.tick(1000)
    assert hub.find(KEY) is stream


def test_Q3_nothing_of_an_earlier_life_remains() -> None:
    hub = registry()
    for n in range(200):
        publisher = publish(hub, f"p{n}", n * 20)
        publisher.push(VIDEO, n, b"\x17\x01x", n * 20)
        publisher.commit()
        assert publisher.stream.queue.end == 1
        hub.release_publisher(publisher, n * 20 + 10, "gone")
    assert hub.streams == {}


def test_end_of_an_old_stream_does_not_touch_its_successor() -> None:
    hub = registry()
    old = publish(hub, "a").stream
    hub.end_stream(old, "x")
    new = publish(hub, "b", 5).stream
    hub.end_stream(old, "y")
    assert hub.find(KEY) is new


def test_node_without_a_publisher_of_its_own_replaces_nobody() -> None:
    """It comes back to say what it still holds; who feeds the stream stays."""
    hub = registry()
    first = hub.claim_publisher(KEY, "a", 0, is_hop=True).publisher
    claim = hub.claim_publisher(KEY, "b", 10, is_hop=True, is_lost=True)
    assert (claim.replaced, first.is_active, claim.publisher.is_active) == (None, True, False)
    hub.release_publisher(claim.publisher, 20, "over")
    assert hub.find(KEY) is not None and first.is_active
    hub.release_publisher(first, 30, "over")
    alone = hub.claim_publisher(KEY, "b", 40, is_hop=True, is_lost=True)
    assert alone.publisher.is_active
