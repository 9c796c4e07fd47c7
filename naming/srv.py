"""``srv://name``: the servers of the SRV records of a name, such as ``_rtmp._tcp.live.example.com``.

Kubernetes writes such records for each named port of a headless service.
``?server=127.0.0.1:5353`` names the DNS server to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from naming.base import NamingContext, NamingError
from naming.endpoint import check_host, name_of
from naming.lookup import MAX_TTL_S, Found, Lookup, NoRecordError, follow, parse_question
from naming.node import ServerNode
from naming.registry import register

# Questions in flight at a time: a long list of targets must not become a burst.
_MAX_QUESTIONS = 16


@register("srv")
class SrvService:
    """The servers of all priorities; which of them are asked is up to who follows, for it knows which are up.

    The weight becomes the tag; 0, which means a small share (RFC 2782), becomes
    1, for balancers leave out servers of weight 0. A target whose addresses
    cannot be looked up now keeps those that it had; one that has none any more does not.
    """

    __slots__ = ("_context", "_known")

    def __init__(self, context: NamingContext) -> None:
        self._context = context
        self._known: dict[str, Found] = {}

    def check_name(self, name: str) -> None:
        """Raise NamingError unless ``name`` is a DNS name, without a port."""
        check_host(parse_question(name).text, name)

    async def watch(self, name: str) -> AsyncIterator[Sequence[ServerNode]]:
        """Follow ``name``: ``_service._proto.host[?server=address[:port]]``."""
        self.check_name(name)
        question = parse_question(name)
        lookup = Lookup(question, self._context.options)
        async for servers in follow(self._context, lambda: self._ask(lookup, question.text)):
            yield servers

    async def _ask(self, lookup: Lookup, name: str) -> tuple[Sequence[ServerNode], int]:
        services, ttl_s = await lookup.services(name)
        services = sorted((each for each in services if each.target != "."), key=lambda each: each.priority)
        if not services:  # the target "." says that there is decidedly no such service
            return [], ttl_s
        wanted = {each.target for each in services}
        self._known = {target: found for target, found in self._known.items() if target in wanted}
        answers = await self._resolve(lookup, [each.target for each in services])
        servers = [
            ServerNode(address, each.port, str(max(each.weight, 1)), each.priority, name_of(each.target))
            for each in services
            if each.target in answers
            for address in answers[each.target].records
        ]
        if not servers:
            raise NamingError(f'no target of "{name}" has an address')
        return servers, min(ttl_s, *(answer.ttl_s for answer in answers.values()), MAX_TTL_S)

    async def _resolve(self, lookup: Lookup, targets: Sequence[str]) -> dict[str, Found]:
        """The addresses of those targets that have any; the first ``ns_max_servers`` are looked up."""
        names = list(dict.fromkeys(targets))[: self._context.options.ns_max_servers]
        slots = asyncio.Semaphore(_MAX_QUESTIONS)
        answers: dict[str, Found] = {}

        async def ask(target: str) -> None:
            async with slots:
                try:
                    answers[target] = await lookup.addresses(target)
                except NamingError as error:
                    self._context.skip(str(error))
                    if isinstance(error, NoRecordError):
                        self._known.pop(target, None)
                    elif target in self._known:
                        answers[target] = Found(self._known[target].records, 0)

        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(ask(name))
        self._known.update(answers)
        return answers
