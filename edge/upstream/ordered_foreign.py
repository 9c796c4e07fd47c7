"""What a server that is no node of ours plays, put into order of time before the stream gets it (``-mix_correct``)."""

from __future__ import annotations

from collections.abc import Callable

from edge.hub.publisher import Publisher
from edge.hub.stream import Stream
from edge.media.frame import DATA, Epoch, is_media
from edge.media.interleaver import Interleaver
from edge.upstream.foreign import ForeignReceiver


class OrderedForeignReceiver(ForeignReceiver):
    """As ``OrderedPublisher`` of those who publish here; nodes of ours have put it into order already."""

    __slots__ = ("_interleaver",)

    def __init__(self, publisher: Publisher[Stream], new_epoch: Callable[[], Epoch]) -> None:
        super().__init__(publisher, new_epoch)
        self._interleaver = Interleaver()

    def begin(self) -> None:
        """A new connection; what still waited is not had yet, and is looked for in what comes."""
        self._interleaver.flush()
        super().begin()

    def push(self, type_id: int, wire_timestamp: int, payload: bytes, now_ms: int) -> None:
        """One message of the server; with it, or without it, others may go on."""
        if type_id == DATA or not payload:
            super().push(type_id, wire_timestamp, payload, now_ms)
            return
        message = (type_id, wire_timestamp, payload)
        for released in self._interleaver.add(message, is_media=is_media(type_id, payload)):
            super().push(*released, now_ms)

    def flush(self, now_ms: int) -> None:
        """The publish has ended: nothing comes that what waits would be in order with."""
        if len(self._interleaver):
            for released in self._interleaver.flush():
                super().push(*released, now_ms)
            self._publisher.commit()
