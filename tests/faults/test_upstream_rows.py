"""Rows of upstream faults between nodes in one loop: slow and flapping upstreams, lists that change in mid-retry."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.harness.clock import deadline
from tests.harness.fault_proxy import FaultProxy
from tests.harness.ports import free_port
from tests.net.serving import Nodes, pictures, wait_until

pytestmark = pytest.mark.faults


async def test_U4_slow_and_bursty_upstream_is_forwarded_as_it_comes() -> None:
    async with Nodes() as nodes, FaultProxy(0) as proxy:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        proxy.retarget(origin.port)
        await edge.follow(proxy.port, upstream_stall_timeout_ms=1000)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        proxy.down.rate_bps = 160_000  # a tenth of what comes
        await feed.send(10, size=2000)
        assert await pictures(player, 10) == list(range(3, 13))
        proxy.down.rate_bps = None
        for round_ in range(2):
            proxy.down.is_flowing.clear()
            await feed.send(20)
            await asyncio.sleep(0.6)
            proxy.down.is_flowing.set()
            first = 13 + 20 * round_
            assert await pictures(player, 20) == list(range(first, first + 20))
        assert proxy.accepted_count == 1
        (stream,) = edge.registry.streams.values()
        assert (stream.stats.gap_count, stream.stats.duplicate_count) == (0, 0)


async def test_U9_flapping_upstream_costs_a_bounded_number_of_attempts_and_leaves_nothing() -> None:
    flaps, interval_ms = 20, 50
    async with Nodes() as nodes, FaultProxy(0) as proxy:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        proxy.retarget(origin.port)
        manager = await edge.follow(proxy.port, retry_interval_ms=interval_ms)
        feed = await nodes.publisher(origin)
        await feed.send(1)
        player = await nodes.player(edge)
        assert await pictures(player, 1) == [0]
        connection_count = len(edge.context.connections)
        loop = asyncio.get_running_loop()
        began, before = loop.time(), manager.pool.connect_count
        for number in range(1, flaps + 1):
            await proxy.refuse()
            (pull,) = manager.pulls.values()
            assert pull.connection is not None
            pull.connection.abort("flap")
            await asyncio.sleep(0.1)
            await proxy.start()
            await feed.send(1)
            assert await pictures(player, 1) == [number]
        took_ms = (loop.time() - began) * 1000
        # One connect per flap that works, the fast retries, and one per interval.
        assert manager.pool.connect_count - before <= flaps * 3 + took_ms / interval_ms
        await wait_until(lambda: len(edge.context.connections) == connection_count, deadline(1), "connections closed")
        assert manager.pool.connection_count == 1


async def test_U11_list_that_changes_in_mid_retry_is_what_the_next_attempt_uses(tmp_path: Path) -> None:
    path = tmp_path / "servers.list"
    async with Nodes() as nodes, FaultProxy(free_port()) as removed:
        removed.mode = "reset"
        path.write_text(removed.address)
        origin, edge = nodes.add("origin"), nodes.add("edge")
        feed = await nodes.publisher(origin)
        await feed.send(3)
        await edge.follow(proxy_to=f"file://{path}", proxy_lb="rr")
        player = await nodes.player(edge)
        await wait_until(lambda: removed.accepted_count > 3, deadline(2), "retries")
        assert edge.manager is not None
        fresh = tmp_path / "new.list"
        fresh.write_text(f"127.0.0.1:{origin.port}\n")
        fresh.replace(path)
        assert await pictures(player, 3) == [0, 1, 2]
        asked_count = removed.accepted_count
        (pull,) = edge.manager.pulls.values()
        assert pull.connection is not None
        pull.connection.abort("cut")
        await feed.send(2)
        assert await pictures(player, 2) == [3, 4]
        assert removed.accepted_count == asked_count


async def test_server_that_fell_silent_and_cannot_be_reached_is_not_shown_as_up() -> None:
    async with Nodes() as nodes, FaultProxy(0) as one, FaultProxy(0) as two:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        one.retarget(origin.port)
        two.retarget(origin.port)
        manager = await edge.follow(one.port, two.port, upstream_stall_timeout_ms=100, timeout_ms=100)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        assert await pictures(player, 3) == [0, 1, 2]
        (pull,) = manager.pulls.values()
        silent = one if pull.server is not None and pull.server.port == one.port else two
        silent.down.is_flowing.clear()
        await silent.refuse()
        await feed.send(3)
        assert await pictures(player, 3) == [3, 4, 5]

        def state() -> str:
            rows = manager.aims.pull.snapshot(edge.context.now_ms())["servers"]
            return next(row["state"] for row in rows if row["endpoint"] == silent.address)

        await wait_until(lambda: state() == "checking", deadline(2), "the check")
