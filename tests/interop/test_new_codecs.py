"""Streams of HEVC, AV1 and Opus cross three nodes as they are, and what arrives can be decoded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.clients import ffmpeg_publish
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.coded import KINDS, synthesise
from tests.harness.recordings import assert_tags_are_frames, read_tags
from tests.harness.server import Chain, EdgeServer
from tests.harness.tag_compare import compare_tags
from tests.harness.tag_rtmp import ENHANCED_CONNECT, TagPlayer, TagPublisher, tags_of

pytestmark = pytest.mark.interop

_RETURN_FLAG = "-publisher_return_ms=500"


async def wait_for_stream(server: EdgeServer, name: str) -> None:
    await asyncio.to_thread(wait_until_sync, lambda: server.has_stream(name), deadline(3), f"stream {name}")


async def test_new_codecs_through_three_nodes(tmp_path: Path) -> None:
    """All of them side by side in one chain; each player waits before its publisher comes."""
    made = {kind: await asyncio.to_thread(synthesise, kind, tmp_path) for kind in KINDS}
    with Chain(_RETURN_FLAG) as chain:

        async def cross(kind: str) -> TagPlayer:
            _, frames = made[kind]
            async with TagPlayer(chain.far_edge.rtmp_url("live", kind)) as player:
                await wait_for_stream(chain.far_edge, kind)
                url = chain.origin.rtmp_url("live", kind)
                async with TagPublisher(url, tags_of(frames), speed=2.0, **ENHANCED_CONNECT) as publisher:
                    await publisher.wait_done(3)
                await player.wait_end(4)
            return player

        players = await asyncio.gather(*(cross(kind) for kind in KINDS))
    for kind, player in zip(KINDS, players, strict=True):
        source, frames = made[kind]
        await assert_tags_are_frames(player.items, frames, source, tmp_path, from_first=True)


async def test_tags_of_a_clip_that_ffmpeg_publishes_cross_three_nodes(clips: Callable[[str], Path]) -> None:
    """Its tags are those of the file: what is received may be held against the clip itself."""
    clip = clips("bbb-720p-5s.mp4")
    with Chain(_RETURN_FLAG) as chain:
        async with TagPlayer(chain.far_edge.rtmp_url("live", "clip")) as player:
            await wait_for_stream(chain.far_edge, "clip")
            with ffmpeg_publish(clip, chain.origin.rtmp_url("live", "clip"), rate=4.0) as publisher:
                await publisher.wait_ok(9)
            await player.wait_end(4)
    compare_tags(await asyncio.to_thread(read_tags, clip), player.items).assert_exact(from_first=True)
