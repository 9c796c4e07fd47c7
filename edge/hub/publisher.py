"""The right to feed a stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.hub.stream import Stream


class Publisher:
    """Feeds one stream until it leaves or is replaced.

    Attributes:
        peer: ``ip:port`` for people and logs.
        query: what of the publisher's query goes upstream.
        is_hop: a node of ours feeds it; frames bear the origin's numbers.
        is_lost: that node has lost its own publisher, and nothing has come since.
        hops: service ids the stream has passed on its way here.
        on_stopped: called with ``(code, description, reason)`` when this
            publisher is to be ended by us: an onStatus code, a text, a log word.
        refused_count: frames that came after somebody else took over.
    """

    __slots__ = (
        "hops",
        "is_hop",
        "is_lost",
        "last_media_ms",
        "on_stopped",
        "peer",
        "query",
        "refused_count",
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
        self.hops = hops
        self.on_stopped = on_stopped
        self.since_ms = now_ms
        self.last_media_ms = 0
        self.refused_count = 0

    @property
    def is_active(self) -> bool:
        """False once somebody else feeds the stream."""
        return self.stream.publisher is self

    def push(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        """Give one message to the stream; players see it at the next ``commit``."""
        if self.stream.publisher is self:
            self.last_media_ms = now_ms
            self.stream.push(type_id, wire_timestamp, payload, now_ms)
        else:
            self.refused_count += 1

    def commit(self) -> None:
        """Show players what was pushed since the last call."""
        if self.stream.publisher is self:
            self.stream.commit()
