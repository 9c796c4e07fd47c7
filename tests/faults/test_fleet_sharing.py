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


async def test_U7_a_thousand_pushes_to_nginx_have_a_connection_each_said_once_and_are_back_after_a_restart() -> None:
    names = [f"cam{number}" for number in range(1000)]
    async with NginxRtmp() as nginx:
        # As many at once as there are: the pace of connects after a failure is not what is shown here.
        with EdgeServer(f"-proxy_to={nginx.address}", "-max_connects_per_s=1000") as edge:

            async def wait_connected(times: int, within_s: float) -> None:
                ends_at = time.monotonic() + deadline(within_s)
                while True:
                    counters = await asyncio.to_thread(edge.counters)
                    is_done = counters["upstream_connection_count"] == counters["push_count"] == len(names)
                    if is_done and counters["upstream_connect_count"] >= times * len(names):
                        return
                    assert time.monotonic() < ends_at, counters
                    await asyncio.sleep(0.1)

            async with MultiPublisher(f"rtmp://{edge.address}/live", names, fps=2), AsyncExitStack() as stack:
                await wait_connected(1, 6)
                await nginx.restart()
                await wait_connected(2, 6)
                players = [await stack.enter_async_context(SynthPlayer(nginx.rtmp_url(name))) for name in names[::50]]
                for player in players:
                    await player.wait_frames(4, 5)
                    player.account.assert_complete()
            assert edge.log.count("carries one stream per connection") == 1
            await assert_gives_back([edge])
