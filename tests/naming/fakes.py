"""A resolver and a clock for tests of naming services."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from naming.base import NamingContext, NamingError, NamingOptions
from naming.endpoint import is_ip


class FakeResolver:
    """Answers from a table that the test may change; an absent name fails."""

    def __init__(self, **answers: Sequence[str]) -> None:
        self.answers: dict[str, Sequence[str]] = dict(answers)
        self.asked: list[str] = []

    async def resolve(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if is_ip(host):
            return [host]
        if host not in self.answers:
            raise NamingError(f'cannot resolve "{host}"')
        return self.answers[host]


class Steps:
    """Sleeps that end only when the test says so."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self._turn = asyncio.Condition()
        self._allowed = 0

    async def sleep(self, seconds: float) -> None:
        async with self._turn:
            self.waits.append(seconds)
            turn = len(self.waits)
            self._turn.notify_all()
            await self._turn.wait_for(lambda: self._allowed >= turn)

    async def reach_sleep(self) -> None:
        """Wait until the code under test sleeps."""
        async with self._turn:
            await self._turn.wait_for(lambda: len(self.waits) > self._allowed)

    async def end_sleep(self) -> None:
        """Wait until the code under test sleeps, and wake it."""
        await self.reach_sleep()
        async with self._turn:
            self._allowed += 1
            self._turn.notify_all()

    async def next_round(self) -> None:
        """End the sleep, and wait for the next one."""
        await self.end_sleep()
        await self.reach_sleep()


def make_context(
    resolver: FakeResolver | None = None,
    steps: Steps | None = None,
    on_failure: Callable[[str], None] = lambda detail: None,
) -> NamingContext:
    """A context without real names and real time, unless ``steps`` is missing."""
    sleep = steps.sleep if steps else asyncio.sleep
    return NamingContext(NamingOptions(), resolver or FakeResolver(), on_failure, sleep)
