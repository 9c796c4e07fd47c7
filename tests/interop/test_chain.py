"""A broadcast through three nodes reaches every player whole, payload for payload."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.clients import (
    Packets,
    Program,
    assert_rising_from_zero,
    assert_suffix,
    ffmpeg_play,
    ffmpeg_publish,
    ffprobe_packets,
    parse_framemd5,
)
from tests.harness.clock import deadline, wait_until_sync
from tests.harness.server import Chain, EdgeServer

pytestmark = pytest.mark.interop

_RETURN_MS = 1000
_LONG_CLIP, _SHORT_CLIP = "bbb-360p-10s.flv", "bbb-720p-5s.mp4"


async def wait_for_stream(server: EdgeServer, name: str) -> None:
    await asyncio.to_thread(wait_until_sync, lambda: server.has_stream(name), deadline(3), f"stream {name}")


async def play_at_each_node(chain: Chain, broadcasts: list[tuple[EdgeServer, str, Path]]) -> None:
    """Publish each clip, play each at every node and compare what came with what went."""
    references: dict[str, Packets] = {name: ffprobe_packets(clip) for _, name, clip in broadcasts}
    with ExitStack() as stack:
        publishers = [
            stack.enter_context(ffmpeg_publish(clip, node.rtmp_url("live", name))) for node, name, clip in broadcasts
        ]
        players: list[tuple[str, EdgeServer, Program]] = []
        for _, name, _ in broadcasts:
            await wait_for_stream(chain.origin, name)
            players += [
                (name, node, stack.enter_context(ffmpeg_play(node.rtmp_url("live", name)))) for node in chain.nodes
            ]
        for publisher in publishers:
            await publisher.wait_ok(14)
        for name, node, player in players:
            try:
                got = parse_framemd5(await player.wait_ok(_RETURN_MS / 1000 + 3))
                assert_suffix(got, references[name])
                assert_rising_from_zero(got)
            except AssertionError as error:
                raise AssertionError(f"{name} at node {chain.nodes.index(node)}: {error}") from None


async def test_R2_publisher_at_the_origin_reaches_a_player_at_each_node(clips: Callable[[str], Path]) -> None:
    with Chain(f"-publisher_return_ms={_RETURN_MS}") as chain:
        await play_at_each_node(chain, [(chain.origin, "fromorigin", clips(_LONG_CLIP))])


async def test_R2_publisher_at_the_far_edge_reaches_a_player_at_each_node(clips: Callable[[str], Path]) -> None:
    with Chain(f"-publisher_return_ms={_RETURN_MS}") as chain:
        await play_at_each_node(chain, [(chain.far_edge, "fromedge", clips(_SHORT_CLIP))])


async def test_R2_two_publishers_and_six_players_at_once(clips: Callable[[str], Path]) -> None:
    with Chain(f"-publisher_return_ms={_RETURN_MS}") as chain:
        await play_at_each_node(
            chain, [(chain.origin, "one", clips(_SHORT_CLIP)), (chain.far_edge, "two", clips(_SHORT_CLIP))]
        )


async def test_R2_player_that_waits_at_the_far_edge_gets_the_broadcast_whole(clips: Callable[[str], Path]) -> None:
    """It asks before there is a publisher, so nothing at all may be missing."""
    clip = clips(_SHORT_CLIP)
    with (
        Chain(f"-publisher_return_ms={_RETURN_MS}") as chain,
        ffmpeg_play(chain.far_edge.rtmp_url("live", "later")) as player,
    ):
        await wait_for_stream(chain.far_edge, "later")
        with ffmpeg_publish(clip, chain.origin.rtmp_url("live", "later")) as publisher:
            await publisher.wait_ok(9)
        got = parse_framemd5(await player.wait_ok(_RETURN_MS / 1000 + 3))
    assert_suffix(got, ffprobe_packets(clip), must_be_whole=True)
    assert_rising_from_zero(got)
