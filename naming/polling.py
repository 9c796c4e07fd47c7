"""The loop and the parts that several naming services share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from naming.base import NamingContext, NamingError
from naming.endpoint import is_ip, name_of
from naming.lines import Item, parse_items
from naming.node import ServerNode


async def poll(
    context: NamingContext,
    fetch: Callable[[], Awaitable[Sequence[ServerNode]]],
    interval_s: Callable[[], float] | None = None,
) -> AsyncIterator[Sequence[ServerNode]]:
    """Yield what ``fetch`` returns, again and again; its NamingErrors are told and yield nothing.

    ``interval_s`` gives the wait after a success, by default ``ns_access_interval``,
    which is also the wait after a failure: there is no back-off.
    """
    while True:
        wait_s: float = context.options.ns_access_interval
        try:
            servers = await fetch()
        except NamingError as error:
            context.on_failure(str(error))
        else:
            yield servers
            wait_s = interval_s() if interval_s is not None else wait_s
        await context.sleep(wait_s)


def read_items(text: str, context: NamingContext) -> list[Item]:
    """Read a list with one item per line; bad lines are told and left out.

    A last line without a newline counts, unlike in brpc, which loses it. Raises
    NamingError when there are bad lines and no good one: that is no list, and
    must not pass for an empty one.
    """
    items, faults = parse_items(text.removeprefix("\ufeff").split("\n"))
    if faults and not items:
        raise NamingError(f"none of {len(faults)} lines is a server, the first: {faults[0][:200]}")
    if faults:
        context.skip(f"{len(faults)} bad lines skipped, the first: {faults[0][:200]}")
    return items


class ItemResolver:
    """Turns items into servers, and knows the last address of each name through an outage.

    brpc drops an item whose name does not answer this time; here it keeps the
    address that it had, for an outage of DNS says nothing about a server.
    """

    __slots__ = ("_context", "_known", "_last")

    def __init__(self, context: NamingContext) -> None:
        self._context = context
        self._known: dict[str, str] = {}
        self._last: list[ServerNode] = []

    async def resolve(self, items: Sequence[Item]) -> list[ServerNode]:
        """Servers of the items, in their order, one address per name.

        Names without any address so far are left out. At most ``ns_max_servers``
        names are looked up. Raises NamingError when there are items and none has
        an address, and when no name has answered and the servers are those of the
        last time: nothing is known anew.
        """
        names = list(dict.fromkeys(item.host for item in items if not is_ip(item.host)))
        limit = self._context.options.ns_max_servers
        if len(names) > limit:
            self._context.skip(f"{len(names)} names, only {limit} are looked up")
            names = names[:limit]
        answers = await asyncio.gather(
            *(self._context.resolver.resolve(name) for name in names), return_exceptions=True
        )
        known: dict[str, str] = {}
        faults = []
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, NamingError):
                faults.append(str(answer))
                if name in self._known:
                    known[name] = self._known[name]
            elif isinstance(answer, BaseException):
                raise answer
            else:  # the order of an answer may change at every question
                known[name] = self._known[name] if self._known.get(name) in answer else answer[0]
        self._known = known
        servers = []
        for item in items:
            host = item.host if is_ip(item.host) else known.get(item.host)
            if host is not None:
                servers.append(ServerNode(host, item.port, item.tag, name=name_of(item.host)))
        if items and not servers:
            raise NamingError(faults[0] if faults else "no server has an address")
        if faults and len(faults) == len(names) and servers == self._last:
            raise NamingError(f"none of {len(names)} names has an answer, the first: {faults[0]}")
        self._last = servers
        if faults:
            self._context.skip(f"{len(faults)} names without an answer, the first: {faults[0]}")
        return servers
