"""Which streams share a connection; the two forms of a play upstream; what a push's target may say."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.fault_proxy import Direction, FaultProxy
from tests.harness.leaks import assert_gives_back
from tests.harness.nginx import NginxRtmp
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

_NAMES = ("a", "b", "c", "d")
# An origin that loads its pages on a busy machine answers late: the attempt is not to be made twice for that.
_PATIENT = "-timeout_ms=5000"


async def _play_all(stack: AsyncExitStack, server: EdgeServer, app: str = "live") -> None:
    players = [await stack.enter_async_context(SynthPlayer(server.rtmp_url(app, name))) for name in _NAMES]
    for player in players:
        await player.wait_frames(20, 5)
        player.account.assert_complete()


@pytest.mark.parametrize(("flag", "count"), [("-share_play_connection", 1), ("-noshare_play_connection", 4)])
async def test_plays_share_a_connection_to_a_node_of_ours_as_the_flag_says(flag: str, count: int) -> None:
    async with FaultProxy(0) as proxy:
        with EdgeServer() as origin, EdgeServer(f"-proxy_to={proxy.address}", _PATIENT, flag) as edge:
            proxy.retarget(origin.port)
            async with AsyncExitStack() as stack:
                for name in _NAMES:
                    await stack.enter_async_context(SynthPublisher(origin.rtmp_url("live", name), Script(gop=10)))
                await _play_all(stack, edge)
                assert proxy.accepted_count == count
            await assert_gives_back([origin, edge])


@pytest.mark.parametrize(("flag", "count"), [("-share_publish_connection", 1), ("-noshare_publish_connection", 4)])
async def test_pushes_share_a_connection_to_a_node_of_ours_as_the_flag_says(flag: str, count: int) -> None:
    async with FaultProxy(0) as proxy:
        with EdgeServer() as origin, EdgeServer(f"-proxy_to={proxy.address}", _PATIENT, flag) as edge:
            proxy.retarget(origin.port)
            async with AsyncExitStack() as stack:
                publishers = [SynthPublisher(edge.rtmp_url("live", name), Script(gop=10)) for name in _NAMES]
                await asyncio.gather(*(stack.enter_async_context(publisher) for publisher in publishers))
                await wait_until(lambda: origin.has_stream("d"), deadline(3), "the last push")
                await _play_all(stack, origin)
                assert proxy.accepted_count == count
            await assert_gives_back([origin, edge])


async def test_pushes_to_nginx_have_a_connection_each_and_the_log_says_so_once() -> None:
    async with NginxRtmp() as nginx, FaultProxy(nginx.port) as proxy:
        with EdgeServer(f"-proxy_to={proxy.address}", _PATIENT) as edge:
            async with AsyncExitStack() as stack:
                for name in _NAMES:
                    publisher = SynthPublisher(edge.rtmp_url("live", name), Script(gop=10))
                    await stack.enter_async_context(publisher)
                await wait_until(lambda: proxy.accepted_count >= len(_NAMES), deadline(3), "a push each")
                players = [await stack.enter_async_context(SynthPlayer(nginx.rtmp_url(name))) for name in _NAMES]
                for player in players:
                    await player.wait_frames(20, 5)
                assert proxy.accepted_count == len(_NAMES)
            assert edge.log.count("carries one stream per connection") == 1
            await assert_gives_back([edge])


async def test_unified_plays_of_several_apps_share_one_connection() -> None:
    async with FaultProxy(0) as proxy:
        with (
            EdgeServer() as origin,
            EdgeServer(f"-proxy_to={proxy.address}", _PATIENT, "-unified_play_connections") as edge,
        ):
            proxy.retarget(origin.port)
            async with AsyncExitStack() as stack:
                for app in _NAMES:
                    url = origin.rtmp_url(app, "s?x=1")
                    await stack.enter_async_context(SynthPublisher(url, Script(gop=10)))
                players = [
                    await stack.enter_async_context(SynthPlayer(edge.rtmp_url(app, "s?token=1"))) for app in _NAMES
                ]
                for player in players:
                    await player.wait_frames(20, 5)
                assert proxy.accepted_count == 1
                rows = await asyncio.to_thread(edge.streams)
                assert sorted(row["app"] for row in rows) == list(_NAMES)
            await assert_gives_back([origin, edge])


async def test_simplified_play_of_a_node_of_ours() -> None:
    with EdgeServer() as origin, EdgeServer(f"-proxy_to={origin.address}", "-simplified_rtmp_play") as edge:
        async with SynthPublisher(origin.rtmp_url("live", "s"), Script(gop=10)):
            async with SynthPlayer(edge.rtmp_url("live", "s")) as player:
                await player.wait_frames(30, 4)
                player.account.assert_complete()
            assert "ordinary form" not in edge.log
        await assert_gives_back([origin, edge])


async def test_simplified_play_of_a_server_that_ignores_it_is_hinted_at_and_made_up_for() -> None:
    async with NginxRtmp() as nginx:
        with EdgeServer(f"-proxy_to={nginx.address}", "-simplified_rtmp_play", "-timeout_ms=500") as edge:
            async with SynthPublisher(nginx.rtmp_url("s"), Script(gop=10)):
                async with SynthPlayer(edge.rtmp_url("live", "s")) as player:
                    await player.wait_frames(20, 5)
                async with SynthPlayer(edge.rtmp_url("live", "s")) as player:
                    await player.wait_frames(5, 1.5)
            assert edge.log.count("does not answer simplified RTMP (-simplified_rtmp_play)") == 1
            await assert_gives_back([edge])


async def test_M20_refusal_behind_two_edges_reaches_the_publisher() -> None:
    """An edge accepts before it has asked; what it says next is still the answer."""
    with (
        EdgeServer("-reject_second_stream_when_republish") as origin,
        EdgeServer(f"-proxy_to={origin.address}") as middle,
        EdgeServer(f"-proxy_to={middle.address}") as far_edge,
    ):
        async with SynthPublisher(origin.rtmp_url("live", "taken"), Script(gop=10)) as first:
            second = SynthPublisher(far_edge.rtmp_url("live", "taken"), Script(gop=10))
            await second.start()
            await wait_until(lambda: second.error is not None, deadline(6), "the second publisher to be told")
            assert "the upstream refused the stream" in str(second.error), second.error
            await second.stop()
            await asyncio.sleep(0.3)
            assert first.error is None and first.is_connected
        await assert_gives_back([origin, middle, far_edge])


async def test_push_whose_old_connection_still_holds_the_name_upstream_waits_for_it() -> None:
    """nginx keeps a publisher whose connection has silently gone; the encoder must not pay for that."""
    async with NginxRtmp() as nginx, FaultProxy(nginx.port) as proxy:
        flags = ("-retry_interval_ms=300", "-timeout_ms=500")
        with EdgeServer(f"-proxy_to={proxy.address}", _PATIENT, *flags) as edge:
            async with SynthPublisher(edge.rtmp_url("live", "held"), Script(gop=10)) as publisher:
                await asyncio.sleep(1.5)
                held, proxy.up = proxy.up, Direction()
                held.is_flowing.clear()
                await asyncio.sleep(0.2)  # a frame is read and held, and behind it the end
                assert proxy.reset_clients() == 1
                await wait_until(lambda: edge.log.count("Already publishing") >= 1, deadline(2), "a refusal")
                await asyncio.sleep(1.0)
                assert publisher.is_connected and publisher.error is None
                held.is_flowing.set()
                async with SynthPlayer(nginx.rtmp_url("held")) as player:
                    await player.wait_frames(20, 4)
                assert publisher.is_connected and publisher.error is None
            await assert_gives_back([edge])
