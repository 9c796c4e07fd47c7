"""What a node tells of itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.facts.records import ReadinessFacts
from edge.facts.rows import row_of
from edge.hub.delay import StreamDelay
from edge.media.mark import MarkDelay
from edge.net.aio import TaskOwner
from edge.rtmp import amf0
from tests.harness.at_once import at_once
from tests.harness.ports import free_port
from tests.harness.wire import DATA
from tests.net.live import eventually, pictures, send, send_video
from tests.runtime.nodes import RunningNode, running


async def test_stream_row_shows_what_is_known() -> None:
    async with running() as one:
        facts, (unit,) = one.facts, one.node.units
        assert at_once(facts.streams()) == []
        publisher = await one.publisher(pictures=2)
        send(publisher, DATA, 0, amf0.encode_all("@setDataFrame", "onMetaData", {"framerate": 25.0}))
        player = await one.player()
        await pictures(player, 1)
        (row,) = at_once(facts.streams())
        wanted = {"key": "_/live/s", "vhost": "_", "app": "live", "stream": "s", "state": "live", "service": ""}
        assert row_of(row).items() >= wanted.items()
        assert (row.players, row.viewers, row.is_forwarded) == (1, 1, False)
        assert row.publisher.startswith("127.0.0.1:")
        assert (row.video_codec, row.audio_codec) == ("H264", "AAC")
        assert len(row.epoch) == 16
        assert row.frames_held == len(unit.registry.streams[next(iter(unit.registry.streams))].queue.frames)
        queue = next(iter(unit.registry.streams.values())).queue
        assert row.bytes_held == sum(len(frame.payload) for frame in queue.frames) > 0
        assert row.log_bytes > 0
        assert row.fluency_pct is None, "nothing has been measured yet"


async def test_rates_are_unknown_in_the_first_second_and_0_in_a_stall() -> None:
    async with running() as one:
        publisher = await one.publisher(pictures=2)
        send(publisher, DATA, 0, amf0.encode_all("@setDataFrame", "onMetaData", {"framerate": 25.0}))
        for number in range(2, 60):
            send_video(publisher, number)
        facts, (unit,) = one.facts, one.node.units
        await eventually(
            lambda: at_once(facts.streams()) and at_once(facts.streams())[0].next_index >= 60, "the frames"
        )
        (stream,) = unit.registry.streams.values()
        assert stream.metadata["framerate"] == 25.0
        stats = stream.stats
        stats._marks.clear()
        stats.sample()
        assert (at_once(facts.streams())[0].fps, at_once(facts.streams())[0].fluency_pct) == (None, None)
        for _ in range(3):
            stats.sample()
        assert (at_once(facts.streams())[0].fps, at_once(facts.streams())[0].fluency_pct) == (0, 0.0)


async def test_forwarded_publish_is_a_row_of_its_own() -> None:
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}") as one:
        publisher = await one.publisher()
        await eventually(lambda: at_once(origin.facts.streams()), "the push")
        (row,) = at_once(one.facts.streams())
        assert (row.key, row.is_forwarded) == ("_/live/s.pubproxy", True)
        publisher.peer.abort()


async def test_publish_that_reaches_nobody_says_so_and_since_when() -> None:
    port = free_port()
    async with running(f"-proxy_to=127.0.0.1:{port}", "-retry_interval_ms=50") as one:
        await one.publisher()
        facts = one.facts
        await eventually(
            lambda: at_once(facts.streams()) and at_once(facts.streams())[0].push_state == "retrying", "the state"
        )
        (row,) = at_once(facts.streams())
        assert (row.state, row.push_to, row.push_state_s) == ("live", f"127.0.0.1:{port}", 0)
        assert row.push_error == "connect: Connection refused"
        assert json.loads((await one.get("/api/streams"))[1])["live_count"] == 0
        _, text = await one.get("/streams")
        assert "live   retrying" in text.splitlines()[1]


async def test_pull_that_finds_nothing_says_why_until_it_does() -> None:
    port = free_port()
    async with running(f"-proxy_to=127.0.0.1:{port}", "-retry_interval_ms=50") as one:
        await one.player()
        facts = one.facts
        await eventually(
            lambda: at_once(facts.streams()) and at_once(facts.streams())[0].pull_error, "an attempt in vain"
        )
        assert at_once(facts.streams())[0].pull_error == "connect: Connection refused"
        assert "ing: connect: Connection refused)" in (await one.get("/"))[1]
        async with running(f"-port={port}") as origin:
            publisher = await origin.publisher()
            await eventually(lambda: at_once(facts.streams())[0].pull_error == "", "the origin is found")
            assert at_once(facts.streams())[0].state in ("waiting", "live")
            assert at_once(origin.facts.streams())[0].pull_error is None
            publisher.peer.abort()


async def test_publish_that_gets_through_names_its_upstream_and_other_streams_have_no_push() -> None:
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}") as one:
        publisher = await one.publisher()
        facts = one.facts
        await eventually(lambda: at_once(facts.streams())[0].push_state == "live", "the push")
        (row,) = at_once(facts.streams())
        assert (row.push_to, row.push_error) == (f"127.0.0.1:{origin.port()}", "")
        assert not any(name.startswith("push") for name in row_of(at_once(origin.facts.streams())[0]))
        publisher.peer.abort()


async def test_streams_come_in_the_order_of_their_keys() -> None:
    async with running() as one:
        for name in ("b", "a", "c"):
            await one.publisher(name)
        assert [row.stream for row in at_once(one.facts.streams())] == ["a", "b", "c"]


async def test_counters_count_what_is_open() -> None:
    async with running() as one:
        await one.publisher()
        await pictures(await one.player(), 0)
        counters = at_once(one.facts.counters())
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
        counters = at_once(one.facts.counters())
        one.node.context.poller.internal_error_count = 0
        assert (counters["error_chunk_size_count"], counters["accept_paused"]) == (1, 1)
        assert counters["error_internal_count"] == 1


async def test_counters_and_servers_of_an_edge() -> None:
    async with running() as origin, running(f"-proxy_to=127.0.0.1:{origin.port()}") as one:
        publisher = await origin.publisher()
        player = await one.player()
        await pictures(player, 0)
        counters = at_once(one.facts.counters())
        assert (counters["pull_count"], counters["push_count"], counters["upstream_connection_count"]) == (1, 0, 1)
        (row,) = at_once(one.facts.servers())
        assert row.endpoint == f"127.0.0.1:{origin.port()}"
        roles = {each.role: each.key for each in at_once(one.facts.connections())}
        assert (roles["play"], roles["upstream"]) == ("_/live/s", "_/live/s")
        assert one.facts.addresses().role == "edge"
        publisher.peer.abort()


async def test_connections_come_by_number_with_what_they_do() -> None:
    async with running() as one:
        await one.publisher()
        await pictures(await one.player(), 0)
        await one.client()
        rows = at_once(one.facts.connections())
        assert [row.role for row in rows] == ["publish", "play", "idle"]
        assert [row.id for row in rows] == sorted(row.id for row in rows)
        assert all(row.received_bytes > 3000 and row.sent_bytes > 3000 for row in rows)


async def test_health_is_of_the_process_and_readiness_of_its_work() -> None:
    async with running() as one:
        facts = one.facts
        health = facts.health()
        assert (health.is_ok, health.is_draining) == (True, False)
        assert facts.readiness() == ReadinessFacts(is_ready=True, reasons=())
        one.node.lag.lag_ms = 1500
        assert not facts.health().is_ok
        one.node.lag.lag_ms = 0
        one.node.is_draining = True
        assert facts.health().is_draining
        assert facts.readiness().reasons == ("draining",)
        listeners, one.node.listeners = one.node.listeners, []
        assert facts.readiness().reasons == ("not listening yet", "draining")
        one.node.listeners = listeners


async def test_addresses_for_a_newcomer() -> None:
    async with running() as one:
        urls = one.facts.addresses()
        assert urls.rtmp_port == urls.http_port == urls.internal_port == one.port()
        assert (urls.role, urls.proxy_to) == ("origin", "")
        assert at_once(one.facts.process()).version == one.node.settings.version


@asynccontextmanager
async def merging() -> AsyncIterator[RunningNode]:
    """A front and a merge service in one node, with a stream pulled through both from an origin."""
    async with running() as origin:
        publisher = await origin.publisher("far")
        async with running(f"-proxy_to=127.0.0.1:{origin.port()}", f"-cdn_merge_to=127.0.0.1:{free_port()}") as one:
            await pictures(await one.player("far"), 0)
            yield one
        publisher.peer.abort()


async def test_rows_of_a_front_and_a_merge_service_tell_whose_they_are() -> None:
    async with merging() as one:
        facts = one.facts
        front, merge = one.node.units
        assert front.upstream and merge.upstream
        tier, source = (unit.upstream.aims.pull.address.shown for unit in (front, merge) if unit.upstream)
        assert [(row.service, row.use, row.target) for row in at_once(facts.servers())] == [
            ("front", "pull", tier),
            ("front", "push", source),
            ("merge", "pull+push", source),
        ]
        services = [(row.service, row.role, row.pulls_from, row.pushes_to) for row in at_once(facts.services())]
        assert services == [("front", "edge", tier, source), ("merge", "edge", source, source)]
        assert [row.id for row in at_once(facts.services())] == [front.service.service_id, merge.service.service_id]
        carried = [(row.service, row.role, row.key, row.stream_count) for row in at_once(facts.connections())]
        assert sorted(carried) == [
            ("front", "play", "_/live/far", 1),
            ("front", "upstream", "_/live/far", 1),
            ("merge", "play", "_/live/far", 1),
            ("merge", "upstream", "_/live/far", 1),
        ]
        for path in ("/streams", "/status"):
            _, text = await one.get(path)
            for row in at_once(facts.services()):
                assert any(row.service in line.split() for line in text.splitlines()), text
        assert all(row.id in text for row in at_once(facts.services()))


async def test_sources_of_a_front_and_a_merge_service_are_rows_of_their_own() -> None:
    async with merging() as one:
        rows = at_once(one.facts.sources())
        assert [(row.service, row.use, row.state, row.servers_count) for row in rows] == [
            ("front", "pull", "current", 1),
            ("front", "push", "current", 1),
            ("merge", "pull+push", "current", 1),
        ]


async def test_list_that_outlives_its_source_is_shown_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "servers?token=hunter2"
    path.write_text("127.0.0.1:9\n")
    async with running(f"-proxy_to=file://{path}", "-proxy_lb=rr") as one:
        await eventually(lambda: at_once(one.facts.sources())[0].state == "current", "the list")
        path.unlink()
        await eventually(lambda: at_once(one.facts.sources())[0].state == "kept in outage", "the outage")
        (row,) = at_once(one.facts.sources())
        assert (row.use, row.servers_count, row.error_age_s) == ("pull+push", 1, 0)
        assert "cannot read" in row.last_error and row.service is None
        assert len(row.target) <= 48 and row.target.startswith("file:///")
        for form in ("text", "html", "json"):
            _, shown = await one.get(f"/status?format={form}")
            assert "kept in outage" in shown and "hunter2" not in shown
        path.write_text("127.0.0.1:9\n")
        await eventually(lambda: at_once(one.facts.sources())[0].state == "current", "the return")


async def test_rows_of_a_single_service_have_no_column_for_it() -> None:
    async with running() as one:
        await one.publisher()
        facts = one.facts
        assert not any(row.service for row in (*at_once(facts.services()), *at_once(facts.connections())))
        (row,) = at_once(facts.services())
        wanted = {"role": "origin", "id": one.node.units[0].service.service_id, "pulls_from": "", "stream_count": 1}
        assert row_of(row).items() >= wanted.items()
        _, text = await one.get("/streams")
        assert "service" not in text.splitlines()[0].split()


async def test_players_that_fell_behind_are_counted_for_their_stream_and_for_the_node() -> None:
    async with running() as one:
        await one.publisher()
        await eventually(lambda: one.node.units[0].registry.streams, "the stream")
        (stream,) = one.node.units[0].registry.streams.values()
        one.node.context.fanout.count_left_out(stream, 40, jump_count=1)
        one.node.context.fanout.count_left_out(stream, 2)
        for shown in (row_of(at_once(one.facts.streams())[0]), at_once(one.facts.counters())):
            assert (shown["player_jump_count"], shown["player_dropped_count"]) == (1, 42)


async def test_how_long_the_frame_timed_last_took_is_told_once_there_is_one() -> None:
    async with running() as one:
        await one.publisher()
        await eventually(lambda: one.node.units[0].registry.streams, "the stream")
        (stream,) = one.node.units[0].registry.streams.values()
        stream.delay = StreamDelay(lambda: 1_021_000)
        assert not any("delay" in name for name in row_of(at_once(one.facts.streams())[0]))
        stream.delay.receive(0, 1_012_000, MarkDelay(1_000_000, 3040, (4000,), True))
        known = {"ingest_delay_ms": 3.0, "hop_delays_ms": [4.0, 8.0], "delay_ms": 12.0, "is_delay_whole": True}
        shown = row_of(at_once(one.facts.streams())[0])
        assert shown.items() >= known.items() and "flush_delay_ms" not in shown
        stream.delay.note_flush()
        assert at_once(one.facts.streams())[0].flush_delay_ms == 9.0
        assert "delay=12 ms here, by hop 4 + 8 ms, ingest 3 ms, flush 9 ms\n" in (await one.get("/players/_/live/s"))[1]


async def test_connection_of_several_streams_shows_how_many_and_none_of_them() -> None:
    async with running() as one:
        for name in ("a", "b"):
            await one.publisher(name)
        client = await one.player("a")
        client.message_stream_id = int((await client.call("createStream", None))[3])
        client.play("b")
        await eventually(lambda: at_once(one.facts.connections())[-1].stream_count == 2, "the second play")
        row = at_once(one.facts.connections())[-1]
        assert (row.role, row.key) == ("play", "")


async def test_figures_that_fail_once_are_sampled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.runtime.gather._SAMPLED_EVERY_S", 0.01)
    monkeypatch.setattr(TaskOwner, "failed_count", 0)
    looks: list[int] = []

    async def sample() -> None:
        looks.append(len(looks))
        if len(looks) == 1:
            raise RuntimeError("once")

    async with running() as one:
        monkeypatch.setattr(one.facts._variables, "sample", sample)
        await eventually(lambda: len(looks) > 2, "the looks after the one that failed")
        assert at_once(one.facts.counters())["error_internal_count"] == 1
        TaskOwner.failed_count = 0
