from __future__ import annotations

import pytest

from edge.runtime import traffic_watch
from edge.runtime.traffic_watch import LOOKED_AT_FOR_MS, TrafficWatch
from tests.net.live import eventually, send_video
from tests.runtime.nodes import running


class Clock:
    """Time that the test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ms = 1_000_000
        monkeypatch.setattr(traffic_watch, "now_ms", lambda: self.ms)


async def test_rates_are_of_the_last_second_and_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watch = Clock(monkeypatch), TrafficWatch()
    async with running() as one:
        publisher = await one.publisher()
        connections = one.node.context.connections
        (row,) = (await watch.tables(connections, None)).server
        assert (row.received_bytes_second, row.received_bytes_minute) == (None, None)
        assert row.rtt_ms is None or row.rtt_ms >= 0
        await watch.sample(connections)
        (connection,) = connections
        before = connection.describe().received_bytes
        send_video(publisher, 1)
        await eventually(lambda: connection.describe().received_bytes > before, "the picture")
        grown = connection.describe().received_bytes - before
        clock.ms += 2000
        await watch.sample(connections)
        (row,) = (await watch.tables(connections, None)).server
        assert (row.received_bytes_second, row.received_bytes_minute) == (round(grown / 2), grown)
        for _ in range(70):
            clock.ms += 1000
            await watch.sample(connections)
        (row,) = (await watch.tables(connections, None)).server
        assert (row.received_bytes_second, row.received_bytes_minute) == (0, 0), "more than a minute ago"
        publisher.peer.abort()


async def test_nothing_is_sampled_unless_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, watch = Clock(monkeypatch), TrafficWatch()
    async with running() as one:
        await one.publisher()
        connections = one.node.context.connections
        await watch.sample(connections)
        assert watch.watched_count == 0
        await watch.tables(connections, None)
        await watch.sample(connections)
        assert watch.watched_count == 1
        clock.ms += LOOKED_AT_FOR_MS + 1
        await watch.sample(connections)
        assert watch.watched_count == 0


async def test_tables_are_cut_and_upstreams_stand_apart() -> None:
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}", "-max_shown_connections=1") as one:
        publisher = await origin.publisher()
        await one.player()
        await one.client()
        await eventually(lambda: len(one.node.context.connections) == 3, "the pull")
        tables = await one.facts.traffic()
        assert (len(tables.server), tables.server_count, len(tables.upstream)) == (1, 2, 1)
        assert tables.upstream[0].peer == f"127.0.0.1:{origin.port()}"
        assert len((await one.facts.traffic(shows_all=True)).server) == 2
        status, text = await one.get("/connections")
        assert status == 200
        assert "... and " in text
        publisher.peer.abort()
