"""One plain ``host:port``, followed when its name moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from naming.base import NamingContext, NamingError
from naming.endpoint import is_ip, name_of, parse_endpoint
from naming.node import ServerNode


class StaticService:
    """Yield the one server: the first address of the name.

    The name is looked up each interval. The address in use is kept as long as
    it is among the answers, whose order may change at every question.
    """

    __slots__ = ("_context",)

    def __init__(self, context: NamingContext) -> None:
        self._context = context

    def check_name(self, name: str) -> None:
        """Raise NamingError unless ``name`` is ``host:port``."""
        parse_endpoint(name)

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow ``name``: ``host:port`` or ``[v6]:port``; a numeric address is never looked up."""
        host, port = parse_endpoint(name)
        if is_ip(host):
            yield [ServerNode(host, port)]
            await asyncio.Event().wait()
        current = ""
        while True:
            try:
                addresses = await self._context.resolver.resolve(host)
            except NamingError as error:
                self._context.on_failure(str(error))
            else:
                current = current if current in addresses else addresses[0]
                yield [ServerNode(current, port, name=name_of(host))]
            await self._context.sleep(self._context.options.ns_access_interval)
