"""Both ends of a two-level tree restarted, in each order, again and again."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.leaks import assert_gives_back
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

_SCRIPT = Script(gop=10)
_ROUNDS = 3


async def _restart(nodes: tuple[EdgeServer, EdgeServer]) -> None:
    for node in nodes:
        node.kill()
    for node in nodes:
        await asyncio.to_thread(node.restart, deadline(3))


@pytest.mark.parametrize("is_origin_first", [True, False], ids=["origin-first", "edge-first"])
async def test_U12_tree_restarted_at_both_ends_converges(is_origin_first: bool) -> None:
    origin = EdgeServer()
    with origin, EdgeServer(f"-proxy_to={origin.address}") as edge:
        order = (origin, edge) if is_origin_first else (edge, origin)
        async with (
            SynthPublisher(origin.rtmp_url("live", "down"), _SCRIPT, does_reconnect=True),
            SynthPublisher(edge.rtmp_url("live", "up"), _SCRIPT, does_reconnect=True),
        ):
            for _ in range(_ROUNDS):
                async with SynthPlayer(edge.rtmp_url("live", "down")) as player:
                    await player.wait_frames(5, 3)
                    await wait_until(lambda: origin.has_stream("up"), deadline(3), "the push")
                    async with SynthPlayer(origin.rtmp_url("live", "up")) as pushed:
                        await pushed.wait_frames(5, 3)
                        counters = await asyncio.to_thread(edge.counters)
                        assert (counters["pull_count"], counters["push_count"]) == (1, 1)
                        await wait_until(lambda: len(origin.streams()) == 2, deadline(1), "each stream once")
                        await _restart(order)
        await assert_gives_back([origin, edge])
