"""What goes upstream with a request, and upstreams that stand still under a push."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.leaks import assert_gives_back
from tests.harness.nginx import NginxRtmp
from tests.harness.player import SynthPlayer
from tests.harness.ports import free_port
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

_SCRIPT = Script(gop=10)
_NOT_FOUND = "NetStream.Play.StreamNotFound"


async def test_query_of_the_first_player_goes_upstream() -> None:
    async with NginxRtmp() as nginx:
        with EdgeServer(f"-proxy_to={nginx.address}") as edge:
            async with (
                SynthPublisher(nginx.rtmp_url("s"), _SCRIPT),
                SynthPlayer(edge.rtmp_url("live", "s?token=a%20b&vhost=_&only-audio=1&x=1")) as player,
            ):
                await player.wait_frames(20, 4)
                assert {kind for kind, _ in player.events} <= {"audio", "aac_header", "metadata", "data"}
            assert "play: name='s' args='token=a%20b&x=1'" in nginx.log, nginx.log[-2000:]
            await assert_gives_back([edge])


async def test_player_before_its_publisher_is_refused_without_pull_wait_for_stream_and_waits_with_it() -> None:
    with (
        EdgeServer() as origin,
        EdgeServer(f"-proxy_to={origin.address}", "-nopull_wait_for_stream") as strict,
        EdgeServer(f"-proxy_to={origin.address}") as patient,
    ):
        async with SynthPlayer(patient.rtmp_url("live", "s")) as waiting:
            async with SynthPlayer(strict.rtmp_url("live", "s")) as refused:
                await refused.wait_status(_NOT_FOUND, 3)
                await refused.wait_end(1)
            waiting.assert_alive()
            async with SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT):
                await waiting.wait_frames(10, 2)
                await asyncio.sleep(2.1)  # -missing_cache_ms
                async with SynthPlayer(strict.rtmp_url("live", "s")) as player:
                    await player.wait_frames(10, 2)
        await assert_gives_back([strict])


async def test_push_to_a_server_that_stands_still_goes_on_when_it_does() -> None:
    with EdgeServer() as origin, EdgeServer(f"-proxy_to={origin.address}", "-upstream_stall_timeout_ms=1000") as edge:
        async with SynthPublisher(edge.rtmp_url("live", "s"), _SCRIPT) as publisher:
            await wait_until(lambda: origin.has_stream("s"), deadline(3), "the push")
            async with SynthPlayer(origin.rtmp_url("live", "s")) as player:
                await player.wait_frames(20, 3)
                origin.pause()
                await asyncio.sleep(3.0)
                origin.resume()
                last = len(publisher.sent)
                await wait_until(lambda: player.deliveries[-1].frame.sequence >= last, deadline(4), "data again")
                player.account.assert_complete()
                assert publisher.is_connected and publisher.error is None
        await assert_gives_back([origin, edge])


async def test_push_leaves_a_server_that_stands_still_for_the_other_of_a_list() -> None:
    with EdgeServer() as first, EdgeServer() as second:
        flags = ("-proxy_lb=rr", "-upstream_stall_timeout_ms=1000", "-timeout_ms=500")
        with EdgeServer(f"-proxy_to=list://{first.address},{second.address}", *flags) as edge:
            async with SynthPublisher(edge.rtmp_url("live", "s"), _SCRIPT) as publisher:
                await wait_until(
                    lambda: first.has_stream("s") or second.has_stream("s"), deadline(3), "the push somewhere"
                )
                used, other = (first, second) if first.has_stream("s") else (second, first)
                used.pause()
                began = time.monotonic()
                await wait_until(lambda: other.has_stream("s"), deadline(5), "the push at the other server")
                assert time.monotonic() - began >= 0.9
                async with SynthPlayer(other.rtmp_url("live", "s")) as player:
                    await player.wait_frames(20, 3)
                    player.account.assert_complete()
                assert publisher.is_connected and publisher.error is None
                used.resume()
            await assert_gives_back([edge, other])
            # The server that stood still keeps the stream of a node of ours for -publisher_return_ms.
            await assert_gives_back([used], within_s=13)


async def test_silent_publisher_that_its_edge_bears_is_borne_by_the_origin_too() -> None:
    with (
        EdgeServer("-publish_normal_timeout_ms=2500") as origin,
        EdgeServer(f"-proxy_to={origin.address}", "-publish_normal_timeout_ms=0") as edge,
    ):
        publisher = SynthPublisher(edge.rtmp_url("live", "s"), _SCRIPT)
        await publisher.start()
        await wait_until(lambda: origin.has_stream("s"), deadline(3), "the push")
        async with SynthPlayer(origin.rtmp_url("live", "s")) as player:
            await player.wait_frames(20, 3)
            assert publisher._task is not None
            publisher._task.cancel()
            await asyncio.sleep(6.0)
            player.assert_alive()
            assert "publish_timeout" not in origin.log
            assert (await asyncio.to_thread(edge.counters))["upstream_connect_count"] == 1
        await publisher.stop()
        await assert_gives_back([origin, edge])


async def test_push_goes_on_trying_until_the_publisher_leaves() -> None:
    with EdgeServer(f"-proxy_to=127.0.0.1:{free_port()}", "-retry_interval_ms=200") as edge:
        began_s = time.monotonic()
        async with SynthPublisher(edge.rtmp_url("live", "s"), _SCRIPT) as publisher:
            await asyncio.sleep(3.0)
            assert publisher.is_connected and publisher.error is None
            counters = await asyncio.to_thread(edge.counters)
            most = (time.monotonic() - began_s) / 0.2 + 5
            assert 8 <= counters["upstream_connect_count"] <= most, counters
        await assert_gives_back([edge], within_s=1)
