"""A server as a naming service knows it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServerNode:
    """One server: where it is and what its source said of it.

    Equality is endpoint and tag: the same endpoint with two tags is two servers. Priority
    and name are no part of it, so a server that becomes a spare one is still the same.

    Attributes:
        host: numeric IPv4 or IPv6 address (no brackets).
        port: TCP port, 0-65535.
        tag: free text of the source; balancers with weights read it as a number.
        name: the host name that stood for the address, to be found in its certificate; "" for a numeric one.
        priority: those of the lowest number are asked first, others stand by (RFC 2782).
    """

    host: str
    port: int
    tag: str = ""
    priority: int = field(default=0, compare=False)
    name: str = field(default="", compare=False)

    @property
    def endpoint(self) -> str:
        """``a.b.c.d:port`` or ``[v6]:port``: the text that consistent hashing hashes."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
