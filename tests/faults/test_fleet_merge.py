"""A merge tier between the origin and many players: each stream is fetched once, and a shield's death costs little."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.fleet import Fleet
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

_KEEP_S = 1
_FLAGS = (f"-keep_pulling_seconds={_KEEP_S}", "-rebalance_after_ms=1500")
_SCRIPT = Script(fps=5, gop=5, video_bytes=200, audio_start_ms=None)
_BATCH = 50


async def _publish(stack: AsyncExitStack, server: EdgeServer, names: list[str]) -> None:
    publishers = [SynthPublisher(server.rtmp_url("live", name), _SCRIPT) for name in names]
    for begin in range(0, len(publishers), _BATCH):
        await asyncio.gather(*(stack.enter_async_context(each) for each in publishers[begin : begin + _BATCH]))


async def _play(stack: AsyncExitStack, fronts: list[EdgeServer], names: list[str], count: int) -> list[SynthPlayer]:
    """``count`` players, every front's spread evenly over all names."""
    urls = [fronts[i // len(names) % len(fronts)].rtmp_url("live", names[i % len(names)]) for i in range(count)]
    players = [SynthPlayer(url) for url in urls]
    for begin in range(0, count, _BATCH):
        await asyncio.gather(*(stack.enter_async_context(each) for each in players[begin : begin + _BATCH]))
    await asyncio.gather(*(player.wait_frames(5, 8) for player in players))
    return players


async def _wait_for_zero(fleet: Fleet, within_s: float) -> None:
    began = time.monotonic()
    while found := await fleet.pulls_at_origins():
        assert time.monotonic() - began < deadline(within_s), f"still pulled: {found}"
        await asyncio.sleep(0.1)


def _pulled(node: EdgeServer, service: str) -> set[str]:
    return {row["stream"] for row in node.streams() if row["service"] == service and not row["is_forwarded"]}


@pytest.mark.parametrize(("is_merge_tier", "key_count", "player_count"), [(True, 50, 300), (False, 20, 60)])
async def test_U5_each_stream_is_pulled_once_and_a_dead_shield_moves_only_its_own(
    is_merge_tier: bool, key_count: int, player_count: int
) -> None:
    """With shields that are edges, and with merge services of two fronts beside a third front."""
    names = [f"key{number}" for number in range(key_count)]
    edge_count = 1 if is_merge_tier else 3
    async with (
        Fleet(*_FLAGS, edges=edge_count, is_merge_tier=is_merge_tier) as fleet,
        AsyncExitStack() as broadcasts,
        AsyncExitStack() as audience,
    ):
        await _publish(broadcasts, fleet["o1"], names)
        players = await _play(audience, fleet.fronts, names, player_count)
        once = Counter(names)
        assert await fleet.pulls_at_origins() == once
        service = "merge" if is_merge_tier else ""
        of_m1, of_m2 = [await asyncio.to_thread(_pulled, fleet[name], service) for name in ("m1", "m2")]
        assert of_m1 | of_m2 == set(names) and not of_m1 & of_m2 and of_m1 and of_m2

        gone = fleet["m1"].port
        await fleet.kill("m1")
        killed_at = time.monotonic()
        left = [player for player in players if f":{gone}/" not in player.url]

        def have_all_moved() -> bool:
            return all(player.deliveries[-1].frame.sent_at > killed_at + 0.2 for player in left)

        await wait_until(have_all_moved, deadline(3), "every player served again")
        await asyncio.sleep(0.5)
        for player in left:
            player.assert_alive()
            player.account.assert_complete()
        gap_s = max(player.account.largest_gap_s for player in left)
        assert gap_s <= deadline(1.5), f"{gap_s:.2f} s without a frame"
        assert await fleet.pulls_at_origins() == once
        stayed = [player for player in left if player.url.rpartition("/")[2] in of_m2]
        gap_s = max(player.account.largest_gap_s for player in stayed)
        assert gap_s <= deadline(0.8), f"a stream of the living shield stood still for {gap_s:.2f} s"
        log = fleet["m2"].log
        moved = [name for name in of_m2 if log.count(f"pull started key=_/live/{name}\n") > (2 if service else 1)]
        assert not moved, f"streams of the living shield were pulled anew: {moved}"

        await fleet.restart("m1")

        async def are_home() -> bool:
            homes = [await asyncio.to_thread(_pulled, fleet[name], service) for name in ("m1", "m2")]
            return homes == [of_m1, of_m2] and await fleet.pulls_at_origins() == once

        came_back_at = time.monotonic()
        while not await are_home():
            assert time.monotonic() - came_back_at < deadline(8), "the shield that came back has not got its streams"
            await asyncio.sleep(0.2)
        for player in left:
            player.assert_alive()
            player.account.assert_complete()

        await audience.aclose()
        await asyncio.sleep(_KEEP_S / 2)
        assert await fleet.pulls_at_origins() == once, "a pull was given up before -keep_pulling_seconds"
        # Two tiers wait one after the other, and each looks once a second.
        await _wait_for_zero(fleet, 2 * (_KEEP_S + 1) + 1)
