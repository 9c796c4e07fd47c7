"""A thousand pushes over one connection to an origin of ours, and pushes to a server that cannot share."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

import pytest

from tests.harness.accounting import audit
from tests.harness.clock import deadline, wait_until
from tests.harness.fault_proxy import FaultProxy
from tests.harness.leaks import assert_gives_back
from tests.harness.multiplex import MultiPlayer, MultiPublisher
from tests.harness.nginx import NginxRtmp
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer

pytestmark = pytest.mark.faults


async def test_U7_a_thousand_pushes_share_a_connection_and_are_back_after_a_reset() -> None:
    names = [f"cam{number}" for number in range(1000)]
    async with FaultProxy(0) as proxy:
        with EdgeServer() as origin, EdgeServer(f"-proxy_to={proxy.address}") as edge:
            proxy.retarget(origin.port)
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(MultiPublisher(f"rtmp://{edge.address}/live", names, fps=4))
                await wait_until(lambda: origin.log.count("publish started") == len(names), deadline(5), "the pushes")
                player = MultiPlayer(f"rtmp://{origin.address}/live", names)
                await stack.enter_async_context(player)
                await player.wait_each(time.monotonic(), 5)
                assert (proxy.accepted_count, proxy.link_count) == (1, 1)
                assert await proxy.reset_all() == 1
                took_s = await player.wait_each(time.monotonic(), 4)
                assert (proxy.accepted_count, proxy.link_count) == (2, 1)
                await player.wait_each(time.monotonic(), 3)
                assert all(statuses[-1] == "NetStream.Play.Start" for statuses in player.statuses), "a play was ended"
                deliveries = player.deliveries
            await assert_gives_back([edge])
    assert took_s <= deadline(2), f"the last stream was back after {took_s:.2f} s"
    for number, frames in enumerate(deliveries):
        assert {delivery.frame.stream_id for delivery in frames} == {number}, f"frames of another stream in {number}"
        audit(frames).assert_complete()


async def test_U7_pushes_to_nginx_have_a_connection_each_said_once_and_are_back_after_a_reset() -> None:
    names = [f"cam{number}" for number in range(50)]
    async with NginxRtmp() as nginx, FaultProxy(nginx.port) as proxy:
        with EdgeServer(f"-proxy_to={proxy.address}") as edge:
            async with MultiPublisher(f"rtmp://{edge.address}/live", names, fps=5), AsyncExitStack() as stack:
                await wait_until(lambda: proxy.link_count == len(names), deadline(4), "a connection each")
                await asyncio.sleep(0.5)
                assert (proxy.accepted_count, proxy.link_count) == (len(names), len(names))
                assert await proxy.reset_all() == len(names)
                await wait_until(lambda: proxy.link_count == len(names), deadline(2), "a new connection each")
                players = [await stack.enter_async_context(SynthPlayer(nginx.rtmp_url(name))) for name in names[::5]]
                for player in players:
                    await player.wait_frames(10, 5)
                    player.account.assert_complete()
                assert proxy.accepted_count == 2 * len(names)
            assert edge.log.count("carries one stream per connection") == 1
            await assert_gives_back([edge])
