"""A node gets from the one up the way what it lacks."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from edge.hls.names import Asked, SegmentName, parse_path
from edge.httpd import hls_fleet
from edge.httpd.hls_fetch import Fetcher
from edge.httpd.hls_fleet import Fleet
from edge.httpd.hls_shelf import HlsStream
from edge.httpd.hls_window import encode_window
from edge.service.service import Service
from edge.service.source import NodePlace
from tests.hls.test_segmenter import Hop, Origin, Watched

PLACE = NodePlace("10.0.0.1", 8079)


class Upstream:
    """The node up the way, without a connection: a fetcher, and the service that fetches from it."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.asked: list[str] = []
        self.is_there = True
        self.source = self
        self.service_id = "late"

    def node_of(self, _stream: object) -> NodePlace | None:
        return PLACE if self.is_there else None

    async def get(self, place: NodePlace, path: str, query: str, node: str) -> bytes | None:
        assert place is PLACE and node == "late"
        self.asked.append(path if not query else f"{path}?{query}")
        if path == "/-/hls/window":
            return encode_window(self.watched.it)
        asked = parse_path(path)
        assert asked is not None
        if asked.segment is None:
            return self.watched.it.init(asked.digest)
        segment = self.watched.it.find(asked.segment)
        if segment is None:
            return None
        return segment.data if asked.part < 0 else segment.part_bytes(asked.part)

    async def close(self) -> None:
        """Nothing is open."""


class Late:
    """An edge that begins when the origin has made three segments."""

    def __init__(self, kind: str) -> None:
        self.origin = Origin()
        self.first = Watched(self.origin.stream, kind)
        self.origin.headers()
        self.origin.run(0, 7300)
        self.node = Hop(self.origin)
        self.node.receive()
        self.it = Watched(self.node.stream, kind, may_grow=True)
        self.it.classic = self.it.low_latency = None
        self.upstream = Upstream(self.first)
        self.fleet = Fleet(cast(Fetcher, self.upstream), viewer_timeout_ms=30_000)
        self.found = cast(HlsStream, type("Found", (), {"stream": self.node.stream, "segmenters": {}})())

    @property
    def service(self) -> Service:
        return cast(Service, self.upstream)

    async def prepare(self) -> None:
        await self.fleet.prepare(self.service, self.found, self.it.it, 3)

    async def fetch(self, path: str) -> bytes | None:
        asked = parse_path(path)
        assert isinstance(asked, Asked)
        return await self.fleet.fetch(self.service, self.found, self.it.it, 3, asked, path)


@pytest.mark.parametrize("kind", ["ts", "m4s"])
async def test_the_window_from_before_it_began_is_asked_for_once(kind: str) -> None:
    late = Late(kind)
    await late.prepare()
    await late.prepare()
    assert len(late.upstream.asked) == 1 and late.upstream.asked[0].startswith("/-/hls/window?vhost=_&app=live&stream=")
    names = [str(each.name) for each in late.it.it.listed()]
    assert names == [str(each.name) for each in late.first.it.listed()] and len(names) == 3
    await late.fleet.close()


async def test_bytes_are_fetched_by_name_and_kept() -> None:
    late = Late("m4s")
    await late.prepare()
    segment = late.first.it.segments[0]
    stream = f"/live/{late.node.stream.key.stream_name}"
    assert await late.fetch(f"{stream}.{segment.name}.m4s") == segment.data
    mine = late.it.it.find(segment.name)
    assert mine is not None and mine.data == segment.data and mine.part_bytes(0) == segment.part_bytes(0)
    assert await late.fetch(f"{stream}.{segment.init}.init.mp4") == late.first.it.init(segment.init)
    assert late.it.it.init(segment.init) is not None


async def test_names_that_nobody_has_are_not_asked_for_again_and_again() -> None:
    """Whoever invents names makes no requests to the node up the way."""
    late = Late("ts")
    await late.prepare()
    name = late.first.it.segments[0].name
    stream = f"/live/{late.node.stream.key.stream_name}"
    wrong = SegmentName(name.epoch, name.number, name.dts_ms + 1)
    for _ in range(20):
        assert await late.fetch(f"{stream}.{wrong}.ts") is None
    for number in (name.number - 10_000, name.number + 10_000):
        assert await late.fetch(f"{stream}.{SegmentName(name.epoch, number, 0)}.ts") is None
    assert len(late.upstream.asked) == 2  # the window, and the wrong name once


async def test_without_a_node_up_the_way_nothing_is_asked_for() -> None:
    late = Late("ts")
    late.upstream.is_there = False
    await late.prepare()
    assert await late.fetch(f"/live/s.{late.first.it.segments[0].name}.ts") is None
    assert not late.upstream.asked and not late.it.it.can_fetch


async def test_a_listed_segment_is_had_as_soon_as_the_node_that_has_it_is_back() -> None:
    late = Late("ts")
    await late.prepare()
    late.upstream.is_there = False
    segment = late.first.it.segments[0]
    asking = asyncio.create_task(late.fetch(f"/live/s.{segment.name}.ts"))
    await asyncio.sleep(0)
    assert late.fleet.is_out_of_reach(late.service, late.found, late.it.it, segment.name)
    unknown = SegmentName(segment.name.epoch, segment.name.number + 50, 0)
    assert not late.fleet.is_out_of_reach(late.service, late.found, late.it.it, unknown)
    late.upstream.is_there = True
    assert await asking == segment.data
    assert not late.fleet.is_out_of_reach(late.service, late.found, late.it.it, segment.name)


async def test_a_node_that_stays_away_is_not_waited_for_longer_than_a_viewer_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hls_fleet, "_WAIT_S", 0.1)
    late = Late("ts")
    await late.prepare()
    late.upstream.is_there = False
    assert await late.fetch(f"/live/s.{late.first.it.segments[0].name}.ts") is None
    assert len(late.upstream.asked) == 1  # the window


async def test_the_node_up_the_way_goes_on_while_somebody_watches_here() -> None:
    late = Late("ts")
    late.found.segmenters["ts", 3] = late.it.it
    for at_ms in (100_000, 101_000, 109_999, 110_000):
        late.fleet.keep_upstream(late.service, late.found, at_ms)
        await asyncio.sleep(0)
    await late.fleet.close()
    assert len(late.upstream.asked) == 2  # each third of the time after which viewers count as gone
