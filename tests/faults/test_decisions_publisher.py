"""Publishers that end, break, return or compete, seen by players of origins and edges."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.harness.accounting import back_steps
from tests.harness.clock import deadline, wait_until
from tests.harness.fault_proxy import FaultProxy
from tests.harness.leaks import assert_gives_back
from tests.harness.player import SynthPlayer
from tests.harness.server import Chain, EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

_SCRIPT = Script(gop=10)
_UNPUBLISHED = "NetStream.Play.UnpublishNotify"


@pytest.mark.parametrize("is_abrupt", [False, True])
async def test_encoder_that_leaves_an_origin_ends_the_stream_at_once(is_abrupt: bool) -> None:
    with EdgeServer() as origin:
        publisher = SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT)
        await publisher.start()
        async with SynthPlayer(origin.rtmp_url("live", "s")) as player:
            await player.wait_frames(20, 3)
            await publisher.stop(is_abrupt=is_abrupt)
            await player.wait_end(1.0)
            assert _UNPUBLISHED in player.statuses and player.has_stream_eof
            if not is_abrupt:
                assert player.deliveries[-1].frame.sequence == publisher.sent[-1][0].sequence, "the tail is missing"
        await assert_gives_back([origin])


async def test_publisher_grace_keeps_players_and_clock_for_one_that_returns_and_ends_them_otherwise() -> None:
    with EdgeServer("-publisher_grace_ms=1500") as origin:
        url = origin.rtmp_url("live", "s")
        async with SynthPlayer(url) as player:
            first = SynthPublisher(url, _SCRIPT)
            await wait_until(lambda: player.has_ended, deadline(2), "an unknown stream to be refused")
        await first.start()
        async with SynthPlayer(url) as player:
            await player.wait_frames(20, 3)
            await first.stop(is_abrupt=True)
            await asyncio.sleep(0.7)
            player.assert_alive()
            async with SynthPlayer(url) as late:  # a newcomer may wait, too
                second = SynthPublisher(url, _SCRIPT)
                second.generation = 1
                await second.start()
                await player.wait_generation(2, 2)
                await late.wait_generation(2, 2)
            await player.wait_more_frames(20, 3)
            assert not player.account.bad_resumes
            times = [timestamp for kind, timestamp in player.events if kind not in ("metadata", "data")]
            assert not back_steps(times)
            await second.stop()
            began = time.monotonic()
            await player.wait_end(4)
            assert time.monotonic() - began >= 1.0
            assert _UNPUBLISHED in player.statuses
        await assert_gives_back([origin])


async def test_end_is_passed_down_at_once_while_each_node_keeps_its_own_players() -> None:
    with Chain("-publisher_return_ms=3000") as chain:
        origin, middle, far_edge = chain.nodes
        publisher = SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT)
        await publisher.start()
        async with (
            SynthPlayer(origin.rtmp_url("live", "s")) as at_origin,
            SynthPlayer(middle.rtmp_url("live", "s")) as at_middle,
            SynthPlayer(far_edge.rtmp_url("live", "s")) as at_far,
        ):
            for player in (at_origin, at_middle, at_far):
                await player.wait_frames(20, 4)
            await publisher.stop()
            began = time.monotonic()
            await at_origin.wait_end(1)
            await asyncio.sleep(1.5)
            at_middle.assert_alive()
            at_far.assert_alive()
            assert "unpublished" in far_edge.log, "the far edge was not told at once"
            for player in (at_middle, at_far):
                await player.wait_end(4)
                assert _UNPUBLISHED in player.statuses and player.error is None
                player.account.assert_complete()
                assert player.ended_at is not None
                # Both clocks began together: one after the other would be twice as long.
                assert 2.5 <= player.ended_at - began <= deadline(4.5), player.ended_at - began
        await assert_gives_back(chain.nodes)


async def test_publisher_that_returns_too_late_starts_anew() -> None:
    with Chain("-publisher_return_ms=800", depth=2) as chain:
        url = chain.origin.rtmp_url("live", "s")
        async with SynthPlayer(chain.far_edge.rtmp_url("live", "s")) as player:
            async with SynthPublisher(url, _SCRIPT):
                await player.wait_frames(20, 4)
            await player.wait_end(3)
        async with (
            SynthPublisher(url, _SCRIPT),
            SynthPlayer(chain.far_edge.rtmp_url("live", "s")) as player,
        ):
            await player.wait_frames(20, 4)
            assert player.deliveries[0].frame.is_keyframe and player.deliveries[0].timestamp < 500
        await assert_gives_back(chain.nodes)


async def test_push_cut_by_resets_loses_and_doubles_nothing_at_the_origins_players() -> None:
    async with FaultProxy(0) as proxy:
        with EdgeServer() as origin, EdgeServer(f"-proxy_to={proxy.address}", "-retry_interval_ms=200") as edge:
            proxy.retarget(origin.port)
            async with SynthPublisher(edge.rtmp_url("live", "cut"), _SCRIPT) as publisher:
                await wait_until(lambda: origin.has_stream("cut"), deadline(3), "the push")
                async with SynthPlayer(origin.rtmp_url("live", "cut")) as player:
                    await player.wait_frames(20, 3)
                    for _ in range(5):
                        assert await proxy.reset_all() == 1
                        await player.wait_more_frames(25, 4)
                    # A longer cut: the origin keeps the stream for a node of ours.
                    await proxy.refuse()
                    await proxy.reset_all()
                    await asyncio.sleep(1.5)
                    player.assert_alive()
                    await proxy.start()
                    last = len(publisher.sent)
                    await wait_until(
                        lambda: player.deliveries[-1].frame.sequence >= last, deadline(4), "frames from after the cut"
                    )
                    player.account.assert_complete()
                    assert publisher.is_connected and publisher.error is None
            await assert_gives_back([origin, edge])


async def test_second_publisher_at_an_edge_takes_over_one_push() -> None:
    async with FaultProxy(0) as proxy:
        with EdgeServer() as origin, EdgeServer(f"-proxy_to={proxy.address}") as edge:
            proxy.retarget(origin.port)
            url = edge.rtmp_url("live", "twice")
            async with SynthPublisher(url, _SCRIPT) as first:
                await wait_until(lambda: origin.has_stream("twice"), deadline(3), "the push")
                async with SynthPlayer(origin.rtmp_url("live", "twice")) as player:
                    await player.wait_frames(20, 3)
                    second = SynthPublisher(url, _SCRIPT)
                    second.generation = 1
                    async with second:
                        await player.wait_generation(2, 3)
                        await player.wait_more_frames(30, 3)
                        assert (await asyncio.to_thread(edge.counters))["push_count"] == 1
                        assert proxy.accepted_count == 1
                        assert first.is_connected and first.error is None
                        await first.stop()
                        await player.wait_more_frames(30, 3)
                    account = player.account
                    assert account.generations == [1, 2], account.generations
                    assert not account.doubled and not account.reordered and not account.bad_resumes
            await assert_gives_back([origin, edge])
