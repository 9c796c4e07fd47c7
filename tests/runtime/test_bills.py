"""Billing events of real nodes against traffic that is counted at the client, byte for byte."""

from __future__ import annotations

import ipaddress
import re

import pytest

from edge.runtime.bills import own_address
from tests.harness.client import RtmpClient
from tests.harness.raw_http import RawHttp, request_head
from tests.net.live import eventually, pictures, status, until
from tests.runtime.nodes import RunningNode, running
from tests.runtime.stats_rig import QUIET, Statistics, count_media, feed, only_stream, without_id

FLAG = ("-dump_stats_interval=5",)


def billed(lines: list[str], what: str) -> list[str]:
    return [line for line in lines if f"_{what} key:" in line]


async def left(one: RunningNode, count: int = 0) -> None:
    await eventually(lambda: only_stream(one).player_count == count, "players to leave")


async def test_an_rtmp_play_is_billed_for_what_its_socket_got(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, FLAG)
        publisher = await one.publisher("s")
        player = await one.player("s")
        counted = await count_media(player, 0)
        peer = next(only_stream(one).roster.plays()).client.peer
        (line,) = billed(statistics.tick(0), "play")
        start, request_id = without_id(line)
        assert start == f"start_play key:_/live/s request:ID send:{counted} recv:0 type:external endpoint:{peer}"
        await feed(one, publisher, 20)
        before = player.peer.received_bytes
        await pictures(player, 20)
        counted += player.peer.received_bytes - before
        assert billed(statistics.tick(4999), "play") == []
        on = f"on_play key:_/live/s request:{request_id} send:{counted} recv:0 type:external endpoint:{peer}"
        assert billed(statistics.tick(5000), "play") == [on]
        await feed(one, publisher, 5, first=21)
        before = player.peer.received_bytes
        await pictures(player, 25)
        counted += player.peer.received_bytes - before
        assert billed(statistics.tick(9999), "play") == []
        caplog.clear()
        player.peer.abort()
        await left(one)
        stop = f"stop_play key:_/live/s request:{request_id} send:{counted} recv:0 type:external endpoint:{peer}"
        assert statistics.taken("_play key:") == [stop]
        assert billed(statistics.tick(60_000), "play") == []


async def test_flv_begins_at_zero_and_ends_with_the_bytes_of_its_body(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, FLAG)
        publisher = await one.publisher("s")
        url = f"http://127.0.0.1:{one.port()}/live/s.flv?token=x"
        async with await RawHttp.open(url) as http:
            await http.send(request_head(url))
            await http.read_head()
            stream = only_stream(one)
            await eventually(lambda: stream.player_count == 1, "the player")
            peer = next(stream.roster.plays()).client.peer
            start, request_id = without_id(billed(statistics.tick(0), "flv_play")[0])
            assert start == f"start_flv_play key:_/live/s request:ID send:0 recv:0 type:external endpoint:{peer}"
            await feed(one, publisher, 30)
            (play,) = stream.roster.plays()
            await eventually(lambda: play.served.next_seq == stream.queue.end, "all of it")
            sent = play.served.sent_bytes
            await http.read(5.0, until_bytes=sent)
            body = http.answer.body
            assert len(body) == sent
            assert body.startswith(b"FLV\x01")
            caplog.clear()
        await left(one)
        (stop,) = statistics.taken("_flv_play key:")
        assert (
            stop == f"stop_flv_play key:_/live/s request:{request_id} send:{sent} recv:0 type:external endpoint:{peer}"
        )


async def test_a_pause_ends_a_request_and_what_follows_is_another(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, FLAG)
        publisher = await one.publisher("s")
        player = await one.player("s")
        await pictures(player, 0)
        _, first_id = without_id(billed(statistics.tick(0), "play")[0])
        caplog.clear()
        player.peer.send_command(player.message_stream_id, "pause", 0, None, True, 0)
        await status(player, "NetStream.Pause.Notify")
        (stop,) = statistics.taken("_play key:")
        assert stop.startswith(f"stop_play key:_/live/s request:{first_id} send:")
        await feed(one, publisher, 3)
        assert billed(statistics.tick(60_000), "play") == []
        player.peer.send_command(player.message_stream_id, "pause", 0, None, False, 0)
        counted = await count_media(player, 3)
        start, second_id = without_id(billed(statistics.tick(60_250), "play")[0])
        assert second_id != first_id
        assert f" send:{counted} " in start


async def test_of_two_plays_on_a_connection_each_has_its_own_bill(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, FLAG)
        await one.publisher("s", pictures=3)
        await one.publisher("t", pictures=30)
        player = await one.player("s")
        await pictures(player, 2)
        second = int((await player.call("createStream", None))[3])
        player.peer.send_command(second, "play", 0, None, "t", -2000)
        await pictures(player, 29, second)
        sent = {line.partition("key:_/live/")[2][0]: line for line in billed(statistics.tick(0), "play")}
        assert sorted(sent) == ["s", "t"]
        sizes = {name: int(re.search(r"send:(\d+)", line)[1]) for name, line in sent.items()}  # type: ignore[index]
        assert 3 * 33 < sizes["s"] < 3 * 33 + 200
        assert 30 * 33 < sizes["t"] < 30 * 33 + 1000


async def test_a_publish_is_billed_for_the_bodies_that_it_brought(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, FLAG)
        client = await one.client()
        client.publish("s?token=x")
        await status(client, "NetStream.Publish.Start")
        peer = only_stream(one).publisher.peer  # type: ignore[union-attr]
        assert billed(statistics.tick(0), "publish") == []
        await feed(one, client, 10, sounds=4)
        start, request_id = without_id(billed(statistics.tick(250), "publish")[0])
        assert start == f"start_publish key:_/live/s request:ID send:0 recv:390 type:external endpoint:{peer}"
        await feed(one, client, 10, first=11)
        assert billed(statistics.tick(5250), "publish") == [
            f"on_publish key:_/live/s request:{request_id} send:0 recv:720 type:external endpoint:{peer}"
        ]
        caplog.clear()
        client.delete_stream("s")
        await eventually(lambda: not one.node.units[0].service.publishes, "the end")
        assert statistics.taken("_publish key:") == [
            f"stop_publish key:_/live/s request:{request_id} send:0 recv:720 type:external endpoint:{peer}"
        ]


async def test_a_publisher_that_was_replaced_is_not_billed_for_the_other(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET, "-republish_min_interval_ms=0") as one:
        statistics = Statistics(one, caplog, FLAG)
        first = await one.publisher("s", pictures=2)
        await eventually(lambda: only_stream(one).stats.video_frames == 2, "the first")
        statistics.tick(0)
        second = await one.publisher("s", pictures=10)
        await eventually(lambda: only_stream(one).stats.video_frames == 12, "the second")
        lines = billed(statistics.tick(250), "publish")
        # Its 10 pictures of 33 bytes, and two headers of 15 and 12.
        assert [re.search(r"recv:(\d+)", line)[1] for line in lines] == ["357"]  # type: ignore[index]
        caplog.clear()
        first.delete_stream("s")
        second.delete_stream("s")
        await eventually(lambda: not one.node.units[0].service.publishes, "the end")
        received = {re.search(r"recv:(\d+)", line)[1] for line in statistics.taken("stop_publish")}  # type: ignore[index]
        assert received == {"93", "357"}


async def test_another_node_is_internal(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as origin:
        statistics = Statistics(origin, caplog, FLAG)
        await origin.publisher("s", pictures=3)
        async with running(QUIET, f"-proxy_to=127.0.0.1:{origin.port()}") as edge:
            await pictures(await edge.player("s"), 2)
            (line,) = billed(statistics.tick(0), "play")
            assert " type:internal endpoint:127.0.0.1:" in line
        marked = await origin.client()
        marked.play("s?idcpassed=1")
        await until(marked, lambda message: message.type_id == 9)
        await eventually(lambda: only_stream(origin).player_count == 1, "the node to leave")
        assert " type:internal " in billed(statistics.tick(250), "play")[0]


async def test_segments_are_billed_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET, "-dump_stats_interval=5") as one:
        caplog.set_level("INFO")
        service, stream = one.node.units[0].service, None
        await one.publisher("s", pictures=3)
        stream = only_stream(one)
        name = service.resolve_path("127.0.0.1", "/live/s", "token=x")
        service.tell_segment(name, "10.0.0.9:5", 188)  # type: ignore[arg-type]
        assert stream is not None
        lines = [text for text in caplog.messages if "_hls_play key:" in text]
        ids = {without_id(line)[1] for line in lines}
        assert [without_id(line)[0] for line in lines] == [
            f"{event}_hls_play key:_/live/s request:ID send:188 recv:0 type:external endpoint:10.0.0.9:5"
            for event in ("start", "stop")
        ]
        assert len(ids) == 1


def test_the_address_that_stands_for_this_machine() -> None:
    assert own_address(["0.0.0.0", "[::1]"]) == "::1"
    assert own_address(["10.0.0.9"]) == "10.0.0.9"
    assert ipaddress.ip_address(own_address([])).version == 4


async def test_nobody_is_billed_who_got_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with running(QUIET) as one:
        statistics = Statistics(one, caplog, FLAG)
        client = await one.client()
        client.publish("s")
        await status(client, "NetStream.Publish.Start")
        player: RtmpClient = await one.player("s")
        assert billed(statistics.tick(0), "play") == []
        caplog.clear()
        player.peer.abort()
        await left(one)
        assert statistics.taken("_play key:") == []
