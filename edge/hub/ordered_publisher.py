"""A publisher whose sound and picture are put into order of time before its stream gets them (``-mix_correct``).

Which kind of publisher it is, is settled when it is granted: those whose messages go on as they come pay nothing.
"""

from __future__ import annotations

from typing import TypeVar

from edge.hub.publisher import Fed, Publisher, Received
from edge.media.frame import AUDIO, VIDEO, is_media
from edge.media.interleaver import Interleaver

#: What waits for the other kind goes on when nothing at all has come for so long.
_QUIET_MS = 500

FedStream = TypeVar("FedStream", bound=Fed)


class OrderedPublisher(Publisher[FedStream]):
    """Takes messages as they come; metadata and other data go on at once, before what they describe."""

    __slots__ = ("_interleaver",)

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
        super().__init__(stream, peer, now_ms, query=query, is_hop=is_hop, hops=hops)
        self._interleaver = Interleaver()

    def push(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        """Take one message; with it, or without it, others may go on."""
        if type_id in (AUDIO, VIDEO):
            self.push_all([(type_id, wire_timestamp, payload)], now_ms)
        else:
            super().push(type_id, wire_timestamp, payload, now_ms)

    def push_all(self, run: list[Received], now_ms: int) -> None:
        """The same with messages that came together."""
        in_order: list[Received] = []
        for message in run:
            in_order.extend(self._interleaver.add(message, is_media=is_media(message[0], message[2])))
        self._give(in_order, now_ms)
        self.last_media_ms = now_ms

    def flush(self, now_ms: int) -> None:
        """Give the stream what waits; nothing more is to be expected."""
        if len(self._interleaver):
            self._give(self._interleaver.flush(), now_ms)
            self.commit()

    def flush_if_quiet(self, now_ms: int) -> None:
        """The same when nothing has come for a while with which it could be put into order."""
        if now_ms - self.last_media_ms >= _QUIET_MS:
            heard_ms = self.last_media_ms
            self.flush(now_ms)
            self.last_media_ms = heard_ms

    def waiting(self) -> list[Received]:
        """The messages that wait, oldest first."""
        return self._interleaver.waiting()

    def hold(self, messages: list[Received]) -> None:
        """Let these wait, which have waited in another process."""
        for message in messages:
            self._interleaver.hold(message, is_media=is_media(message[0], message[2]))

    def _give(self, messages: list[Received], now_ms: int) -> None:
        if self.is_active:
            super().push_all(messages, now_ms)
            return
        for type_id, wire_timestamp, payload in messages:
            super().push(type_id, wire_timestamp, payload, now_ms)
