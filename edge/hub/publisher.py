"""The right to feed a stream."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from edge.hub.shown import Shown
from edge.media.frame import MEDIA, VIDEO, Epoch, Frame, classify_video

#: Type id, wire timestamp and body of an audio or video message.
Received = tuple[int, int, bytes]


class Fed(Protocol):
    """What a publisher feeds: a stream, which knows publishers and is not known here."""

    def push(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        """One message of the publisher that is seen."""
        ...

    def push_all(self, run: list[Received], now_ms: int) -> None:
        """Several of them."""
        ...

    def commit(self) -> None:
        """Show players what was pushed."""
        ...

    def offer(self, publisher: Any, now_ms: int) -> bool:
        """A muted publisher has a message: whether it is seen from now on."""
        ...

    def hold_muted(self, publisher: Any, type_id: int, payload: bytes) -> bool:
        """Keep what a muted publisher's next frame would be decoded with; False when it is a frame itself."""
        ...


FedStream = TypeVar("FedStream", bound=Fed)


class Publisher(Generic[FedStream]):
    """Feeds one stream until it leaves; may be muted for a while (``hub/feed.py``).

    Attributes:
        peer: ``ip:port`` for people and logs.
        query: what of the publisher's query goes upstream.
        is_hop: a node of ours feeds it; frames bear the origin's numbers.
        is_lost: that node has lost its own publisher, and nothing has come since.
        lost_ms: when it last said so.
        is_active: it is the one that is seen.
        seen_since_ms: when it last began to be.
        last_media_ms: when its newest message came, headers and metadata included.
        last_frame_ms: when its newest frame came; of a publisher of this node that is seen, the first since then.
        began_ms: this node's clock when its publish began, at whichever node.
        arrival: place in the order in which publishes came to this node.
        epoch: of its own publish; None for a hop, whose frames name theirs.
        epoch_id: id of the publish it brings, "" until a hop's first mark.
        headers: while muted, those that its next frame is decoded with.
        shown: while muted, what is to be seen of it.
        hops: service ids the stream has passed on its way here.
        refused_count: messages that came while it was muted.
        tells_delay: it is a node of ours that says how long frames have been on their way.
    """

    __slots__ = (
        "arrival",
        "began_ms",
        "epoch",
        "epoch_id",
        "headers",
        "hops",
        "is_active",
        "is_hop",
        "is_lost",
        "last_frame_ms",
        "last_media_ms",
        "lost_ms",
        "peer",
        "query",
        "refused_count",
        "seen_since_ms",
        "shown",
        "since_ms",
        "stream",
        "tells_delay",
    )

    def __init__(
        self,
        stream: FedStream,
        peer: str,
        now_ms: int,
        *,
        query: str = "",
        is_hop: bool = False,
        hops: tuple[str, ...] = (),
    ) -> None:
        self.stream = stream
        self.peer = peer
        self.query = query
        self.is_hop = is_hop
        self.is_lost = False
        self.lost_ms = 0
        self.hops = hops
        self.since_ms = self.began_ms = now_ms
        self.last_media_ms = self.last_frame_ms = 0
        self.refused_count = 0
        self.tells_delay = False
        self.is_active = False
        self.seen_since_ms = 0
        self.arrival = 0
        self.epoch: Epoch | None = None
        self.epoch_id = ""
        self.headers: dict[bytes, Frame] = {}
        self.shown = Shown()

    def push(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        """Give one message to the stream; players see it at the next ``commit``."""
        self.last_media_ms = now_ms
        if self.is_active:
            self.stream.push(type_id, wire_timestamp, payload, now_ms)
        elif self._may_be_seen(type_id, wire_timestamp, payload, now_ms):
            for picture in self.shown.take(type_id, payload):
                self.stream.push(VIDEO, wire_timestamp, picture.payload, now_ms)
            self.stream.push(type_id, wire_timestamp, payload, now_ms)
        else:
            self.refused_count += 1

    def push_all(self, run: list[Received], now_ms: int) -> None:
        """Give it audio and video messages that came together: type id, wire timestamp, body that is not empty."""
        if self.is_active:
            self.last_media_ms = now_ms
            self.stream.push_all(run, now_ms)
            return
        for type_id, wire_timestamp, payload in run:
            self.push(type_id, wire_timestamp, payload, now_ms)

    def _may_be_seen(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> bool:
        """Whether this one, which is muted, is seen from this message on; headers and metadata are only kept."""
        if self.stream.hold_muted(self, type_id, payload):
            return False
        self.last_frame_ms = now_ms
        if self.stream.offer(self, now_ms):
            return True
        if type_id == VIDEO:
            is_keyframe = classify_video(payload)[1]
            self.shown.note(Frame(VIDEO, wire_timestamp, payload, MEDIA, is_keyframe))
        return False

    def flush(self, now_ms: int) -> None:
        """Give the stream what was held back of what was pushed: nothing here, see ``hub/ordered_publisher.py``."""

    def flush_if_quiet(self, now_ms: int) -> None:
        """The same, should it have waited for too long; to be called a few times a second."""

    def waiting(self) -> list[Received]:
        """The messages that are held back, for the process that goes on."""
        return []

    def commit(self) -> None:
        """Show players what was pushed since the last call."""
        if self.is_active:
            self.stream.commit()
