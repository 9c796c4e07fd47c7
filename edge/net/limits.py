"""How many connections may be open at once, in all and from one address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.net.connection_set import ConnectionSet, FromHost
from edge.net.trust import trusted_proxies

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
        # Behind one balancer there are many clients: each counts by its own address once that is known.
        proxies = self._context.config.trusted_proxies
        return None if proxies and trusted_proxies(proxies).is_trusted(host) else self.why_client_refused(host)

    def why_client_refused(self, host: str) -> str | None:
        """The same by address alone, for one that has been counted with all others."""
        limit = self._context.config.max_connections_per_ip
        if limit and self._context.connections.count_from(host) + self.undecided.count_from(host) >= limit:
            return "max_connections_per_ip"
        return None
