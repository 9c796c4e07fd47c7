"""A connection that a listener accepted, on its way to whoever serves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge.net.address import Address, is_loopback
from edge.net.byte_stream import ByteStream


class Entrance(Protocol):
    """The listener, as whoever serves its connections sees it.

    Attributes:
        role: the owner's word for what it is.
        is_internal: connections accepted here may see the admin pages.
    """

    role: str
    is_internal: bool

    def detect(self, accepted: Accepted) -> None:
        """Find out what a connection speaks, and hand it to whoever serves that."""
        ...


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What the handshake of TLS agreed on.

    Attributes:
        version: such as ``TLSv1.3``.
        server_name: the one that the client asked for (RFC 6066 §3), "" for none.
    """

    version: str
    server_name: str = ""


@dataclass(slots=True)
class Accepted:
    """A connection whose first bytes are known and unread.

    Who takes it over owns the wire. Who unwraps it, as TLS does, gives what is inside to
    ``entrance.detect``, as an ``Accepted`` with a wire of its own.

    Attributes:
        address: of the peer.
        tls: None for one that is not encrypted.
        head: the first bytes, as far as they were looked at; set when its protocol is known.
        is_proxied: a load balancer has said the address: no such peer is on this machine, whatever it says.
        accepted_ms: monotonic, when its listener took it in.
    """

    wire: ByteStream
    address: Address
    entrance: Entrance
    tls: TlsFacts | None = None
    head: bytes = b""
    accepted_ms: int = 0
    is_proxied: bool = False

    @property
    def is_local(self) -> bool:
        """Whether this machine itself has connected; what a load balancer on it hands on has come from elsewhere."""
        return not self.is_proxied and is_loopback(self.address.host)


Handler = Callable[[Accepted], None]
"""Takes over a connection."""
