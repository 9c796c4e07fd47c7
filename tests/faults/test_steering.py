"""Viewers of HLS at one of two edges that is told to drain: they are at the other one soon, and see nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import quote, urlsplit

from tests.harness.clients import ffmpeg_publish
from tests.harness.clock import deadline, wait_until
from tests.harness.fault_proxy import FaultProxy
from tests.harness.hls_client import HlsClient, open_session
from tests.harness.synth import Script, SynthPublisher
from tests.httpd.siblings import base_of, pathway_of, siblings
from tests.runtime.nodes import RunningNode, running

#: An answer at the end of -hls_steer_ttl_s, and what the players take to go there.
WITHIN_S = 1 + 10
SEGMENT_S = 2.0
# Pictures of the same distance: with others the target duration may grow, whoever tells it.
_SCRIPT = Script(gop=25)


def plays_from(viewer: HlsClient, node: RunningNode) -> bool:
    """Whether its newest media are from there."""
    media = [fetched for fetched in viewer.fetches if fetched.kind in ("segment", "part", "hint") and fetched.is_whole]
    return bool(media) and urlsplit(media[-1].uri).port == node.port()


async def test_viewers_leave_an_edge_that_drains_and_come_back(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(running(f"-hls_fragment_s={SEGMENT_S}"))
        flags = (f"-proxy_to=127.0.0.1:{origin.port()}", "-http_preload")
        one, other = await stack.enter_async_context(siblings(tmp_path, *flags))
        url = f"rtmp://127.0.0.1:{origin.port()}/live/s"
        await stack.enter_async_context(SynthPublisher(url, _SCRIPT))
        await wait_until(lambda: origin.node.units[0].registry.streams, deadline(5), "the stream")
        session = await stack.enter_async_context(open_session())
        viewers = [
            await stack.enter_async_context(
                HlsClient(
                    f"http://127.0.0.1:{one.port()}/live/s{suffix}.m3u8",
                    session=session,
                    follows_steering=True,
                )
            )
            for suffix in (".classic", ".ll") * 4
        ]
        for viewer in viewers:
            await viewer.wait_for(lambda seen=viewer: plays_from(seen, one), 20, "the first media")

        async def all_play_from(node: RunningNode) -> None:
            await wait_until(
                lambda: all(plays_from(viewer, node) for viewer in viewers), deadline(WITHIN_S), "the viewers"
            )

        one.node.is_draining = True
        await all_play_from(other)
        one.node.is_draining = False
        await all_play_from(one)
        for viewer in viewers:
            assert viewer.steering is not None
            assert viewer.steering.moves == [pathway_of(other), pathway_of(one)]
            assert (viewer.errors, viewer.missed) == ([], [])
            assert max((stall.length_s for stall in viewer.playback.stalls), default=0) <= deadline(SEGMENT_S)


async def test_viewers_who_stall_at_a_node_that_is_throttled_are_sent_on(
    clips: Callable[[str], Path], tmp_path: Path
) -> None:
    """The node itself is well, and does not look at how its media go out: only the players tell."""
    clip = clips("bbb-360p-10s.flv")
    stream_bps = clip.stat().st_size * 8 // 10
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(running(f"-hls_fragment_s={SEGMENT_S}"))
        flags = (f"-proxy_to=127.0.0.1:{origin.port()}", "-http_preload", "-ns_access_interval=1")
        flags += ("-hls_steer_late_pct=0",)
        one, other = await stack.enter_async_context(siblings(tmp_path, *flags))
        line = await stack.enter_async_context(FaultProxy(one.port()))
        base = f"http://{line.address}"
        (tmp_path / "siblings").write_text(f"{base}\n{base_of(other)}\n")
        steering = one.node.steering
        assert steering is not None
        await wait_until(lambda: steering._siblings.own_base() == base, deadline(5), "the line")
        url = f"rtmp://127.0.0.1:{origin.port()}/live/s"
        stack.enter_context(ffmpeg_publish(clip, url, loops=-1))
        await wait_until(lambda: origin.node.units[0].registry.streams, deadline(5), "the stream")
        session = await stack.enter_async_context(open_session())
        viewers = []
        for number in range(8):
            said = quote(f'sid="{number}"', safe="")
            entry = f"{base}/live/s.ll.m3u8?CMCD={said}"
            viewer = HlsClient(entry, session=session, follows_steering=True, session_id=str(number))
            viewers.append(await stack.enter_async_context(viewer))
        for viewer in viewers:
            await viewer.wait_for(lambda seen=viewer: seen.played_count > 3, 20, "the first media")
        # Of each connection, of which a viewer has several; small pieces, or a part would come before the line is slow.
        line.down.slice_bytes, line.down.rate_bps = 2000, stream_bps // 6

        def are_elsewhere() -> bool:
            return all(plays_from(viewer, other) for viewer in viewers)

        await wait_until(are_elsewhere, deadline(10), "the viewers")
        assert (await one.facts.counters())["viewer_stall_count"] >= len(viewers)
        line.down.rate_bps = None
