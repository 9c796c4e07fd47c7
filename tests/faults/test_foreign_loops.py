"""A loop through a server that drops the hop list does not outlive its last real player."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.leaks import assert_gives_back
from tests.harness.nginx import NginxRtmp
from tests.harness.player import SynthPlayer
from tests.harness.ports import free_port
from tests.harness.relay import ForeignRelay
from tests.harness.server import EdgeServer
from tests.harness.synth import SynthPublisher

pytestmark = pytest.mark.faults

FIRST_DATA_MS = 1000
FLAGS = (f"-first_data_timeout_ms={FIRST_DATA_MS}",)
WITHIN_S = FIRST_DATA_MS / 1000 + 2


@contextlib.asynccontextmanager
async def loop_of(length: int, *flags: str) -> AsyncIterator[tuple[list[EdgeServer], ForeignRelay]]:
    """Nodes of which each leads to the next, the last to a foreign relay, and that to the first."""
    ports = [free_port() for _ in range(length)]
    async with ForeignRelay(f"rtmp://127.0.0.1:{ports[0]}/live") as relay:
        with contextlib.ExitStack() as stack:
            nodes = []
            for at, port in enumerate(ports):
                upstream = ports[at + 1] if at + 1 < length else relay.port
                node = EdgeServer(f"-proxy_to=127.0.0.1:{upstream}", *FLAGS, *flags, port=port)
                nodes.append(await asyncio.to_thread(stack.enter_context, node))
            yield nodes, relay


async def until(condition: Callable[[], Awaitable[bool]], within_s: float) -> None:
    ends_at = time.monotonic() + deadline(within_s)
    while not await condition():
        assert time.monotonic() < ends_at, f"not within {within_s} s"
        await asyncio.sleep(0.1)


async def pulls_of(nodes: list[EdgeServer]) -> list[float]:
    return [(await asyncio.to_thread(node.counters))["pull_count"] for node in nodes]


async def assert_no_pulls(nodes: list[EdgeServer], within_s: float) -> None:
    async def are_none() -> bool:
        return not any(await pulls_of(nodes))

    await until(are_none, within_s)


@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("flags", [(), ("-keep_pulling_seconds=1",)], ids=["at_once", "kept"])
async def test_O3_foreign_loop_is_gone_after_its_last_real_player(length: int, flags: tuple[str, ...]) -> None:
    async with loop_of(length, *flags) as (nodes, relay):
        async with SynthPlayer(nodes[0].rtmp_url("live", "echo")) as player:
            await wait_until(lambda: relay.pull_count == 1, deadline(3), "the loop to close")
            await asyncio.sleep(0.3)
            player.assert_alive()
        await assert_no_pulls(nodes, WITHIN_S)
        await wait_until(lambda: not relay.pull_count and not relay.player_count, deadline(2), "the relay to let go")
        await assert_gives_back(nodes)


async def test_O3_player_that_leaves_at_once_leaves_no_echo() -> None:
    async with loop_of(1) as (nodes, relay):
        for _ in range(3):
            async with SynthPlayer(nodes[0].rtmp_url("live", "zap")):
                pass
        await assert_no_pulls(nodes, WITHIN_S + 1)
        await wait_until(lambda: not relay.pull_count, deadline(2), "the relay to let go")


async def test_O3_loop_through_nginx_is_gone_after_its_last_real_player() -> None:
    port = free_port()
    async with NginxRtmp(f"pull rtmp://127.0.0.1:{port}/live") as nginx:
        with EdgeServer(f"-proxy_to={nginx.address}", *FLAGS, port=port) as node:

            async def has_echo() -> bool:
                rows = await asyncio.to_thread(node.streams)
                return any(row["players"] >= 2 for row in rows)

            async with SynthPlayer(node.rtmp_url("live", "echo")) as player:
                await until(has_echo, 4)
                player.assert_alive()
            await assert_no_pulls([node], WITHIN_S)


async def test_player_that_still_waits_is_served_when_another_has_left() -> None:
    async with NginxRtmp() as nginx:
        with EdgeServer(f"-proxy_to={nginx.address}", *FLAGS) as node:
            async with SynthPlayer(node.rtmp_url("live", "late")) as stays:
                async with SynthPlayer(node.rtmp_url("live", "late")):
                    await asyncio.sleep(0.3)
                await asyncio.sleep(WITHIN_S)
                assert await pulls_of([node]) == [1]
                async with SynthPublisher(nginx.rtmp_url("late")):
                    await stays.wait_frames(20, 5)
