"""hls.js in the player page goes where content steering sends it, and plays on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.runtime.assembly import assemble
from tests.browser.player import BrowserPlayer
from tests.harness.clients import ffmpeg_publish
from tests.harness.clock import deadline, wait_until, wait_until_sync
from tests.httpd.siblings import siblings
from tests.runtime.nodes import RunningNode, settings_of

pytestmark = pytest.mark.browser

SEGMENT_S = 2.0
_SEEN = """
    const media = performance.getEntriesByType("resource").filter((entry) => /[.]m4s/.test(entry.name));
    performance.clearResourceTimings();
    return { ports: media.map((entry) => Number(new URL(entry.name).port)),
             state: document.getElementById("player").dataset.state,
             at: document.getElementById("video").currentTime };
"""


@asynccontextmanager
async def started(*flags: str) -> AsyncIterator[RunningNode]:
    """A node as ``running`` has it, beside a browser that is driven over sockets of this process too."""
    daemon = assemble(settings_of(*flags), asyncio.get_running_loop())
    one = RunningNode(daemon)
    await daemon.start()
    try:
        yield one
    finally:
        await one.close()


async def test_the_page_plays_from_the_other_node_and_comes_back(
    browser: BrowserPlayer, clips: Callable[[str], Path], tmp_path: Path
) -> None:
    def seen() -> dict[str, Any]:
        return dict(browser.driver.execute_script(_SEEN))

    async def plays_from(node: RunningNode, within_s: float) -> None:
        def holds() -> bool:
            found = seen()
            return found["state"] == "playing" and bool(found["ports"]) and set(found["ports"]) == {node.port()}

        try:
            await asyncio.to_thread(wait_until_sync, holds, deadline(within_s), f"media of port {node.port()}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{browser.console()}") from None

    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(started(f"-hls_fragment_s={SEGMENT_S}"))
        # Whoever has run dry, on a machine that has else to do, is away for no longer than that.
        flags = (f"-proxy_to=127.0.0.1:{origin.port()}", "-hls_steer_hold_s=2")
        one, other = await stack.enter_async_context(siblings(tmp_path, *flags, run=started))
        url = f"rtmp://127.0.0.1:{origin.port()}/live/s"
        stack.enter_context(ffmpeg_publish(clips("bbb-360p-10s.flv"), url, loops=-1))
        await wait_until(lambda: origin.node.units[0].registry.streams, deadline(5), "the stream")
        page = f"http://127.0.0.1:{one.port()}/play/live/s?output=ll&muted=1"
        try:
            await asyncio.to_thread(browser.driver.get, page)
            await plays_from(one, 20)
            one.node.is_draining = True
            await plays_from(other, 11)
            one.node.is_draining = False
            await plays_from(one, 11)
        finally:
            await asyncio.to_thread(browser.driver.get, browser.page_url)
        (stream,) = await one.facts.streams()
        found = stream.quality
        assert found is not None and found.sessions == 1
        assert found.stall_ms <= SEGMENT_S * 1000 * max(found.stall_count, 1), found
        console = await asyncio.to_thread(browser.console)
        assert [line for line in console if "favicon" not in line] == []
