"""All live streams of a service: who may publish, who waits, what has ended.

Everything here decides and returns; connections are opened and closed by the
caller. Time comes in as ``now_ms`` (monotonic); epoch ids and the wall clock
come from callables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.errors import StreamBusyError
from edge.hub.config import HubConfig
from edge.hub.delay import DelayHistograms, StreamDelay
from edge.hub.events import HubObserver
from edge.hub.key import StreamKey
from edge.hub.ordered_publisher import OrderedPublisher
from edge.hub.publisher import Publisher
from edge.hub.roster import Admitted
from edge.hub.rules import HubAlone, StreamRules
from edge.hub.stream import Stream
from edge.media.frame import Epoch


@dataclass(frozen=True, slots=True)
class Claim:
    """Answer to a request to publish: the publisher, and whom it replaced."""

    publisher: Publisher[Stream]
    replaced: Publisher[Stream] | None = None


class VhostCount:
    """How much there is of one vhost: streams that have not ended, and the places that their players take."""

    __slots__ = ("places", "streams")

    def __init__(self) -> None:
        self.places = self.streams = 0


class Registry:
    """Streams by key.

    Attributes:
        counts: by vhost, of those that have streams.
        observers: hear what happens to streams, one after the other.
        is_tight: streams keep no more than their newest group of pictures; see ``tighten``.
        delay: delays of all streams since the start; of hops, those that lead to this node.
        wall_ms: the wall clock, for what leaves the process.
    """

    def __init__(
        self,
        rules_of: Callable[[StreamKey], StreamRules] | HubConfig,
        *,
        new_id: Callable[[], str],
        wall_ms: Callable[[], int],
        metadata_name: str = "",
        clock_us: Callable[[], int] | None = None,
    ) -> None:
        """A hub without streams.

        Args:
            rules_of: returns what holds for a stream, or the settings of the hub for all of them.
            clock_us: a clock in microseconds that never steps, by which delays are measured; without it none are.
        """
        if isinstance(rules_of, HubConfig):
            for_all = HubAlone(rules_of)
            self._rules_of: Callable[[StreamKey], StreamRules] = lambda _: for_all
        else:
            self._rules_of = rules_of
        self.streams: dict[StreamKey, Stream] = {}
        self.counts: dict[str, VhostCount] = {}
        self.observers: list[HubObserver] = []
        self.is_tight = False
        self.delay = DelayHistograms()
        self._new_id = new_id
        self.wall_ms = wall_ms
        self._clock_us = clock_us
        self._metadata_name = metadata_name

    def reconfigure(self) -> list[Stream]:
        """Have the streams that there are take the rules of now; returns those that have got others."""
        others = []
        for stream in self.streams.values():
            rules = self._rules_of(stream.key)
            if rules is not stream.rules:
                stream.reconfigure(rules)
                others.append(stream)
        return others

    def find(self, key: StreamKey) -> Stream | None:
        """The stream of ``key`` if it is live or being pulled."""
        return self.streams.get(key)

    def find_or_create(self, key: StreamKey, now_ms: int) -> Stream:
        """The stream of ``key``; a new one has no publisher yet."""
        stream = self.streams.get(key)
        if stream is None:
            delay = StreamDelay(self._clock_us, self.delay)
            stream = Stream(key, self._rules_of(key), now_ms, metadata_name=self._metadata_name, delay=delay)
            stream.is_tight = self.is_tight
            self.streams[key] = stream
            counts = self.counts.get(key.vhost)
            if counts is None:
                counts = self.counts[key.vhost] = VhostCount()
            counts.streams += 1
            stream.on_seen = self._tell_seen
            stream.on_jumped = self._tell_jumped
        return stream

    def tighten(self, is_tight: bool) -> None:
        """Have all streams keep their newest group of pictures only, or what they are to keep.

        A player behind that goes to the newest keyframe, and a node that comes back for more has a gap.
        """
        self.is_tight = is_tight
        for stream in list(self.streams.values()):
            stream.is_tight = is_tight
            if is_tight:
                stream.evict()

    def _tell_seen(self, stream: Stream, old: Publisher[Stream] | None, new: Publisher[Stream]) -> None:
        for observer in self.observers:
            observer.on_seen(stream, old, new)

    def _tell_jumped(self, stream: Stream, frame_count: int) -> None:
        for observer in self.observers:
            observer.on_jumped(stream, frame_count)

    def tell_published(self, stream: Stream) -> None:
        """A publisher is seen that was not before; whoever granted or found it says so when it is settled."""
        for observer in self.observers:
            observer.on_published(stream)

    def claim_publisher(
        self,
        key: StreamKey,
        peer: str,
        now_ms: int,
        *,
        query: str = "",
        hops: tuple[str, ...] = (),
        is_hop: bool = False,
        is_lost: bool = False,
    ) -> Claim:
        """Make ``peer`` a publisher of ``key``.

        The youngest publish is seen (see ``feed.py``): that of an encoder at once, whoever
        publishes is muted. With ``is_hop`` a node of ours pushes: which publish it brings,
        and how old that is, its first mark says, so that a push that was cut off goes on
        where it was. With ``is_lost`` that node has no publisher itself at present: who
        feeds the stream stays, and the node brings only what that one has not.

        Raises:
            StreamBusyError: somebody else publishes and may not be replaced
                (``reject_second_stream_when_republish``), or was replaced less
                than ``republish_min_interval_ms`` ago.
        """
        stream = self.find_or_create(key, now_ms)
        feed, old = stream.feed, stream.feed.current
        # What a node of ours sends has its order, and its numbers.
        kind = OrderedPublisher if stream.config.mix_correct and not is_hop else Publisher
        publisher: Publisher[Stream] = kind(stream, peer, now_ms, query=query, hops=hops, is_hop=is_hop)
        publisher.is_lost = is_lost
        if old is not None and not is_lost and stream.config.reject_second_stream_when_republish:
            raise StreamBusyError(f"Fail to replace publisher {old.peer}")
        if is_hop:
            stream.retention.claim()  # nodes that had it from another one come here for what they have missed
            if feed.current is None and not feed.muted:
                stream.see(publisher, now_ms)
            else:
                feed.join(publisher)
            return Claim(publisher)
        if old is not None:
            since = now_ms - feed.replaced_ms
            if since < stream.config.republish_min_interval_ms:
                raise StreamBusyError(f"{key} changed its publisher {since} ms ago, now {old.peer}")
            feed.replaced_ms = now_ms
        publisher.epoch = Epoch(self._new_id(), 0, 0, self.wall_ms(), now_ms)
        stream.begin_publish(publisher, publisher.epoch, now_ms)
        return Claim(publisher, old)

    def release_publisher(
        self, publisher: Publisher[Stream], now_ms: int, reason: str, *, is_loss: bool = False
    ) -> None:
        """``publisher`` has left. Its stream goes on with one that was muted, waits for another one, or ends.

        ``is_loss``: its connection broke without a word. A node of ours comes
        back after that, so its stream waits ``publisher_return_ms``; any
        publisher's waits ``publisher_grace_ms``.
        """
        stream, feed = publisher.stream, publisher.stream.feed
        if publisher.is_active:  # what a muted one still holds must not make it the one that is seen
            publisher.flush(now_ms)
        if publisher.is_hop:
            stream.retention.release()
        was_seen, is_lost_hop = publisher.is_active, publisher.is_hop and is_loss
        feed.leave(publisher, now_ms, is_held=is_lost_hop)
        if stream.is_ended:
            return
        if was_seen:
            grace_ms = stream.config.publisher_grace_ms
            if is_lost_hop:
                grace_ms = max(grace_ms, stream.config.publisher_return_ms)
            if grace_ms > 0:
                feed.grace_until_ms = now_ms + grace_ms
                if is_loss:
                    stream.announce_lost()
        if feed.is_vacant:
            self.end_stream(stream, reason)

    def end_stream(self, stream: Stream, reason: str) -> None:
        """Take ``stream`` out and tell its readers; the key is free at once."""
        if self.streams.get(stream.key) is stream:
            del self.streams[stream.key]
            self._uncount(stream)
        stream.end(reason)
        for observer in self.observers:
            observer.on_ended(stream)

    def _uncount(self, stream: Stream) -> None:
        """Its players are those of a stream that has ended, and take nobody's place."""
        counts = self.counts[stream.key.vhost]
        counts.streams -= 1
        counts.places -= stream.place_count
        if not counts.streams:
            del self.counts[stream.key.vhost]

    def add_player(
        self, stream: Stream, play: Admitted | None = None, *, is_internal: bool = False, takes_place: bool = False
    ) -> None:
        """Count a player; a ``play`` joins the roster."""
        stream.player_count += 1
        if takes_place:
            self._add_places(stream, 1)
        if not is_internal:
            stream.viewer_count += 1
            stream.idle_since_ms = 0
        if play is not None:
            is_new = stream.roster.join(play)
            for observer in self.observers:
                observer.on_joined(stream, play, is_new)

    def remove_player(
        self,
        stream: Stream,
        now_ms: int,
        play: Admitted | None = None,
        *,
        is_internal: bool = False,
        takes_place: bool = False,
    ) -> None:
        """Uncount it; the last one of a pulled stream starts the idle clock."""
        stream.player_count -= 1
        if play is not None:
            stream.roster.leave(play)
        if takes_place:
            self._add_places(stream, -1)
        if not is_internal:
            stream.viewer_count -= 1
            stream.idle_since_ms = now_ms
        if stream.is_ended:
            return
        for observer in self.observers:
            if stream.player_count:
                observer.on_left(stream)
            else:
                observer.on_idle(stream, now_ms)

    def _add_places(self, stream: Stream, number: int) -> None:
        stream.place_count += number
        if not stream.is_ended:
            self.counts[stream.key.vhost].places += number

    def tick(self, now_ms: int) -> None:
        """Once a second: statistics, and publishers that did not come back."""
        for stream in list(self.streams.values()):
            stream.tick(now_ms)
            feed = stream.feed
            if feed.grace_until_ms and now_ms >= feed.grace_until_ms:
                feed.grace_until_ms = 0
                if feed.is_vacant:
                    self.end_stream(stream, "publisher is gone")
            elif feed.is_vacant and stream.pull is None and not stream.player_count:
                self.end_stream(stream, "nobody uses it")
