"""A page of ours in the browser; all that is asked of it blocks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from tests.browser.player import BrowserPlayer
from tests.harness.clients import ffmpeg_publish
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.server import EdgeServer


class BrowserPage:
    """One page.

    Attributes:
        look: script whose result is what is to be seen of the page.
    """

    look: ClassVar[str]

    def __init__(self, browser: BrowserPlayer) -> None:
        self.browser, self.driver = browser, browser.driver

    def state(self) -> dict[str, Any]:
        """What is to be seen now."""
        return dict(self.driver.execute_script(self.look))

    def wait(self, condition: Callable[[dict[str, Any]], object], within_s: float, what: str) -> dict[str, Any]:
        """Wait until what is to be seen is so; returns that."""
        last: list[dict[str, Any]] = []

        def holds() -> object:
            last[:] = [self.state()]
            return condition(last[0])

        try:
            wait_until_sync(holds, deadline(within_s), what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{last}\n{self.browser.console()[-5:]}") from None
        return last[0]


@asynccontextmanager
async def published(node: EdgeServer, clip: Path, name: str = "clip") -> AsyncIterator[None]:
    """A broadcast that goes on until the block is left."""
    with ffmpeg_publish(clip, node.rtmp_url("live", name), loops=-1):
        await asyncio.to_thread(wait_until_sync, lambda: node.has_stream(name), deadline(5), "the stream")
        yield
