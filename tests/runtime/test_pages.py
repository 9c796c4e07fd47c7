"""What a node tells its pages."""

from __future__ import annotations

from edge.rtmp import amf0
from tests.harness.wire import DATA
from tests.net.live import eventually, pictures, send
from tests.runtime.nodes import running


async def test_stream_row_shows_what_is_known() -> None:
    async with running() as one:
        pages, (unit,) = one.node.pages, one.node.units
        assert pages.streams() == []
        publisher = await one.publisher(pictures=2)
        send(publisher, DATA, 0, amf0.encode_all("@setDataFrame", "onMetaData", {"framerate": 25.0}))
        player = await one.player()
        await pictures(player, 1)
        (row,) = pages.streams()
        wanted = {"key": "_/live/s", "vhost": "_", "app": "live", "stream": "s", "state": "live", "service": ""}
        assert row.items() >= wanted.items()
        assert (row["players"], row["viewers"], row["is_forwarded"]) == (1, 1, False)
        assert row["publisher"].startswith("127.0.0.1:")
        assert (row["video_codec"], row["audio_codec"]) == ("H264", "AAC")
        assert len(row["epoch"]) == 16
        assert row["frames_held"] == len(unit.registry.streams[next(iter(unit.registry.streams))].queue.frames)
        assert row["fluency_pct"] is None, "nothing has been measured yet"


async def test_forwarded_publish_is_a_row_of_its_own() -> None:
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}") as one:
        publisher = await one.publisher()
        await eventually(lambda: origin.node.pages.streams(), "the push")
        (row,) = one.node.pages.streams()
        assert (row["key"], row["is_forwarded"]) == ("_/live/s.pubproxy", True)
        publisher.peer.abort()


async def test_streams_come_in_the_order_of_their_keys() -> None:
    async with running() as one:
        for name in ("b", "a", "c"):
            await one.publisher(name)
        assert [row["stream"] for row in one.node.pages.streams()] == ["a", "b", "c"]


async def test_counters_count_what_is_open() -> None:
    async with running() as one:
        await one.publisher()
        await pictures(await one.player(), 0)
        counters = one.node.pages.counters()
        wanted = {
            "connection_count": 2,
            "stream_count": 1,
            "publisher_count": 1,
            "player_count": 1,
            "shared_log_player_count": 1,
            "accept_paused": 0,
            "error_internal_count": 0,
            "conn_accepted_count": 2,
        }
        assert counters.items() >= wanted.items()
        one.node.context.counters["error_chunk_size_count"] += 1
        one.node.context.poller.internal_error_count += 1
        one.node.listeners[0].accept_paused = True
        counters = one.node.pages.counters()
        one.node.context.poller.internal_error_count = 0
        assert (counters["error_chunk_size_count"], counters["accept_paused"]) == (1, 1)
        assert counters["error_internal_count"] == 1


async def test_counters_and_servers_of_an_edge() -> None:
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}") as one:
        publisher = await origin.publisher()
        player = await one.player()
        await pictures(player, 0)
        counters = one.node.pages.counters()
        assert (counters["pull_count"], counters["push_count"], counters["upstream_connection_count"]) == (1, 0, 1)
        (row,) = one.node.pages.upstreams()
        assert row["endpoint"] == f"127.0.0.1:{origin.port()}"
        roles = {each["role"]: each["key"] for each in one.node.pages.connections()}
        assert roles["play"] == "_/live/s"
        assert "upstream" in roles
        assert one.node.pages.server_urls()["role"] == "edge"
        publisher.peer.abort()


async def test_connections_come_by_number_with_what_they_do() -> None:
    async with running() as one:
        await one.publisher()
        await pictures(await one.player(), 0)
        await one.client()
        rows = one.node.pages.connections()
        assert [row["role"] for row in rows] == ["publish", "play", "idle"]
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        assert all(row["received_bytes"] > 3000 and row["sent_bytes"] > 3000 for row in rows)


async def test_health_is_of_the_process_and_readiness_of_its_work() -> None:
    async with running() as one:
        pages = one.node.pages
        health = pages.health()
        assert (health["is_ok"], health["is_draining"]) == (True, False)
        assert pages.readiness() == (True, [])
        one.node.lag.lag_ms = 1500
        assert not pages.health()["is_ok"]
        one.node.lag.lag_ms = 0
        one.node.is_draining = True
        assert pages.health()["is_draining"]
        assert pages.readiness() == (False, ["draining"])
        listeners, one.node.listeners = one.node.listeners, []
        assert pages.readiness() == (False, ["not listening yet", "draining"])
        one.node.listeners = listeners


async def test_addresses_for_a_newcomer() -> None:
    async with running() as one:
        urls = one.node.pages.server_urls()
        assert urls["rtmp_port"] == urls["http_port"] == urls["internal_port"] == one.port()
        assert (urls["role"], urls["proxy_to"]) == ("origin", "")
        assert one.node.page_context.version == one.node.settings.version
