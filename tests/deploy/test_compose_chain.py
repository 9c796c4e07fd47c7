"""The compose file acted out by processes: the same flagfiles, with the names of services and ports mapped."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from tests.harness.deployed import compose, flag_lines, flagfile_of
from tests.harness.hls_client import HlsClient
from tests.harness.http_media import FlvReader
from tests.harness.player import SynthPlayer
from tests.harness.ports import free_port
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.interop

_START_WITHIN_S = 15.0


def servers() -> dict[str, EdgeServer]:
    """A process for each service by its name, with its flagfile; the services that this names are on the loopback."""
    services = compose()["services"]
    ports = {name: free_port() for name in services}
    assert len(set(ports.values())) == len(ports)
    found = {}
    for name, service in services.items():
        flagfile = flagfile_of(service)
        server = EdgeServer(port=ports[name])
        mapped = [f"-flagfile={flagfile}", f"-port={ports[name]}", f"-internal_port={server.internal_port}", "-listen="]
        if target := flag_lines(flagfile.read_text()).get("proxy_to"):
            for other, port in ports.items():
                at = flag_lines(flagfile_of(services[other]).read_text())["port"]
                target = target.replace(f"{other}:{at}", f"127.0.0.1:{port}")
            mapped.append(f"-proxy_to={target}")
        server.flags = tuple(mapped)
        found[name] = server
    return found


async def test_stream_of_the_origin_plays_at_both_edges_and_the_shield_fetches_it_once() -> None:
    async with AsyncExitStack() as stack:
        nodes = servers()
        for node in nodes.values():
            stack.push(node.__exit__)
        starts = (asyncio.to_thread(node.start, _START_WITHIN_S) for node in nodes.values())
        # Those that start when one fails are waited for, else nobody would end them.
        failures = [each for each in await asyncio.gather(*starts, return_exceptions=True) if each is not None]
        assert not failures, failures
        edges = [nodes["edge1"], nodes["edge2"]]
        publisher = await stack.enter_async_context(
            SynthPublisher(nodes["origin"].rtmp_url("live", "cam1"), Script(gop=25))
        )
        players: list[SynthPlayer | FlvReader] = []
        viewers: list[HlsClient] = []
        for edge in edges:
            url = f"http://{edge.address}/live/cam1"
            players += [
                await stack.enter_async_context(SynthPlayer(edge.rtmp_url("live", "cam1"))),
                await stack.enter_async_context(FlvReader(f"{url}.flv")),
            ]
            viewers.append(await stack.enter_async_context(HlsClient(f"{url}.ll.m3u8")))
        for player in players:
            await player.wait_frames(50, 5)
        for viewer in viewers:
            await viewer.wait_media(4, 6)
        for node, count in (("origin", 1), ("shield", 2)):
            (row,) = await asyncio.to_thread(nodes[node].streams)
            assert row["players"] == count, f"{node} is asked {row['players']} times"
        assert not publisher.error
        for player in players:
            player.account.assert_complete()
        for viewer in viewers:
            viewer.assert_well()
