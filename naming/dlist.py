"""``dlist://a:1,b:2``: a list whose names are followed when they move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from naming.lines import parse_items
from naming.list import ListService
from naming.node import ServerNode
from naming.polling import ItemResolver, poll
from naming.registry import register


@register("dlist")
class DynamicListService(ListService):
    """Written as ``list://``; all names are looked up again each interval."""

    __slots__ = ()

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow ``name``: items with commas between, bad ones skipped."""
        items, faults = parse_items(name.split(","))
        for fault in faults:
            self._context.skip(fault)
        resolver = ItemResolver(self._context)
        async for servers in poll(self._context, lambda: resolver.resolve(items)):
            yield servers
