"""A server that says that it stops: who is fed from it goes where the stream is, or stays to the end."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

_SCRIPT = Script(gop=10)


async def test_a_stream_that_no_other_server_has_is_played_to_the_end() -> None:
    """Two origins, either of which may have a stream: the other one is asked in vain, and nothing is cut meanwhile."""
    flags = "-grace_term_s=4"
    with EdgeServer(flags) as origin, EdgeServer(flags) as other:
        servers = f"list://{origin.address},{other.address}"
        with EdgeServer(f"-proxy_to={servers}", "-proxy_lb=rr", "-disable_server_duration=1") as edge:
            async with (
                SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT) as publisher,
                SynthPlayer(edge.rtmp_url("live", "s")) as player,
            ):
                await player.wait_frames(20, 5)
                await asyncio.sleep(1)  # that the other one has not got it is forgotten
                origin.ask_to_leave()
                await wait_until(lambda: "is being stopped pulls=1" in edge.log, deadline(2), "the word")
                assert await asyncio.to_thread(origin.process.wait, deadline(4)) == 0
                await wait_until(lambda: publisher.error, deadline(2), "the publisher's end")
                await wait_until(lambda: "end=lost" in edge.log, deadline(2), "the end here")
                # All but what was on its way when the origin had gone.
                assert len(publisher.sent) - player.deliveries[-1].frame.sequence < 80
                player.account.assert_complete()
