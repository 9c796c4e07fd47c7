"""The daemon's own https and wss in Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.player import BrowserPlayer
from tests.harness.clients import ffmpeg_publish
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.server import EdgeServer
from tests.naming.certificates import Authority

pytestmark = pytest.mark.browser


async def test_chromium_plays(tmp_path: Path, clips: Callable[[str], Path], browser: BrowserPlayer) -> None:
    pair = Authority(tmp_path, "authority").sign("server")
    with (
        EdgeServer("-https", f"-certificate={pair.cert}", f"-private_key={pair.key}", "-force_ssl") as server,
        ffmpeg_publish(clips("bbb-360p-10s.flv"), f"rtmps://{server.address}/live/clip", loops=-1),
    ):
        await asyncio.to_thread(wait_until_sync, lambda: server.has_stream("clip"), deadline(5), "the stream")
        for scheme, ending in (("https", "flv"), ("wss", "flv"), ("https", "ts")):
            await asyncio.to_thread(browser.play, f"{scheme}://{server.address}/live/clip.{ending}")
            state = await asyncio.to_thread(browser.wait_playing, for_s=0.5, min_frames=5)
            assert state.video_codec.startswith("avc1.") and state.decoded_audio_bytes > 0, state
        await asyncio.to_thread(browser.stop)
