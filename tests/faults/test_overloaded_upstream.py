"""An edge whose upstream has too much to do: its players wait or go elsewhere, and lose nothing that they had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from edge.service.overload import Level, OverloadGuard
from tests.harness.client import RtmpClient
from tests.net.live import eventually, status
from tests.runtime.nodes import RunningNode, running

QUICK = ("-retry_interval_ms=200", "-timeout_ms=600", "-first_data_timeout_ms=600")


class FullGuard(OverloadGuard):
    """That of a node which has too much to do as long as a test says so."""

    is_full = True

    @property
    def level(self) -> Level:
        return Level.REFUSING if self.is_full else Level.CALM


def fill(one: RunningNode) -> FullGuard:
    """Make the node refuse newcomers."""
    guard = FullGuard(one.node.settings.overload, 0)
    one.node.overload.guard = guard
    for unit in one.node.units:
        unit.service.guard = guard
    return guard


async def plays(edge: RunningNode, name: str) -> RtmpClient:
    client = await edge.client()
    client.play(name)
    await status(client, "NetStream.Play.Start")
    return client


def has_begun(edge: RunningNode) -> bool:
    return any(stream.has_begun for stream in edge.node.units[0].registry.streams.values())


@asynccontextmanager
async def full() -> AsyncIterator[tuple[RunningNode, FullGuard]]:
    """A node that has a stream and no room."""
    async with running() as one:
        await one.publisher("s")
        yield one, fill(one)


async def test_players_of_an_edge_wait_until_its_upstream_takes_them() -> None:
    async with full() as (origin, guard), running(f"-proxy_to=127.0.0.1:{origin.port()}", *QUICK) as edge:
        await plays(edge, "s")
        await eventually(lambda: guard.refused_count >= 2, "attempts that were refused", 6)
        assert [stream.player_count for stream in edge.node.units[0].registry.streams.values()] == [1]
        guard.is_full = False
        await eventually(lambda: has_begun(edge), "the stream", 6)


async def test_of_two_upstreams_the_one_with_room_is_asked() -> None:
    async with full() as (one, _), full() as (other, guard):
        guard.is_full = False
        target = f"list://127.0.0.1:{one.port()},127.0.0.1:{other.port()}"
        async with running(f"-proxy_to={target}", "-proxy_lb=rr", *QUICK) as edge:
            for name in ("s", "s?a=1"):
                await plays(edge, name)
            await eventually(lambda: has_begun(edge), "the stream of the other", 6)
