"""Connects to servers that are down."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import pytest

from edge.upstream.config import UpstreamConfig
from edge.upstream.health import HealthTable
from edge.upstream.health_check import MAX_CHECKS, HealthChecker, TcpChecks, try_connect
from naming.node import ServerNode
from tests.harness.clock import deadline, wait_until
from tests.harness.ports import free_port
from tests.harness.virtual import ScriptedChecks

CONFIG = UpstreamConfig(health_check_interval=1)


def servers(count: int) -> tuple[ServerNode, ...]:
    return tuple(ServerNode("10.0.0.1", port) for port in range(1, count + 1))


def checker(count: int = 2) -> tuple[HealthTable, ScriptedChecks, HealthChecker]:
    table, checks = HealthTable(CONFIG, has_slow_start=True), ScriptedChecks()
    table.follow(servers(count), 0)
    return table, checks, HealthChecker(table, checks, timeout_ms=500)


def test_no_timer_runs_while_nothing_is_planned() -> None:
    table, checks, health_checker = checker()
    health_checker.wake()
    assert checks.due_ms == []
    table.fail(servers(2)[0], 1, 0, "refused")
    health_checker.wake()
    health_checker.wake()
    assert checks.due_ms == [100]
    table.succeed(servers(2)[0], 50)
    health_checker.wake()
    assert checks.due_ms == []


def test_server_is_connected_to_again_until_that_works(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    table, checks, health_checker = checker()
    bad = servers(2)[0]
    table.fail(bad, 1, 0, "refused")
    health_checker.wake()
    moments = [checks.end(bad, error) for error in ("Connection refused", "Connection refused", "")]
    assert moments == [100, 1100, 2100] and checks.timeouts_ms == [500, 500, 500]
    assert checks.due_ms == []
    assert caplog.messages == [
        "upstream 10.0.0.1:1 accepts no connections: Connection refused",
        "upstream 10.0.0.1:1 accepts connections again",
    ]


def test_earlier_check_moves_the_timer() -> None:
    table, checks, health_checker = checker(4)
    first, second = servers(2)
    table.fail(first, 1, 0, "refused")
    health_checker.wake()
    checks.end(first, "refused")
    assert checks.due_ms == [1100]
    table.fail(second, 1, 200, "refused")
    checks.time_ms = 200
    health_checker.wake()
    assert checks.due_ms == [300]


def test_connects_at_a_time_are_bounded() -> None:
    table, checks, health_checker = checker(MAX_CHECKS + 10)
    for server in servers(MAX_CHECKS + 10):
        table.fail(server, 1, 0, "refused")
    health_checker.wake()
    checks.begin()
    assert len(checks.going_on) == MAX_CHECKS and checks.due_ms == []
    server, done = checks.going_on.popitem()
    done("refused")
    assert checks.due_ms == [100]
    checks.begin()
    assert len(checks.going_on) == MAX_CHECKS and server not in checks.going_on


def test_server_that_left_is_not_connected_to() -> None:
    table, checks, health_checker = checker(4)
    table.fail(servers(4)[0], 1, 0, "refused")
    health_checker.wake()
    table.follow(servers(4)[1:], 50)
    health_checker.wake()
    assert checks.due_ms == []


async def test_after_closing_nothing_is_planned_or_begun() -> None:
    table, checks, health_checker = checker()
    table.fail(servers(2)[0], 1, 0, "refused")
    health_checker.wake()
    await health_checker.close()
    await health_checker.close()
    assert checks.is_closed and checks.due_ms == []
    table.fail(servers(2)[1], 1, 0, "refused")
    health_checker.wake()
    assert checks.due_ms == []


@pytest.fixture
async def listener() -> AsyncIterator[asyncio.Server]:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield server


async def test_connect_works_where_somebody_listens(listener: asyncio.Server) -> None:
    assert await try_connect(ServerNode(*listener.sockets[0].getsockname()), 1000) == ""


async def test_connect_is_refused_where_nobody_does() -> None:
    assert await try_connect(ServerNode("127.0.0.1", free_port()), 1000) == "Connection refused"


async def test_connect_that_is_not_answered_ends_in_time() -> None:
    with socket.socket() as full:  # a listener whose queue is full answers no SYN
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        error = await asyncio.wait_for(try_connect(ServerNode("127.0.0.1", port), 50), deadline(2))
        for filler in fillers:
            filler.close()
    assert error == "no answer in 50 ms"


async def test_address_without_a_route_is_an_error_and_no_exception() -> None:
    assert await try_connect(ServerNode("255.255.255.255", 1), 1000) != ""


async def test_tcp_checks_call_back_and_are_closed_with_their_owner(listener: asyncio.Server) -> None:
    checks, ends = TcpChecks(), list[str]()
    checks.connect(ServerNode(*listener.sockets[0].getsockname()), 1000, ends.append)
    await wait_until(lambda: ends == [""], deadline(1), "the connect has ended")
    checks.connect(ServerNode("127.0.0.1", free_port()), 1000, ends.append)
    await checks.close()
    assert ends == [""]
    called = asyncio.Event()
    timer = checks.call_later(1, called.set)
    await asyncio.wait_for(called.wait(), deadline(1))
    timer.cancel()
