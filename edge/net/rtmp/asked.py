"""Requests of one connection that wait for their answer."""

from __future__ import annotations

from edge.net.rtmp.held_media import HeldMedia
from edge.service.admission import Asking


class Asked:
    """What was asked for on the message streams of a connection and has not been answered; mostly there is none.

    Attributes:
        is_reading_put_off: the only thing that the connection carries is a publish that waits.
    """

    __slots__ = ("_askings", "_held", "is_reading_put_off")

    def __init__(self) -> None:
        self._askings: dict[int, Asking] = {}
        self._held: dict[int, HeldMedia] = {}
        self.is_reading_put_off = False

    def __len__(self) -> int:
        return len(self._askings)

    def __contains__(self, message_stream_id: int) -> bool:
        return message_stream_id in self._askings

    def add(self, message_stream_id: int, asking: Asking, *, is_publish: bool, is_alone: bool) -> None:
        """``asking`` waits. Of a publish the media are held, or left with the client when it ``is_alone``."""
        self._askings[message_stream_id] = asking
        if is_publish and is_alone:
            self.is_reading_put_off = True
        elif is_publish:
            self._held[message_stream_id] = HeldMedia()

    def hold(self, message_stream_id: int, type_id: int, wire_timestamp: int, payload: bytes) -> None:
        """Media of a message stream; what belongs to no publish that waits is dropped."""
        held = self._held.get(message_stream_id)
        if held is not None:
            held.add(type_id, wire_timestamp, payload)

    def answered(self, message_stream_id: int) -> list[tuple[int, int, bytes]]:
        """The wait is over; returns the media that were held."""
        self._askings.pop(message_stream_id, None)
        self.is_reading_put_off = False
        held = self._held.pop(message_stream_id, None)
        return held.take() if held is not None else []

    def withdraw(self, message_stream_id: int) -> None:
        """The client does not want it any more, or is gone."""
        asking = self._askings.get(message_stream_id)
        if asking is not None:
            asking.cancel()
            self.answered(message_stream_id)

    def withdraw_all(self) -> None:
        """The connection is over."""
        for message_stream_id in list(self._askings):
            self.withdraw(message_stream_id)
