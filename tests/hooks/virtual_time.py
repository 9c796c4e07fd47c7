"""A loop whose time goes on when nobody has anything to do, and a server that follows a script in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from edge.hooks.caller import CallFailedError, Reply
from edge.hooks.form import Call

Result = TypeVar("Result")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Sleeps cost nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._at_s = 1000.0

    def time(self) -> float:
        return self._at_s

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready and scheduled:
            self._at_s = max(self._at_s, scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """Run it to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def now_ms() -> int:
    """Of the loop that runs."""
    return round(asyncio.get_running_loop().time() * 1000)


Reaction = Callable[[Call], Reply | None]


class Scripted:
    """A caller without a network.

    Attributes:
        react: the reply to a call; None for none at all.
        takes_s: how long that takes.
        calls: those that were made.
        most: that were in progress at a time.
    """

    def __init__(self, react: Reaction = lambda _: Reply(200, "", b"0"), takes_s: float = 0.01) -> None:
        self.react = react
        self.takes_s = takes_s
        self.calls: list[Call] = []
        self.headers: list[Mapping[str, str]] = []
        self.is_refusing = False
        self._running = self.most = 0

    async def call(self, call: Call, headers: Mapping[str, str], *, within_s: float) -> Reply:
        self.calls.append(call)
        self.headers.append(headers)
        if self.is_refusing:
            raise CallFailedError("Connection refused", is_unconnected=True)
        self._running += 1
        self.most = max(self.most, self._running)
        try:
            reply = self.react(call)
            if reply is None or self.takes_s > within_s:
                await asyncio.sleep(within_s)
                raise CallFailedError(f"no answer in {within_s * 1000:.0f} ms")
            await asyncio.sleep(self.takes_s)
            return reply
        finally:
            self._running -= 1


def yes(_: Call) -> Reply:
    return Reply(200, "", b'{"code":0}')


def no(_: Call) -> Reply:
    return Reply(200, "", b'{"code":1,"data":{"reason":"not paid"}}')


def nothing(_: Call) -> None:
    return None
