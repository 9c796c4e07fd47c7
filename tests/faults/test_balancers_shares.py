"""Shares of servers: through the whole of a target in virtual time, and with processes."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from tests.faults.test_balancers_failing import fleet_of, servers
from tests.harness.clock import deadline
from tests.harness.fault_proxy import FaultProxy
from tests.harness.multiplex import MultiPublisher
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.virtual import Fleet

EVERY_MS = 50
PULLS_PER_S = 20
#: A stream is asked for again only after its last player has left.
NAMES = [f"s{number}" for number in range(100)]


def share_of_last(fleet: Fleet, count: int) -> float:
    """Share of the last server among ``count`` players that come now."""
    players = fleet.players_come(count, every_ms=EVERY_MS)
    fleet.run(fleet.now_ms + 200)  # the last ones have their answers too
    chosen = Counter(player.asked[-1] for player in players)
    for player in players:
        player.close()
    return chosen[fleet.target.servers[-1]] / count


@pytest.mark.parametrize("balancer", ["wrr", "wr"])
async def test_shares_are_those_of_the_weights_within_3_percent(balancer: str) -> None:
    weights = 5, 3, 2
    fleet = await fleet_of(balancer, *weights)
    chosen = Counter(fleet.target.select(f"_/live/s{number}", now_ms=number) for number in range(10_000))
    for server, weight in zip(servers(*weights), weights, strict=True):
        assert chosen[server] / 1000 == pytest.approx(weight, rel=0.03)


@pytest.mark.parametrize("balancer", ["la", "p2c"])
@pytest.mark.parametrize("base_ms", [0, 1, 5, 20, 40])
async def test_U4_server_50_ms_slower_gets_less_than_15_percent_and_its_share_when_it_has_recovered(
    balancer: str, base_ms: int
) -> None:
    fleet = await fleet_of(balancer, 1, 1, 1)
    for server in servers(1, 1, 1):
        fleet.latency_ms[server] = base_ms
    assert share_of_last(fleet, 1200) == pytest.approx(1 / 3, rel=0.1)
    fleet.latency_ms[servers(1, 1, 1)[-1]] += 50
    share_of_last(fleet, 10_000 // EVERY_MS)
    assert share_of_last(fleet, 20_000 // EVERY_MS) < 0.15
    fleet.latency_ms[servers(1, 1, 1)[-1]] = base_ms
    share_of_last(fleet, 45_000 // EVERY_MS)
    assert share_of_last(fleet, 3000) == pytest.approx(1 / 3, rel=0.1)


class Pulls:
    """Players that come to an edge one after the other, each leaving at its first frame."""

    def __init__(self, edge: EdgeServer, last: FaultProxy) -> None:
        self._edge, self._last = edge, last
        self._count = 0

    async def share_of_last(self, seconds: float) -> float:
        """Share of the pulls that the last server gets within the next ``seconds``."""
        before = await self._pull_counts()
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in range(round(seconds * PULLS_PER_S)):
                await asyncio.sleep(began + number / PULLS_PER_S - time.monotonic())
                tasks.create_task(self._play(NAMES[self._count % len(NAMES)]))
                self._count += 1
        counts = await self._pull_counts() - before
        return counts[self._last.address] / counts.total()

    async def _play(self, name: str) -> None:
        async with SynthPlayer(self._edge.rtmp_url("live", name)) as player:
            await player.wait_frames(1, deadline(5))

    async def _pull_counts(self) -> Counter[str]:
        page = json.loads(await asyncio.to_thread(self._edge.http, "/status?format=json"))
        return Counter({row["endpoint"]: row["ok_count"] for row in page["upstreams"]})


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_la_gives_a_mended_server_its_share_again_where_answers_take_no_time() -> None:
    async with AsyncExitStack() as stack:
        origins = [stack.enter_context(EdgeServer()) for _ in range(3)]
        proxies = [await stack.enter_async_context(FaultProxy(origin.port)) for origin in origins]
        for origin in origins:
            await stack.enter_async_context(MultiPublisher(f"rtmp://{origin.address}/live", NAMES, fps=0.5))
        urls = ",".join(proxy.address for proxy in proxies)
        edge = stack.enter_context(EdgeServer(f"-proxy_to=list://{urls}", "-proxy_lb=la"))
        pulls = Pulls(edge, proxies[-1])
        assert await pulls.share_of_last(5) > 0.15
        proxies[-1].down.delay_s = 0.05
        await pulls.share_of_last(10)
        assert await pulls.share_of_last(10) < 0.15
        proxies[-1].down.delay_s = 0
        await pulls.share_of_last(15)
        assert await pulls.share_of_last(15) == pytest.approx(1 / 3, abs=0.13)
