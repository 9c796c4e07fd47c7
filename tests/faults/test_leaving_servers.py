"""A server that says that it stops: who is fed from it goes where the stream is, or stays to the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.harness.client import RtmpClient
from tests.harness.clock import deadline, wait_until
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.faults

_SCRIPT = Script(gop=10)
_RECONNECT = "NetConnection.Connect.ReconnectRequest"


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


class FollowingPlayer(SynthPlayer):
    """One that says that it can connect anew, with a token of its own in its server URL."""

    async def start(self, within_s: float = 5.0) -> None:
        parts = self.url.rpartition("/")
        async with asyncio.timeout(deadline(within_s)):
            tc_url = f"{parts[0]}?token=t"
            self._client, name = await RtmpClient.open(self.url, capsEx=1, tcUrl=tc_url)
        self._client.play(name)
        self._task = asyncio.create_task(self._run(self._client), name=f"player {self.url}")


async def test_clients_are_told_a_sibling_that_is_ready(tmp_path: Path) -> None:
    """Of the list one is the node itself, one is down, one is ready; the URL names the same stream there."""
    listed = tmp_path / "siblings"
    listed.write_text("")
    with EdgeServer() as origin, EdgeServer(f"-proxy_to={origin.address}") as sibling:
        flags = (f"-rtmp_siblings=file://{listed}", "-ns_access_interval=1", "-grace_term_s=4")
        with EdgeServer(f"-proxy_to={origin.address}", *flags) as edge:
            listed.write_text(f"rtmp://{edge.address}\nrtmp://127.0.0.1:1\nrtmp://{sibling.address} # the other one\n")
            async with (
                SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT),
                FollowingPlayer(edge.rtmp_url("live", "s")) as player,
            ):
                await player.wait_frames(1, 5)
                await wait_until(lambda: "siblings for RTMP: " in edge.log, deadline(3), "the list")
                # What it loads for its first answer over HTTP takes longer on a busy machine than it is waited for.
                await asyncio.to_thread(sibling.http, "/readyz", on_internal=False)
                edge.ask_to_leave()
                await player.wait_status(_RECONNECT, 5)
                url = f"rtmp://{sibling.address}/live?token=t&vhost=__defaultVhost__"
                assert [info["tcUrl"] for info in player.status_infos if info["code"] == _RECONNECT] == [url]
