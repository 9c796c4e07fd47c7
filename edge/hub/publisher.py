"""The right to feed a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.hub.shown import Shown
from edge.media.frame import VIDEO

if TYPE_CHECKING:
    from edge.hub.stream import Stream
    from edge.media.frame import Epoch, Frame


class Publisher:
    """Feeds one stream until it leaves; may be muted for a while (``hub/feed.py``).

    Attributes:
        peer: ``ip:port`` for people and logs.
        query: what of the publisher's query goes upstream.
        is_hop: a node of ours feeds it; frames bear the origin's numbers.
        is_lost: that node has lost its own publisher, and nothing has come since.
        lost_ms: when it last said so.
        is_active: it is the one that is seen.
        seen_since_ms: when it last began to be.
        began_ms: this node's clock when its publish began, at whichever node.
        arrival: place in the order in which publishes came to this node.
        epoch: of its own publish; None for a hop, whose frames name theirs.
        epoch_id: id of the publish it brings, "" until a hop's first mark.
        headers: while muted, those that its next frame is decoded with.
        shown: while muted, what is to be seen of it.
        hops: service ids the stream has passed on its way here.
        on_stopped: called with ``(code, description, reason)`` when this
            publisher is to be ended by us: an onStatus code, a text, a log word.
        refused_count: messages that came while it was muted.
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
        "last_media_ms",
        "lost_ms",
        "on_stopped",
        "peer",
        "query",
        "refused_count",
        "seen_since_ms",
        "shown",
        "since_ms",
        "stream",
    )

    def __init__(
        self,
        stream: Stream,
        peer: str,
        now_ms: int,
        *,
        query: str = "",
        is_hop: bool = False,
        hops: tuple[str, ...] = (),
        on_stopped: Callable[[str, str, str], None] | None = None,
    ) -> None:
        self.stream = stream
        self.peer = peer
        self.query = query
        self.is_hop = is_hop
        self.is_lost = False
        self.lost_ms = 0
        self.hops = hops
        self.on_stopped = on_stopped
        self.since_ms = self.began_ms = now_ms
        self.last_media_ms = 0
        self.refused_count = 0
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
        elif self.stream.offer(self, now_ms):
            for picture in self.shown.take(type_id, payload):
                self.stream.push(VIDEO, wire_timestamp, picture.payload, now_ms)
            self.stream.push(type_id, wire_timestamp, payload, now_ms)
        else:
            self.refused_count += 1
            self.stream.hold_muted(self, type_id, wire_timestamp, payload)

    def commit(self) -> None:
        """Show players what was pushed since the last call."""
        if self.is_active:
            self.stream.commit()
