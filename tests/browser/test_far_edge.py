"""mpegts.js plays at the far edge of three nodes what is published at the origin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.player import BrowserPlayer
from tests.harness.clients import ffmpeg_publish
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.server import Chain

pytestmark = pytest.mark.browser


async def test_plays_all_forms_and_their_end(browser: BrowserPlayer, clips: Callable[[str], Path]) -> None:
    """One after the other, at their own pace, and without an error to the end."""
    with Chain("-publisher_return_ms=500") as chain:
        origin, place = chain.origin, f"{chain.far_edge.address}/live/clip"
        with ffmpeg_publish(clips("bbb-360p-10s.flv"), origin.rtmp_url("live", "clip")) as publisher:
            await asyncio.to_thread(wait_until_sync, lambda: origin.has_stream("clip"), deadline(3), "the stream")
            for url in (f"http://{place}.ts", f"ws://{place}.flv", f"http://{place}.flv"):
                await asyncio.to_thread(browser.play, url)
                state = await asyncio.to_thread(browser.wait_playing, for_s=0.5, min_frames=5)
                assert state.video_codec.startswith("avc1.") and state.audio_codec.startswith("mp4a.40."), state
                assert state.width > 0 and state.decoded_audio_bytes > 0, state
                assert len(set(await asyncio.to_thread(browser.picture))) > 4, "a picture, and not one colour"
            await publisher.wait_ok(14)
            await asyncio.to_thread(browser.wait_for, lambda state: state.is_complete, 5, "the end of the stream")
