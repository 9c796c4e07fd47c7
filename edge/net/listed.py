"""A connection as it stands in the list of those that are open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge.net.connection_set import FromHost


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """What pages tell of a connection.

    Attributes:
        number: for logs, ``c<number>``.
        role: what it is for, in a word.
        service: name of the service that it reached; None of one that reached none itself.
        keys: the streams it carries, for people.
        created_ms: monotonic.
        sent_bytes: those the kernel has taken, shared ones included.
    """

    number: int
    peer: str
    protocol: str
    role: str
    service: str | None
    keys: tuple[str, ...]
    created_ms: int
    received_bytes: int
    sent_bytes: int


class Listed(FromHost, Protocol):
    """What may be asked of any connection, and done to it, without knowing what it speaks."""

    number: int
    peer: str
    state: str

    @property
    def is_feeding(self) -> bool:
        """It brings streams, or may yet bring the end of one."""
        ...

    def describe(self) -> ConnectionFacts:
        """How it stands now."""
        ...

    def last_active_ms(self) -> int | None:
        """When bytes last went in or out; None of one that may be idle as long as it likes."""
        ...

    def shut_down(self, why: str) -> None:
        """The server stops: tell the peer why, then close; nothing where that is its owner's to do."""
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
