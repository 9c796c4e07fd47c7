"""A relay before a node that tells RTMP and HTTP apart, and counts what is asked for by HTTP."""

from __future__ import annotations

import asyncio
from collections import Counter

from tests.harness.fault_proxy import Direction, FaultProxy


class CountingProxy(FaultProxy):
    """Attributes:
    asked: targets of GET requests, with their queries.
    """

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self.asked: Counter[str] = Counter()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction) -> bool:
        if way is self.up:
            reader = _Heard(reader, self.asked)
        return await super()._pass_on(reader, writer, way)

    def count(self, ending: str) -> int:
        """Requests for paths that end in this."""
        return sum(count for target, count in self.asked.items() if target.partition("?")[0].endswith(ending))


class _Heard(asyncio.StreamReader):
    """Counts the heads that go through; a request has no body, and comes in one piece."""

    def __init__(self, reader: asyncio.StreamReader, asked: Counter[str]) -> None:
        super().__init__()
        self._reader, self._asked = reader, asked

    async def read(self, n: int = -1) -> bytes:
        data = await self._reader.read(n)
        if data.startswith(b"GET "):
            self._asked[data.split(b" ", 2)[1].decode()] += 1
        return data
