"""Viewers of an edge whose line has half of what they need: they are elsewhere soon, and see next to nothing of it.

How soon, whenever it happens to whomever: tests/faults/test_steering_in_thought.py.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.harness.clock import FairClock, deadline, wait_until
from tests.harness.hls_client import HlsClient, open_session
from tests.harness.portable import needs_linux
from tests.harness.slow_line import edges
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

WITHIN_S = 10.0
PART_ELSEWHERE = 0.95
SEGMENT_S = 2.0
#: So long ago the stream has begun that there are segments to stay behind by.
_BEGUN_S = 8.0
#: Pictures of one distance, 0.4 Mbit/s.
_SCRIPT = Script(gop=25, video_bytes=2000)
_SUFFIXES = (".classic", ".classic", ".classic", ".ll") * 5


def plays_from(viewer: HlsClient, base: str) -> bool:
    """Whether its newest media are from there."""
    media = [fetched for fetched in viewer.fetches if fetched.kind in ("segment", "part", "hint") and fetched.is_whole]
    return bool(media) and media[-1].uri.startswith(f"{base}/")


@needs_linux
async def test_viewers_of_a_node_throttled_to_half_are_elsewhere_within_10_s(tmp_path: Path) -> None:
    """Where the machine is busy with other things, what this and the node wait for it is left out of the account."""
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(edges(tmp_path, f"-hls_fragment_s={SEGMENT_S}"))
        await stack.enter_async_context(SynthPublisher(found.origin.rtmp_url("live", "s"), _SCRIPT))
        session = await stack.enter_async_context(open_session())

        async def watch(suffix: str) -> HlsClient:
            url = f"{found.base}/live/s{suffix}.m3u8"
            viewer = HlsClient(url, session=session, follows_steering=True)
            return await stack.enter_async_context(viewer)

        first = await watch(".classic")
        await asyncio.sleep(_BEGUN_S)
        viewers = [await watch(suffix) for suffix in _SUFFIXES]
        for viewer in viewers:
            await viewer.wait_for(lambda seen=viewer: seen.played_count >= 4, 20, "the first media")
        needed_bps = await found.needed_bps(2 * SEGMENT_S)
        assert all(plays_from(viewer, found.base) for viewer in (first, *viewers))
        stalls_before = {viewer: len(viewer.playback.stalls) for viewer in viewers}
        clock = FairClock(found.node.pid)
        began, began_s = clock(), time.monotonic()
        found.narrow(needed_bps / 2)

        def are_elsewhere() -> bool:
            count = sum(plays_from(viewer, found.other_base) for viewer in viewers)
            return count >= PART_ELSEWHERE * len(viewers)

        await wait_until(are_elsewhere, deadline(WITHIN_S), "the viewers")
        took_s = clock() - began
        await asyncio.sleep(SEGMENT_S)
        waited_s = time.monotonic() - began_s - (clock() - began)
        stalls = [stall.length_s for viewer in viewers for stall in viewer.playback.stalls[stalls_before[viewer] :]]
        longest_s = max(stalls, default=0)
        print(
            f"{needed_bps / 1e6:.1f} Mbit/s halved: {took_s:.1f} s, {len(stalls)} stalls, the longest {longest_s:.2f} s"
        )
        assert took_s <= WITHIN_S
        assert longest_s <= SEGMENT_S + waited_s
        assert [viewer.missed for viewer in viewers if viewer.missed] == []
        assert "reason=late_media" in found.node.log
