"""``dns://name[:port]``: all addresses of one name, for as long as its DNS server says.

``?server=127.0.0.1:5353`` names the DNS server to ask, several in the order of trying.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from naming.base import NamingContext, NamingError
from naming.endpoint import name_of, parse_endpoint
from naming.lookup import Lookup, follow, parse_question
from naming.node import ServerNode
from naming.registry import register

_DEFAULT_PORT = 80


@register("dns")
class DnsService:
    """The IPv4 addresses of a name, or its IPv6 ones when it has no IPv4; port 80 unless the name says otherwise."""

    __slots__ = ("_context",)

    def __init__(self, context: NamingContext) -> None:
        self._context = context

    def check_name(self, name: str) -> None:
        """Raise NamingError unless ``name`` is ``host[:port][?server=address[:port]]``."""
        _, port = parse_endpoint(parse_question(name).text, default_port=_DEFAULT_PORT)
        if port == 0:
            raise NamingError(f'bad address "{name}": port 0 cannot be connected to')

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow ``name``."""
        self.check_name(name)
        question = parse_question(name)
        host, port = parse_endpoint(question.text, default_port=_DEFAULT_PORT)
        lookup = Lookup(question, self._context.options)

        async def ask() -> tuple[Sequence[ServerNode], int]:
            found = await lookup.addresses(host)
            return [ServerNode(address, port, name=name_of(host)) for address in found.records], found.ttl_s

        async for servers in follow(self._context, ask):
            yield servers
