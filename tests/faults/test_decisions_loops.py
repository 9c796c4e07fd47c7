"""A request that comes back to a node it has passed is refused, and nobody storms."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.leaks import assert_gives_back
from tests.harness.player import SynthPlayer
from tests.harness.ports import free_port
from tests.harness.server import EdgeServer
from tests.harness.synth import SynthPublisher
from tests.harness.wire import WireError

pytestmark = pytest.mark.faults


@contextmanager
def ring(size: int, *flags: str) -> Iterator[list[EdgeServer]]:
    """Edges of which each leads to the next and the last to the first."""
    ports = [free_port() for _ in range(size)]
    with ExitStack() as stack:
        yield [
            stack.enter_context(EdgeServer(f"-proxy_to=127.0.0.1:{ports[(at + 1) % size]}", *flags, port=port))
            for at, port in enumerate(ports)
        ]


@pytest.mark.parametrize("size", [2, 3])
async def test_O2_play_that_comes_back_is_refused_with_its_reason(size: int) -> None:
    with ring(size) as nodes:
        async with SynthPlayer(nodes[0].rtmp_url("live", "round")) as player:
            await player.wait_status("NetStream.Play.StreamNotFound", 2)
            assert "proxy_loop" in str(player.status_infos[-1]["description"]), player.status_infos[-1]
            await player.wait_end(1)
        attempts = [(await asyncio.to_thread(node.counters))["upstream_connect_count"] for node in nodes]
        assert max(attempts) <= 6, f"a storm of connections: {attempts}"
        await assert_gives_back(nodes)


@pytest.mark.parametrize("size", [2, 3])
async def test_O2_publish_that_comes_back_is_refused_with_its_reason(size: int) -> None:
    with ring(size) as nodes:
        publisher = SynthPublisher(nodes[0].rtmp_url("live", "round"))
        await publisher.start()
        await wait_until(lambda: publisher.error is not None, deadline(2), "the publisher to be told")
        assert isinstance(publisher.error, WireError) and "proxy_loop" in str(publisher.error), publisher.error
        await publisher.stop()
        attempts = [(await asyncio.to_thread(node.counters))["upstream_connect_count"] for node in nodes]
        assert max(attempts) <= 20, f"a storm of connections: {attempts}"
        await assert_gives_back(nodes)


async def test_O2_two_nodes_whose_players_come_at_once_do_not_wait_for_each_other() -> None:
    with ring(2) as nodes:
        players = [SynthPlayer(node.rtmp_url("live", "both")) for node in nodes]
        await asyncio.gather(*(player.start() for player in players))
        for player in players:
            await player.wait_status("NetStream.Play.StreamNotFound", 2)
            await player.stop()
        await assert_gives_back(nodes)


async def test_O2_ring_of_three_whose_players_come_at_once_is_refused() -> None:
    with ring(3) as nodes:
        players = [SynthPlayer(node.rtmp_url("live", "ring")) for node in nodes]
        await asyncio.gather(*(player.start() for player in players))
        for player in players:
            await player.wait_status("NetStream.Play.StreamNotFound", 2)
            assert "proxy_loop" in str(player.status_infos[-1]["description"]), player.status_infos[-1]
            await player.stop()
        attempts = [(await asyncio.to_thread(node.counters))["upstream_connect_count"] for node in nodes]
        assert max(attempts) <= 6, f"a storm of connections: {attempts}"
        await assert_gives_back(nodes)


async def test_O2_service_that_leads_to_itself_under_another_name_refuses() -> None:
    port = free_port()
    with EdgeServer(f"-proxy_to=list://127.0.0.1:{port},127.0.0.1:{free_port()}", "-proxy_lb=rr", port=port) as node:
        async with SynthPlayer(node.rtmp_url("live", "self")) as player:
            await asyncio.sleep(2)
            player.assert_alive()  # the other server of the list may come back
            counters = await asyncio.to_thread(node.counters)
            assert counters["upstream_connect_count"] <= 12, counters
        await assert_gives_back([node])


async def test_more_hops_than_allowed_are_refused() -> None:
    flags = ("-max_forward_hops=2",)
    with ExitStack() as stack:
        nodes = [stack.enter_context(EdgeServer(*flags))]
        for _ in range(3):
            nodes.append(stack.enter_context(EdgeServer(f"-proxy_to={nodes[-1].address}", *flags)))
        async with SynthPublisher(nodes[0].rtmp_url("live", "far")):
            async with SynthPlayer(nodes[2].rtmp_url("live", "far")) as near:
                await near.wait_frames(10, 4)
            async with SynthPlayer(nodes[3].rtmp_url("live", "far")) as player:
                await asyncio.sleep(1.5)
                assert not player.deliveries
        assert "hops exceed 2" in nodes[0].log or "hops exceed 2" in nodes[1].log
        await assert_gives_back(nodes)
