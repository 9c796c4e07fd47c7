"""How many connections may be open at once, in all and from one address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.net.connection_set import ConnectionSet, FromHost

if TYPE_CHECKING:
    from edge.net.accepted import Accepted
    from edge.net.context import NetContext
    from edge.net.sniff import WireProtocol


class Undecided(FromHost, Protocol):
    """An accepted connection that nobody serves yet.

    Attributes:
        accepted: what its listener took in.
        protocol: what it speaks, None while that is not known.
    """

    accepted: Accepted
    protocol: WireProtocol | None

    def hand_over(self) -> None:
        """Give it to the handler of its protocol, which is known."""
        ...

    def abort(self, why: str) -> None:
        """Close at once."""
        ...


class ConnectionLimits:
    """Counts the connections of a node, and refuses those that are too many.

    Attributes:
        undecided: accepted connections that nobody serves yet.
        max_connections: of all protocols together.
    """

    def __init__(self, context: NetContext, max_connections: int) -> None:
        self._context = context
        self.max_connections = max_connections
        self.undecided: ConnectionSet[Undecided] = ConnectionSet()

    @property
    def open_count(self) -> int:
        """Connections open now, of all protocols."""
        return len(self._context.connections) + len(self.undecided)

    def why_refused(self, host: str) -> str | None:
        """The reason to refuse one more connection from ``host``, or None."""
        if self.open_count >= self.max_connections:
            return "max_connections"
        limit = self._context.config.max_connections_per_ip
        if limit and self._context.connections.count_from(host) + self.undecided.count_from(host) >= limit:
            return "max_connections_per_ip"
        return None
