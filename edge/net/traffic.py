"""Bytes of the connections that are over, by protocol: those of the others they tell themselves."""

from __future__ import annotations

from collections import Counter


class Traffic:
    """What went in and out.

    Attributes:
        received: bytes read, by the word of the protocol.
        sent: bytes that the kernel has taken.
    """

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()

    def leave(self, protocol: str, received_bytes: int, sent_bytes: int) -> None:
        """A connection is over."""
        self.received[protocol] += received_bytes
        self.sent[protocol] += sent_bytes
