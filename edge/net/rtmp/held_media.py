"""What a client sends for a publish that has not been answered yet, on a connection that carries more than that."""

from __future__ import annotations

from edge.media.frame import is_media

#: What one publish may send while its answer is looked for.
MAX_HELD_BYTES = 1048576


class HeldMedia:
    """The messages of one publish, in their order.

    When they are too many bytes pictures and sound go, and what comes of them later is
    left out too: the stream will begin behind the gap, for which its headers are needed.
    """

    __slots__ = ("_has_left_out", "_messages", "size_bytes")

    def __init__(self) -> None:
        self._messages: list[tuple[int, int, bytes]] = []
        self._has_left_out = False
        self.size_bytes = 0

    def add(self, type_id: int, wire_timestamp: int, payload: bytes) -> None:
        """Keep one message if there is room for it."""
        if self._has_left_out and is_media(type_id, payload):
            return
        if self.size_bytes + len(payload) > MAX_HELD_BYTES:
            self._leave_media_out()
            if is_media(type_id, payload) or self.size_bytes + len(payload) > MAX_HELD_BYTES:
                return
        self._messages.append((type_id, wire_timestamp, payload))
        self.size_bytes += len(payload)

    def _leave_media_out(self) -> None:
        self._has_left_out = True
        self._messages = [message for message in self._messages if not is_media(message[0], message[2])]
        self.size_bytes = sum(len(message[2]) for message in self._messages)

    def take(self) -> list[tuple[int, int, bytes]]:
        """Type, timestamp and payload of each, which are kept no longer."""
        messages, self._messages, self.size_bytes = self._messages, [], 0
        return messages
