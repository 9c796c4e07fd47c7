"""A server that is dead and comes back, with sockets: who finds out, and what it gets then."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from edge.net.aio import now_ms
from tests.harness.clock import deadline
from tests.harness.fault_proxy import FaultProxy
from tests.harness.ports import free_port
from tests.net.serving import Node, Nodes, media, wait_until

pytestmark = pytest.mark.faults

INTERVAL_S = 1
# The same stream is played again and again: a server that had nothing for it is not passed over.
NO_MEMORY = {"disable_server_duration": 0}


def server_at(edge: Node, port: int) -> dict[str, object]:
    """What the pages say of the server on ``port``."""
    assert edge.manager is not None
    (row,) = (row for row in edge.manager.servers() if row["endpoint"] == f"127.0.0.1:{port}")
    return row


async def play(nodes: Nodes, edge: Node) -> None:
    """A player comes, sees a picture and leaves, and the pull with it."""
    player = await nodes.player(edge)
    await media(player, 1)
    player.peer.abort()
    nodes.clients.remove(player)
    assert edge.manager is not None
    await wait_until(lambda: edge.manager and not edge.manager.pulls, deadline(1), "the pull has ended")


async def test_no_player_is_a_probe_of_a_dead_server_and_it_gets_players_again_little_by_little() -> None:
    async with Nodes() as nodes, FaultProxy(0) as proxy:
        await proxy.refuse()
        origin, edge = nodes.add("origin"), nodes.add("edge")
        proxy.retarget(origin.port)
        manager = await edge.follow(
            origin.port, proxy.port, health_check_interval=INTERVAL_S, slow_start_ms=60_000, **NO_MEMORY
        )
        feed = await nodes.publisher(origin)
        await feed.send(11)
        while not server_at(edge, proxy.port)["failure_count"]:
            await play(nodes, edge)
        for _ in range(50):
            await play(nodes, edge)
        dead = server_at(edge, proxy.port)
        assert (dead["failure_count"], dead["ok_count"], proxy.accepted_count) == (1, 0, 0)
        await wait_until(lambda: server_at(edge, proxy.port)["check_count"], deadline(1), "the first check")
        assert server_at(edge, proxy.port)["state"] == "checking"

        await proxy.start()
        await wait_until(
            lambda: server_at(edge, proxy.port)["state"] == "trial", deadline(INTERVAL_S + 0.5), "found again"
        )
        assert server_at(edge, proxy.port)["failure_count"] == 1
        for _ in range(200):
            await play(nodes, edge)
            if server_at(edge, proxy.port)["ok_count"]:
                break
        back = server_at(edge, proxy.port)
        assert (back["state"], back["failure_count"]) == ("slow start", 1)
        chosen = Counter(manager.aims.pull.select("_/live/s", now_ms=now_ms()) for _ in range(3000))
        (share,) = (count / 3000 for server, count in chosen.items() if server and server.port == proxy.port)
        assert 0.02 < share < 0.25, "half of all is its usual share"
        checked_count = back["check_count"]
        await asyncio.sleep(1.2 * INTERVAL_S)
        assert server_at(edge, proxy.port)["check_count"] == checked_count, "nothing is checked while all are up"


async def test_check_of_our_own_servers_is_counted_as_an_empty_connection_and_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        await edge.follow(origin.port, port, health_check_interval=INTERVAL_S)
        feed = await nodes.publisher(origin)
        await feed.send(11)
        while not server_at(edge, port)["failure_count"]:
            await play(nodes, edge)
        other = nodes.add("other")
        other.stop_listening()
        other.port = port
        caplog.clear()
        other.listen()
        await wait_until(lambda: server_at(edge, port)["state"] == "trial", deadline(INTERVAL_S + 0.5), "found again")
        await wait_until(lambda: other.context.counters["conn_empty_count"] == 1, deadline(1), "counted")
        assert [record.name for record in caplog.records if "upstream" not in record.name] == []


async def test_checks_end_with_the_edge() -> None:
    async with Nodes() as nodes, FaultProxy(0) as proxy:
        await proxy.refuse()
        origin, edge = nodes.add("origin"), nodes.add("edge")
        manager = await edge.follow(origin.port, proxy.port, health_check_interval=INTERVAL_S)
        feed = await nodes.publisher(origin)
        await feed.send(11)
        while not server_at(edge, proxy.port)["failure_count"]:
            await play(nodes, edge)
        await wait_until(lambda: server_at(edge, proxy.port)["check_count"], deadline(1), "the first check")
        await manager.close()
        await proxy.start()
        await asyncio.sleep(1.2 * INTERVAL_S)
        assert proxy.accepted_count == 0
