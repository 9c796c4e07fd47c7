"""``list://a:1,b:2``: the servers stand in the URL itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from naming.base import NamingContext, NamingError
from naming.endpoint import name_of
from naming.lines import Item, parse_items
from naming.node import ServerNode
from naming.registry import register


@register("list")
class ListService:
    """Yield the list once its names are resolved.

    Names are looked up once; one that cannot be resolved is left out and asked
    for again each interval until all have answered (brpc forgets it for ever).
    """

    __slots__ = ("_context",)

    def __init__(self, context: NamingContext) -> None:
        self._context = context

    def check_name(self, name: str) -> None:
        """Raise NamingError for the first bad item, and for a list without any."""
        items, faults = parse_items(name.split(","))
        if faults:
            raise NamingError(faults[0])
        if not items:
            raise NamingError(f'no servers in the list "{name}", expected host:port,host:port')

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow ``name``: items with commas between, bad ones skipped."""
        items, faults = parse_items(name.split(","))
        for fault in faults:
            self._context.skip(fault)
        resolved: dict[Item, ServerNode] = {}
        while True:
            await self._resolve(items, resolved)
            if resolved or not items:  # no name answered: an outage, not an empty list
                yield [resolved[item] for item in items if item in resolved]
            if len(resolved) == len(items):
                break
            await self._context.sleep(self._context.options.ns_access_interval)
        await asyncio.Event().wait()

    async def _resolve(self, items: list[Item], resolved: dict[Item, ServerNode]) -> None:
        """Add to ``resolved`` each item that has an address now; all are asked at once."""
        missing = [item for item in items if item not in resolved]
        answers = await asyncio.gather(
            *(self._context.resolver.resolve(item.host) for item in missing), return_exceptions=True
        )
        faults = []
        for item, answer in zip(missing, answers, strict=True):
            if isinstance(answer, NamingError):
                faults.append(str(answer))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                resolved[item] = ServerNode(answer[0], item.port, item.tag, name=name_of(item.host))
        # A name without an answer beside others that have one is a part that is left out, no outage.
        for fault in faults:
            if resolved:
                self._context.skip(fault)
            else:
                self._context.on_failure(fault)
