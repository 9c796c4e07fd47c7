"""Servers of two priorities in the SRV records of a real dnsmasq: who serves players while the better group is down."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.harness.clock import deadline
from tests.naming.programs import Dnsmasq
from tests.net.serving import Node, Nodes, pictures, wait_until

pytestmark = pytest.mark.faults

NAME = "_rtmp._tcp.live.test"


async def edge_of(nodes: Nodes, dns: Dnsmasq, records: Sequence[tuple[int, int]], proxy_lb: str) -> Node:
    """An edge that knows servers by ``(priority, port)``."""
    edge = nodes.add("edge")
    lines = [f"--srv-host={NAME},o.live.test,{port},{priority},10" for priority, port in records]
    await asyncio.to_thread(dns.start, *lines)
    await edge.follow(
        proxy_to=f"srv://{NAME}?server={dns.address}:{dns.port}",
        proxy_lb=proxy_lb,
        rebalance_after_ms=1,
        health_check_interval=1,
        disable_server_duration=1,
    )
    return edge


def states(edge: Node) -> dict[int, tuple[int, str]]:
    """Priority and state of each server, by its port."""
    assert edge.manager is not None
    rows = edge.manager.servers()
    return {int(row["endpoint"].rpartition(":")[2]): (row["priority"], row["state"]) for row in rows}


@pytest.mark.parametrize("proxy_lb", ["rr", "wr", "c_murmurhash"])
async def test_spare_site_takes_over_when_all_servers_of_the_first_die_and_gives_the_stream_back(
    proxy_lb: str, tmp_path: Path
) -> None:
    """The names of the dead servers stay in DNS all the time."""
    dns = Dnsmasq(tmp_path)
    dns.write_hosts([("127.0.0.1", "o.live.test")])
    try:
        async with Nodes() as nodes:
            origin, first, second, spare = (nodes.add(name) for name in ("origin", "first", "second", "spare"))
            for shield in (first, second, spare):
                await shield.follow(origin.port)
            edge = await edge_of(nodes, dns, [(10, first.port), (10, second.port), (20, spare.port)], proxy_lb)
            assert edge.manager is not None
            feed = await nodes.publisher(origin)
            await feed.send(3)
            player = await nodes.player(edge)
            assert await pictures(player, 3) == [0, 1, 2]
            assert not spare.registry.streams and {state for _, state in states(edge).values()} == {"up"}

            for node in (first, second):
                node.stop_listening()
                node.drop_connections()
            await wait_until(lambda: spare.registry.streams, deadline(3), "the spare site has the stream")
            await feed.send(4)
            assert await pictures(player, 4) == [3, 4, 5, 6]
            (pull,) = edge.manager.pulls.values()
            assert pull.server is not None and pull.server.port == spare.port
            edge.tick()
            ports = (first.port, second.port, spare.port)
            assert [states(edge)[port][0] for port in ports] == [10, 10, 20] and states(edge)[spare.port][1] == "up"
            others = [await nodes.player(edge, name) for name in "abc"]
            feeds = [await nodes.publisher(origin, name) for name in "abc"]
            for each, other in zip(feeds, others, strict=True):
                await each.send(2)
                assert await pictures(other, 2) == [0, 1]
            assert all(row["failure_count"] <= 1 for row in edge.manager.servers()), "nobody asks the dead ones again"

            first.listen()

            def is_home() -> bool:
                edge.tick()
                return pull.server is not None and pull.server.port == first.port and pull.state == "waiting"

            await wait_until(is_home, deadline(6), "back at the first site")
            await feed.send(4)
            assert await pictures(player, 4) == [7, 8, 9, 10]
            assert pull.stream.stats.gap_count == 0
    finally:
        dns.kill()


async def test_stream_that_only_the_spare_site_has_is_found_there(tmp_path: Path) -> None:
    dns = Dnsmasq(tmp_path)
    dns.write_hosts([("127.0.0.1", "o.live.test")])
    try:
        async with Nodes() as nodes:
            first, spare = nodes.add("first"), nodes.add("spare")
            edge = await edge_of(nodes, dns, [(0, first.port), (1, spare.port)], "rr")
            here, there = await nodes.publisher(first, "here"), await nodes.publisher(spare, "there")
            await here.send(2)
            await there.send(2)
            for name in ("here", "there"):
                player = await nodes.player(edge, name)
                assert await pictures(player, 2) == [0, 1]
            assert [row["streams_count"] for row in sorted(edge_rows(edge), key=lambda row: row["priority"])] == [1, 1]
    finally:
        dns.kill()


def edge_rows(edge: Node) -> list[dict[str, int]]:
    assert edge.manager is not None
    return edge.manager.servers()
