"""Asking the nodes along a stream's way why it plays or does not: on the connections that they have, and no others.

Each node answers with what it knows itself and what the nodes behind it have said in
time. A hop list keeps a ring from being walked, the time that is left shrinks by
``HOP_MS`` with each hop, and each connection is answered ten times a second at most,
all of them together fifty times: whoever says that it is a node may ask, on many connections.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from edge.hub.key import StreamKey
from edge.net.aio import TaskOwner, spawn
from edge.service.answers import NodeReport, Trouble
from edge.service.insight import NOTHING, Neighbour, Question
from edge.service.report import decode_nodes, encode_nodes, node_report
from edge.service.service import Service
from edge.service.story import Kind

if TYPE_CHECKING:
    from edge.rtmp.events import WhyAsked

logger = logging.getLogger(__name__)

#: What each further hop has less; and the time of the first, which is enough for three of them.
HOP_MS = 500
WITHIN_MS = 3 * HOP_MS
#: Questions that a connection may ask, and is answered, in a second.
MAX_PER_S = 10
#: Questions of other nodes that a service answers in a fifth of a second; each may take a few milliseconds.
MAX_OF_ALL = 10
_OF_ALL_MS = 200
#: Nodes next to this one that are asked about one stream.
_MAX_NEIGHBOURS = 3
#: Questions of other nodes that are being answered at a time.
_MAX_AT_A_TIME = 64


class Allowance:
    """So many of something within a time, a second by default, and no more."""

    __slots__ = ("_count", "_each_ms", "_most", "_place")

    def __init__(self, most: int, each_ms: int = 1000) -> None:
        self._most = most
        self._each_ms = each_ms
        self._place = -1
        self._count = 0

    def admits(self, now_ms: int) -> bool:
        """Whether one more may be now."""
        if now_ms // self._each_ms != self._place:
            self._place, self._count = now_ms // self._each_ms, 0
        self._count += 1
        return self._count <= self._most


class WhyTalk:
    """What one connection has asked, and how often it was asked."""

    __slots__ = ("_allowance", "_last_number", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[int, Callable[[str | None], None]] = {}
        self._last_number = 0
        self._allowance = Allowance(MAX_PER_S)

    def ask(self, answered: Callable[[str | None], None]) -> int:
        """The number of a new question; of too many that wait the oldest is given up."""
        if len(self._waiting) >= MAX_PER_S:
            self.take_answer(next(iter(self._waiting)), None)
        self._last_number += 1
        self._waiting[self._last_number] = answered
        return self._last_number

    def take_answer(self, number: int, text: str | None) -> None:
        """Hand an answer on; nothing for a question that was never asked, or is answered already."""
        answered = self._waiting.pop(number, None)
        if answered is not None:
            answered(text)

    def may_answer(self, now_ms: int) -> bool:
        """Whether one more question of this second is to be answered."""
        return self._allowance.admits(now_ms)

    def close(self) -> None:
        """The connection is over: nothing will be answered."""
        waiting, self._waiting = self._waiting, {}
        for answered in waiting.values():
            answered(None)


class WhyDesk:
    """Where the questions about the streams of one service are answered."""

    def __init__(self, service: Service, now_ms: Callable[[], int]) -> None:
        self._service = service
        self._now_ms = now_ms
        self._tasks = TaskOwner("why")
        self._allowance = Allowance(MAX_OF_ALL, _OF_ALL_MS)

    async def nodes(
        self, key: StreamKey, *, hops: tuple[str, ...] = (), within_ms: int = WITHIN_MS
    ) -> list[NodeReport]:
        """Reports on ``key`` (see ``service/report.py``): of this node, then of those behind it, the nearest first.

        Takes ``within_ms`` at most. Empty where this service is among ``hops``.
        """
        service = self._service
        if service.service_id in hops:
            return []
        mine = node_report(service, key, self._now_ms())
        neighbours = [each for each in self._neighbours(key) if each[1].edge_id not in hops][:_MAX_NEIGHBOURS]
        if not neighbours or within_ms <= 0:
            return [mine]
        question = Question(key, (*hops, service.service_id), within_ms)
        found = await asyncio.gather(*(self._ask(*each, question) for each in neighbours))
        troubles = tuple(each for each in found if isinstance(each, Trouble))
        mine = replace(mine, conditions=(*mine.conditions, *troubles))
        return [mine, *(node for nodes in found if isinstance(nodes, list) for node in nodes)]

    def _neighbours(self, key: StreamKey) -> list[tuple[str, Neighbour]]:
        """The upstreams of the stream, and the node that pushes it here."""
        service = self._service
        source = service.source.insight(key) if service.source is not None else NOTHING
        found = list(source.neighbours)
        stream = service.registry.find(service.publish_key(key))
        publish = service.publishes.get(stream.publisher) if stream is not None and stream.publisher else None
        if publish is not None and publish.client.is_hop:
            found.append((publish.client.peer, cast(Neighbour, publish.client)))  # it is the connection itself
        return found

    async def _ask(self, server: str, neighbour: Neighbour, question: Question) -> list[NodeReport] | Trouble:
        """What the neighbour says; that it says nothing in time is a trouble of this node."""
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()

        def answered(text: str | None) -> None:
            if not answer.done():
                answer.set_result(text)

        if not neighbour.ask_why(question, answered):
            return []
        try:
            async with asyncio.timeout(question.within_ms / 1000):
                text = await answer
        except TimeoutError:
            said = f"the next node, {server}, is connected and has not answered in {question.within_ms} ms"
            return Trouble(Kind.NO_ANSWER.value, said)
        return decode_nodes(text) if text else []

    def answer(self, event: WhyAsked, reply: Callable[[str], None]) -> None:
        """Answer another node; ``reply`` is called once, later, with the text."""
        if len(self._tasks) >= _MAX_AT_A_TIME or not self._allowance.admits(self._now_ms()):
            reply("")
            return
        spawn(self._answer(event, reply), name="why", owner=self._tasks)

    async def _answer(self, event: WhyAsked, reply: Callable[[str], None]) -> None:
        key = StreamKey(event.vhost, event.app, event.stream_name)
        within_ms = min(event.within_ms, WITHIN_MS) - HOP_MS
        nodes = await self.nodes(key, hops=event.hops, within_ms=within_ms)
        reply(encode_nodes(nodes))

    async def close(self) -> None:
        """The service ends."""
        await self._tasks.close()
