"""A connection as it stands in the list of those that are open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge.net.connection_set import FromHost
from edge.net.system import TcpInfo


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


@dataclass(frozen=True, slots=True)
class SocketFacts:
    """What is known of the socket of a connection, and of what waits in it.

    Attributes:
        state: ``open``, ``closing`` or ``closed``.
        local: our own end.
        idle_ms: since bytes last came.
        is_polled: whether the poller watches it for reading; a timer reads the others.
        is_blocked: it waits until the kernel takes bytes again.
        queued_bytes: its own, not yet taken by the kernel.
        behind_bytes: of the shared log, and private ones, that a player has not got yet; others have none.
        unsent_bytes: in the kernel; ``unacknowledged_bytes`` those that the peer's kernel has not confirmed,
            None where the system does not tell.
        tcp: None where the system does not tell.
    """

    number: int
    fd: int
    state: str
    local: str
    idle_ms: int
    is_encrypted: bool
    is_polled: bool
    is_blocked: bool
    queued_bytes: int
    behind_bytes: int
    unsent_bytes: int
    unacknowledged_bytes: int | None
    read_limit_bytes: int
    tcp: TcpInfo | None


class Listed(FromHost, Protocol):
    """What may be asked of any connection, and done to it, without knowing what it speaks."""

    number: int
    peer: str
    received_bytes: int
    state: str

    @property
    def is_feeding(self) -> bool:
        """It brings streams, or may yet bring the end of one."""
        ...

    def total_sent_bytes(self) -> int:
        """Bytes the kernel has taken, shared ones included."""
        ...

    def describe(self) -> ConnectionFacts:
        """How it stands now."""
        ...

    def describe_socket(self) -> SocketFacts:
        """How its socket stands now; asks the kernel some things."""
        ...

    def last_active_ms(self) -> int | None:
        """When bytes last went in or out; None of one that may be idle as long as it likes."""
        ...

    def ask_to_reconnect(self, base: str = "") -> None:
        """The server will stop: ask the peer to go elsewhere, where its protocol has words for that.

        ``base``: another server, as ``rtmp[s]://host[:port]``; "" where it has to find one by itself.
        """
        ...

    def take_last(self) -> None:
        """Read what has come, if it brings streams, and nothing from then on."""
        ...

    @property
    def has_more_to_send(self) -> bool:
        """Something that it is to be sent has not been taken by the kernel."""
        ...

    def shut_down(self, why: str) -> None:
        """The server stops: tell the peer why, then close; nothing where that is its owner's to do."""
        ...

    def kick(self, why: str) -> None:
        """Somebody ends it on purpose: tell the peer why, then close; what it publishes is over, not lost."""
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
