"""hls.js in the player page goes where content steering sends it, and plays on: from nodes that drain or are slow."""

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
from tests.harness.hls_client import HlsClient, open_session
from tests.harness.portable import needs_linux
from tests.harness.slow_line import edges
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


async def plays_from(browser: BrowserPlayer, port: int, within_s: float) -> None:
    """Wait until all media that come are from there."""

    def holds() -> bool:
        found: dict[str, Any] = dict(browser.driver.execute_script(_SEEN))
        return found["state"] == "playing" and bool(found["ports"]) and set(found["ports"]) == {port}

    try:
        await asyncio.to_thread(wait_until_sync, holds, deadline(within_s), f"media of port {port}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{browser.console()}") from None


async def test_the_page_plays_from_the_other_node_and_comes_back(
    browser: BrowserPlayer, clips: Callable[[str], Path], tmp_path: Path
) -> None:
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
            await plays_from(browser, one.port(), 20)
            one.node.is_draining = True
            await plays_from(browser, other.port(), 11)
            one.node.is_draining = False
            await plays_from(browser, one.port(), 11)
        finally:
            await asyncio.to_thread(browser.driver.get, browser.page_url)
        (stream,) = await one.facts.streams()
        found = stream.quality
        assert found is not None and found.sessions == 1
        assert found.stall_ms <= SEGMENT_S * 1000 * max(found.stall_count, 1), found
        console = await asyncio.to_thread(browser.console)
        assert [line for line in console if "favicon" not in line] == []


@needs_linux
async def test_the_page_leaves_a_node_throttled_to_half_and_hardly_stalls(
    browser: BrowserPlayer, clips: Callable[[str], Path], tmp_path: Path
) -> None:
    """With some other viewers, without whom it might be the page's own line that is slow."""
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(edges(tmp_path, f"-hls_fragment_s={SEGMENT_S}"))
        stack.enter_context(ffmpeg_publish(clips("bbb-360p-10s.flv"), found.origin.rtmp_url("live", "s"), loops=-1))
        session = await stack.enter_async_context(open_session())
        url = f"{found.base}/live/s.classic.m3u8"
        await asyncio.to_thread(wait_until_sync, lambda: found.origin.has_stream("s"), deadline(5), "the stream")
        others = [
            await stack.enter_async_context(HlsClient(url, session=session, follows_steering=True)) for _ in range(4)
        ]
        page = f"{found.base}/play/live/s?output=ll&muted=1"
        try:
            await asyncio.to_thread(browser.driver.get, page)
            await plays_from(browser, found.line.port, 20)
            await others[0].wait_media(3, 20)
            needed_bps = await found.needed_bps(2 * SEGMENT_S)
            found.narrow(needed_bps / 2)
            await plays_from(browser, found.other.port, 10)
        finally:
            await asyncio.to_thread(browser.driver.get, browser.page_url)
        assert "reason=late_media" in found.node.log

        def quality() -> dict[str, Any]:
            rows = [row["quality"] for row in found.node.streams() if "quality" in row]
            return dict(rows[0]) if rows else {}

        lived = await asyncio.to_thread(quality)
        assert lived["stall_ms"] <= deadline(SEGMENT_S) * 1000 * max(lived["stall_count"], 1), lived
