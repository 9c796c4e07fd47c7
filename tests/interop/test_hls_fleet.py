"""HLS over a tree of nodes: all of them serve the same names and bytes, whatever becomes of hops and origins."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from functools import partial

import aiohttp
import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.fault_proxy import FaultProxy
from tests.harness.fleet import Fleet
from tests.harness.hls_client import HlsClient, open_session
from tests.harness.http_counter import CountingProxy
from tests.harness.m3u8 import Media, parse_media
from tests.harness.nginx import NginxRtmp
from tests.harness.server import EdgeServer
from tests.harness.synth import Script, SynthPublisher

pytestmark = pytest.mark.interop

_CLASSIC, _LOW_LATENCY = "/live/s.classic.media.m3u8", "/live/s.ll.media.m3u8"
#: Segments are groups of pictures, of 1 s.
_FRAGMENT = "-hls_fragment_s=1"
_SCRIPT = Script(gop=25)
_WINDOW = "/-/hls/window"


class Reader:
    """GET requests to several nodes."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, node: EdgeServer, path: str) -> tuple[int, bytes]:
        async with self._session.get(f"http://{node.address}{path}") as answer:
            return answer.status, await answer.read()

    async def text(self, node: EdgeServer, path: str, within_s: float = 8.0) -> str:
        """A playlist, once there is one."""
        found = ""

        async def ask() -> bool:
            nonlocal found
            status, body = await self.get(node, path)
            found = body.decode()
            return status == 200

        limit = asyncio.get_running_loop().time() + deadline(within_s)
        while not await ask():
            assert asyncio.get_running_loop().time() < limit, f"{path} of {node.address}: {found}"
            await asyncio.sleep(0.1)
        return found

    async def media(self, node: EdgeServer, path: str) -> Media:
        return parse_media(await self.text(node, path))

    async def wait_segments(self, node: EdgeServer, count: int) -> None:
        """Until its classic playlist lists so many."""
        limit = asyncio.get_running_loop().time() + deadline(count + 4)
        while len((await self.media(node, _CLASSIC)).segments) < count:
            assert asyncio.get_running_loop().time() < limit, f"{count} segments at {node.address}"
            await asyncio.sleep(0.2)

    async def same_text(self, nodes: Sequence[EdgeServer], path: str) -> str:
        """A playlist that all have at one time: between two changes of it."""
        texts: list[str] = []
        for _ in range(30):
            texts = await asyncio.gather(*(self.text(node, path) for node in nodes))
            if len(set(texts)) == 1:
                return texts[0]
            await asyncio.sleep(0.07)
        raise AssertionError(f"never the same at all nodes: {path}\n" + "\n".join(texts))

    async def same_bytes(self, nodes: Sequence[EdgeServer], uri: str) -> None:
        """An object is at all nodes, each asked twice at once and once more, and the same."""
        twice = [node for node in nodes for _ in range(2)]
        answers = await asyncio.gather(*(self.get(node, f"/live/{uri}") for node in twice))
        answers += await asyncio.gather(*(self.get(node, f"/live/{uri}") for node in nodes))
        assert {status for status, _ in answers} == {200}, f"{uri}: {[status for status, _ in answers]}"
        assert len({hashlib.sha1(body).digest() for _, body in answers}) == 1, f"{uri}: not the same bytes"


def uris_of(media: Media) -> list[str]:
    """All that a playlist names."""
    found = [segment.map_uri for segment in media.segments if segment.map_uri]
    for segment in media.segments:
        found += [*(part.uri for part in segment.parts), segment.uri]
    found += [part.uri for part in media.trailing.parts]
    return list(dict.fromkeys(found))


async def test_nodes_of_a_tree_serve_the_same_playlists_and_bytes() -> None:
    """Also one that begins later, which asks for each thing once, for however many viewers."""
    with EdgeServer(_FRAGMENT) as origin, EdgeServer(f"-proxy_to={origin.address}") as near:
        async with CountingProxy(near.port) as way, CountingProxy(near.port) as late_way, open_session() as session:
            reader = Reader(session)
            with EdgeServer(f"-proxy_to={way.address}") as far:
                early = [origin, near, far]
                async with SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT):
                    await asyncio.gather(
                        *(reader.text(node, each) for node in early for each in (_CLASSIC, _LOW_LATENCY))
                    )
                    await reader.wait_segments(origin, 6)
                    with EdgeServer(f"-proxy_to={late_way.address}") as late:
                        nodes = [*early, late]
                        classic = parse_media(await reader.same_text(nodes, _CLASSIC))
                        low_latency = parse_media(await reader.same_text(nodes, _LOW_LATENCY))
                        uris = [*uris_of(classic), *uris_of(low_latency)]
                        for uri in uris:
                            await reader.same_bytes(nodes, uri)
    assert len(classic.segments) >= 6 and len(low_latency.segments) >= 6
    for each in (way, late_way):
        often = [(uri, count) for uri, count in each.asked.items() if count > 1 and not uri.startswith(_WINDOW)]
        assert not often, f"asked for more than once: {often}"
    assert sum(uri.startswith(_WINDOW) for uri in late_way.asked) == 2  # TS and fragmented MP4
    whole = [segment.uri for segment in classic.segments]
    assert sum(late_way.count(f"/live/{uri}") for uri in whole) >= 5


async def test_viewers_wait_for_what_another_node_has_told_of() -> None:
    """A part that is to come, and the first one of a segment, asked for at the far node by the names of the origin."""
    with EdgeServer(_FRAGMENT) as origin, EdgeServer(f"-proxy_to={origin.address}") as edge:
        async with open_session() as session, SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT):
            reader = Reader(session)
            await reader.media(origin, _LOW_LATENCY)
            await reader.wait_segments(origin, 2)
            for _ in range(8):
                hint = (await reader.media(origin, _LOW_LATENCY)).preload_hint
                assert hint is not None
                await reader.same_bytes([edge, origin], hint.uri)


@pytest.mark.parametrize("outage_s", [0.0, 3.0])
async def test_edge_that_lost_frames_serves_no_other_bytes_under_a_name(outage_s: float) -> None:
    """The hop breaks in the middle of a segment, for longer than its upstream remembers, or shortly.

    Then the edge has just begun, and has nothing yet of what it lists.
    """
    with EdgeServer(_FRAGMENT, "-log_retain_ms=1000") as origin:
        async with CountingProxy(origin.port) as way, open_session() as session:
            reader = Reader(session)
            with EdgeServer(f"-proxy_to={way.address}", "-retry_interval_ms=100") as edge:
                async with SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT):
                    for node in (origin, edge):
                        await asyncio.gather(reader.text(node, _CLASSIC), reader.text(node, _LOW_LATENCY))
                        await reader.wait_segments(node, 3 if outage_s else 8)
                    asked = sum(way.asked.values())
                    await way.refuse()
                    await way.reset_all()
                    await asyncio.sleep(outage_s)
                    await way.start()
                    await reader.wait_segments(edge, 8 + int(outage_s))
                    for path in (_CLASSIC, _LOW_LATENCY):
                        text = await reader.same_text([origin, edge], path)
                        for uri in uris_of(parse_media(text)):
                            await reader.same_bytes([origin, edge], uri)
                    assert not any(segment.is_gap for segment in parse_media(text).segments)
                    if outage_s:
                        assert sum(way.asked.values()) > asked, "nothing was lost"


async def test_edge_says_gaps_for_what_nobody_has() -> None:
    """Frames that a foreign upstream does not remember; never other bytes under a name that somebody has had."""
    async with NginxRtmp() as nginx, FaultProxy(nginx.port) as way, open_session() as session:
        reader = Reader(session)
        with EdgeServer(f"-proxy_to={way.address}", "-retry_interval_ms=100", _FRAGMENT) as edge:
            async with SynthPublisher(nginx.rtmp_url("s"), _SCRIPT):
                client = HlsClient(f"http://{edge.address}/live/s.classic.m3u8", keeps_fetches=True)
                async with client:
                    await client.wait_media(3, 10)
                    await way.reset_all()
                    await client.wait_media(client.played_count + 6, 14)
                assert not client.errors, client.errors
                got = {fetched.uri: fetched.sha1 for fetched in client.of("segment")}
                for uri, sha1 in got.items():
                    status, body = await reader.get(edge, uri.partition(edge.address)[2])
                    assert status == 200 and hashlib.sha1(body).hexdigest() == sha1, uri


async def test_stream_of_a_foreign_upstream_is_played() -> None:
    """Named by the edge, which is where it begins for us; an edge behind it serves the same."""
    async with NginxRtmp() as nginx, open_session() as session:
        with (
            EdgeServer(f"-proxy_to={nginx.address}", _FRAGMENT) as near,
            EdgeServer(f"-proxy_to={near.address}") as far,
        ):
            async with SynthPublisher(nginx.rtmp_url("s"), _SCRIPT):
                reader = Reader(session)
                urls = [
                    f"http://{node.address}/live/s.{form}.m3u8" for node in (near, far) for form in ("classic", "ll")
                ]
                clients = [HlsClient(url, session=session) for url in urls]
                async with asyncio.TaskGroup() as group:
                    for client in clients:
                        group.create_task(play(client, 5))
                for path in (_CLASSIC, _LOW_LATENCY):
                    for uri in uris_of(parse_media(await reader.same_text([near, far], path))):
                        await reader.same_bytes([near, far], uri)


async def play(client: HlsClient, count: int) -> None:
    """So many segments or parts, without a fault."""
    async with client:
        await client.wait_media(count, 15)
    client.assert_well()


@pytest.mark.parametrize("is_polite", [False, True])
async def test_viewers_go_on_when_the_origin_is_started_anew(is_polite: bool) -> None:
    """Numbers never go back, nobody is told of an end, and what was lost is skipped."""
    with EdgeServer(_FRAGMENT) as origin, EdgeServer(f"-proxy_to={origin.address}", "-retry_interval_ms=200") as edge:
        publisher = SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT, does_reconnect=True)
        await publisher.start()
        try:
            clients = [HlsClient(f"http://{edge.address}/live/s.{form}.m3u8") for form in ("classic", "ll")]
            async with clients[0], clients[1]:
                for client in clients:
                    await client.wait_media(4, 10)
                await asyncio.to_thread(origin.stop if is_polite else origin.kill)
                await asyncio.sleep(1)
                await asyncio.to_thread(origin.restart)
                await wait_until(lambda: publisher.generation == 2, deadline(4), "the publisher's return")
                for client in clients:
                    first = client.played_count
                    await client.wait_for(partial(is_of_second_publish, client), 12, "the second publish")
                    await client.wait_media(first + 6, 12)
            for client in clients:
                wrong = [error for error in client.errors if "has gone before it was fetched" not in error]
                missing = [each.uri for each in client.fetches if each.status == 404 and each.kind != "hint"]
                assert not wrong and not missing, f"{client.url}: {wrong} {missing}"
                assert client.playlist is not None and not client.playlist.is_ended
        finally:
            await publisher.stop()


def is_of_second_publish(client: HlsClient) -> bool:
    """What it played last has another epoch in its name than what it played first."""
    epochs = [played.fetched.uri.rpartition("/")[2].split(".")[1].partition("-")[0] for played in client.played]
    return epochs[0] != epochs[-1]


async def test_edge_that_is_being_stopped_tells_nobody_that_the_broadcast_is_over() -> None:
    """A cache would keep it, and viewers at other edges would leave."""
    with EdgeServer(_FRAGMENT) as origin, EdgeServer(f"-proxy_to={origin.address}") as edge:
        async with SynthPublisher(origin.rtmp_url("live", "s"), _SCRIPT), open_session() as session:
            reader = Reader(session)
            await asyncio.gather(reader.text(edge, _CLASSIC), reader.text(edge, _LOW_LATENCY))
            newest = (await reader.media(edge, _LOW_LATENCY)).next_sequence
            waiting = asyncio.create_task(reader.get(edge, f"{_LOW_LATENCY}?_HLS_msn={newest + 1}&_HLS_part=1"))
            polling = asyncio.create_task(poll(reader, edge, _CLASSIC))
            await asyncio.sleep(0.2)
            await asyncio.to_thread(edge.stop)
            answers = [await waiting, *await polling]
    assert not any(b"EXT-X-ENDLIST" in body for _, body in answers)
    assert answers[0][0] == 503, answers[0]


async def poll(reader: Reader, node: EdgeServer, path: str) -> list[tuple[int, bytes]]:
    """All answers until there are none."""
    answers = []
    try:
        while True:
            answers.append(await reader.get(node, path))
            await asyncio.sleep(0.01)
    except aiohttp.ClientError:
        return answers


async def test_unready_edge_refuses_at_once() -> None:
    """Whoever asks several edges can then ask another one, before a viewer's buffer is empty."""
    with EdgeServer("-proxy_to=file:///nonexistent/servers") as edge:
        async with open_session() as session:
            reader, loop = Reader(session), asyncio.get_running_loop()
            began = loop.time()
            answers = [await reader.get(edge, f"/live/s.{each}") for each in ("classic.m3u8", "ll.m3u8", "e-1-2.ts")]
            assert loop.time() - began < deadline(1)
    assert [status for status, _ in answers] == [503] * 3


async def test_low_latency_at_an_edge_without_a_part_of_its_own_yet() -> None:
    """It began in the middle of a segment: how long parts are meant to be is known all the same."""
    script = Script(gop=100)
    with EdgeServer() as origin, EdgeServer(f"-proxy_to={origin.address}") as edge:
        async with SynthPublisher(origin.rtmp_url("live", "s"), script), open_session() as session:
            reader = Reader(session)
            await reader.text(origin, _LOW_LATENCY)
            await reader.wait_segments(origin, 1)
            await asyncio.sleep(0.5)
            here, there = await reader.media(edge, _LOW_LATENCY), await reader.media(origin, _LOW_LATENCY)
    assert here.part_target_s == there.part_target_s


async def test_three_hundred_viewers_behind_merge_services_are_one_pull() -> None:
    """Of all forms, at two fronts."""
    async with Fleet(_FRAGMENT, shields=2, edges=0, is_merge_tier=True) as fleet, open_session() as session:
        reader = Reader(session)
        async with SynthPublisher(fleet["o1"].rtmp_url("live", "s"), _SCRIPT):
            fronts = fleet.fronts
            forms = (_CLASSIC, _LOW_LATENCY, "/live/s.dynamic.m3u8")
            viewers = [(fronts[number % 2], forms[number % 3]) for number in range(300)]
            for _ in range(2):
                await asyncio.gather(*(reader.text(*viewer) for viewer in viewers))
                pulls = await fleet.pulls_at_origins()
                assert pulls == {"s": 1}, pulls
                await reader.wait_segments(fronts[0], 3)
            urls = [f"http://{front.address}/live/s.{form}.m3u8" for front in fronts for form in ("classic", "ll")]
            async with asyncio.TaskGroup() as group:
                for url in urls:
                    group.create_task(play(HlsClient(url, session=session), 5))
            for path in (_CLASSIC, _LOW_LATENCY):
                for uri in uris_of(parse_media(await reader.same_text(fronts, path))):
                    await reader.same_bytes(fronts, uri)
            for front in fronts:
                lines = (await reader.text(front, forms[2])).splitlines()
                status, body = await reader.get(front, f"/live/{next(line for line in lines if line[:1] != '#')}")
                assert status == 200 and len(body) % 188 == 0 and body[:1] == b"G"
            assert await fleet.pulls_at_origins() == {"s": 1}
