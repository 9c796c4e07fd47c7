"""A connection as it stands in the list of those that are open."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol


class Listed(Hashable, Protocol):
    """What may be asked of any connection, and done to it, without knowing what it speaks."""

    number: int
    peer: str
    state: str
    created_ms: int
    last_read_ms: int
    received_bytes: int

    @property
    def role(self) -> str:
        """What it is for, in a word."""
        ...

    @property
    def keys(self) -> list[str]:
        """The streams it carries, for people."""
        ...

    def total_sent_bytes(self) -> int:
        """Bytes the kernel has taken, shared ones included."""
        ...

    def close_gracefully(self, why: str) -> None:
        """Flush, FIN, discard what still comes, close."""
        ...

    def close_now(self, why: str) -> None:
        """Close without waiting for anything."""
        ...

    def abort(self, why: str) -> None:
        """Close with a reset."""
        ...
