"""[CONN_STATS] of real nodes against traffic that is counted, byte for byte."""

from __future__ import annotations

import pytest

from edge.net.rtmp.playing import PlayingConnection
from edge.runtime import conn_stats
from edge.runtime.conn_stats import CONN_STATS_MS
from tests.harness.raw_http import RawHttp, request_head
from tests.net.live import eventually, pictures
from tests.runtime.nodes import RunningNode, running
from tests.runtime.stats_rig import QUIET, Statistics, feed, only_stream

FLAG = ("-log_stats",)


def at_one_moment(one: RunningNode) -> int:
    """Have all that is there begin when its stream did, so that the spans are those of the test."""
    began = min(stream.created_ms for unit in one.node.units for stream in unit.registry.streams.values())
    for unit in one.node.units:
        for stream in unit.registry.streams.values():
            stream.created_ms = began
            for play in stream.roster.plays():
                play.since_ms = began
    return began


async def test_a_publisher_and_its_players_byte_for_byte(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, FLAG)
        publisher = await one.publisher("s")
        player = await one.player("s")
        await pictures(player, 0)
        http = await RawHttp.open(f"http://127.0.0.1:{one.port()}")
        async with http:
            await http.send(request_head(f"http://127.0.0.1:{one.port()}/live/s.flv?only-video=1"))
            stream = only_stream(one)
            await eventually(lambda: stream.player_count == 2, "the players")
            statistics.tick(began := at_one_moment(one))
            await feed(one, publisher, 249, sounds=100)
            await pictures(player, 249)
            await eventually(lambda: all(p.served.next_seq == stream.queue.end for p in stream.roster.plays()), "all")
            assert statistics.tick(began + CONN_STATS_MS - 1) == []
            lines = statistics.tick(began + CONN_STATS_MS)
            rtmp, flv = (play.client.peer for play in stream.roster.plays())
            publish = stream.publisher.peer  # type: ignore[union-attr]
            # 250 pictures of 33 bytes and a header of 15, 100 sounds of 15 and a header of 12.
            assert sorted(lines) == sorted(
                [
                    f"[CONN_STATS]publish stats, session:_/live/s, ip:{publish}, flowrate:7821, videorate:6612, "
                    "audiorate:1209, videofps:25, score:83",
                    f"[CONN_STATS]play stats, session:_/live/s, ip:{rtmp}, flowrate:7800, videorate:6600, "
                    "audiorate:1200, videofps:25, score:83",
                    f"[CONN_STATS]play_flv stats, session:_/live/s, ip:{flv}, flowrate:6600, videorate:6600, "
                    "audiorate:0, videofps:25, score:83",
                ]
            )
            await feed(one, publisher, 100, first=250)
            await pictures(player, 349)
            await eventually(lambda: all(p.served.next_seq == stream.queue.end for p in stream.roster.plays()), "all")
            lines = statistics.tick(began + 2 * CONN_STATS_MS)
            assert [line.partition(" stats, ")[2].partition("flowrate")[2] for line in lines] == [
                ":2640, videorate:2640, audiorate:0, videofps:10, score:66"
            ] * 3


async def test_an_edge_tells_of_what_it_fetches_and_forwards(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as origin:
        await origin.publisher("s", pictures=5)
        async with running(QUIET, f"-proxy_to=127.0.0.1:{origin.port()}") as edge:
            await look_at_edge(origin, Statistics(edge, caplog, FLAG))


async def look_at_edge(origin: RunningNode, statistics: Statistics) -> None:
    edge = statistics.one
    player = await edge.player("s")
    await pictures(player, 4)
    await edge.publisher("up", pictures=5)
    streams = edge.node.units[0].registry.streams
    await eventually(lambda: len(streams) == 2, "both streams")
    (push,) = edge.node.units[0].upstream.pushes.values()  # type: ignore[union-attr]
    await eventually(lambda: push.served.next_seq == push.stream.queue.end, "the push")
    statistics.tick(began := at_one_moment(edge))
    lines = statistics.tick(began + CONN_STATS_MS)
    upstream = f"127.0.0.1:{origin.port()}"
    kinds = {line.partition("]")[2].partition(" stats")[0]: line for line in lines}
    assert sorted(kinds) == ["forward", "ingester", "play", "publish"]
    assert f"session:_/live/s, ip:{upstream}, " in kinds["ingester"]
    assert f", ip:{upstream}, " in kinds["forward"] and "live/up" in kinds["forward"]
    assert ", videorate:132, audiorate:0, videofps:0," in kinds["forward"]


async def test_a_player_of_hls_and_one_that_has_begun_nothing_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, FLAG)
        client = await one.client()
        client.publish("s")
        await eventually(lambda: one.node.units[0].registry.streams, "the stream")
        await one.player("s")
        began = only_stream(one).created_ms
        statistics.tick(began)
        lines = statistics.tick(began + CONN_STATS_MS)
        assert [line.partition(" stats")[0] for line in lines] == ["[CONN_STATS]publish"]
        assert lines[0].endswith("flowrate:0, videorate:0, audiorate:0, videofps:0, score:100")


async def test_a_crowd_has_its_lines_over_several_ticks(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conn_stats, "LINES_PER_TICK", 2)
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, FLAG)
        await one.publisher("s")
        players = [await one.player("s") for _ in range(4)]
        for player in players:
            await pictures(player, 0)
        began = only_stream(one).created_ms
        for ms in (0, 250, 500):
            statistics.tick(began + ms)
        counts = [len(statistics.tick(began + CONN_STATS_MS + 250 * number)) for number in range(5)]
        assert counts == [2, 2, 1, 0, 0]


async def test_what_a_player_left_out_does_not_count(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands at the end of the stream, having been sent a part of what has passed."""
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, FLAG)
        publisher = await one.publisher("s")
        player = await one.player("s")
        await pictures(player, 0)
        statistics.tick(began := at_one_moment(one))
        stream = await feed(one, publisher, 100)
        await pictures(player, 100)
        (play,) = stream.roster.plays()
        part = play.served._replace(sent_bytes=play.served.sent_bytes // 4)
        monkeypatch.setattr(PlayingConnection, "served", lambda *_: part)
        (line,) = (line for line in statistics.tick(began + CONN_STATS_MS) if "]play stats" in line)
        flow = int(line.partition("flowrate:")[2].partition(",")[0])
        assert 0 < flow <= part.sent_bytes * 8 // 10
