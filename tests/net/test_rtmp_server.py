"""The shell around server sessions: publishers and players on real sockets."""

from __future__ import annotations

import asyncio
import struct

import pytest

from edge.hub.config import HubConfig
from edge.net.config import NetConfig
from edge.rtmp.config import RtmpConfig
from tests.harness.clock import deadline
from tests.harness.wire import AUDIO, COMMAND, VIDEO
from tests.hostile import _wire as wire
from tests.net.fakes import video
from tests.net.live import (
    ended,
    eventually,
    number_of,
    pictures,
    send,
    send_audio,
    send_video,
    serving,
    status,
    status_of,
    until,
)
from tests.net.serving import Nodes, media, wait_until
from tests.net.serving import pictures as next_pictures
from tests.net.serving import status_of as next_status


async def test_published_pictures_reach_a_player_from_0() -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        feed = await nodes.publisher(origin)
        await feed.send(15)
        await wait_until(lambda: origin.registry.streams, 2, "publish")
        player = await nodes.player(origin)
        assert await next_status(player) == "NetStream.Play.Reset"
        assert await next_status(player) == "NetStream.Play.Start"
        got = await media(player, 5)
        assert [m.timestamp for m in got] == [0, 40, 80, 120, 160]
        await feed.send(5)
        assert await next_pictures(player, 5) == [15, 16, 17, 18, 19]


async def test_end_of_the_publish_is_told_behind_the_last_picture() -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(origin)
        await next_pictures(player, 3)
        await feed.send(4)
        await feed.leave()
        assert await next_pictures(player, 4) == [3, 4, 5, 6]
        assert await next_status(player) == "NetStream.Play.UnpublishNotify"
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await next_status(player)
        assert origin.registry.streams == {}


async def test_unknown_stream_is_refused_after_the_start() -> None:
    async with Nodes() as nodes:
        player = await nodes.player(nodes.add(), "absent")
        codes = [await next_status(player) for _ in range(3)]
        assert codes[-1] == "NetStream.Play.StreamNotFound"


@pytest.mark.parametrize("name", ["", "../x", "a\tb"])
async def test_M15_bad_names_are_refused(name: str) -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        client = await origin.client()
        nodes.clients.append(client)
        client.publish(name)
        assert await next_status(client) == "NetStream.Publish.BadName"


async def test_M8_second_publisher_takes_over_and_the_clock_goes_on() -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        first = await nodes.publisher(origin)
        await first.send(5)
        player = await nodes.player(origin)
        before = await media(player, 5)
        second = await nodes.publisher(origin)
        await first.send(2)
        await second.send(5)
        after = await media(player, 5)
        assert [int(m.payload[5:11]) for m in after] == [0, 1, 2, 3, 4]
        assert after[0].timestamp == before[-1].timestamp + 40


async def test_second_play_on_a_connection_leaves_both_whole() -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        feeds = [await nodes.publisher(origin, name) for name in ("a", "b")]
        for feed in feeds:
            await feed.send(3)
        await wait_until(lambda: len(origin.registry.streams) == 2, 2, "publishes")
        player = await nodes.player(origin, "a")
        first_id = player.message_stream_id
        assert await next_pictures(player, 3) == [0, 1, 2]
        second_id = int((await player.call("createStream", None))[3])
        player.message_stream_id = second_id
        player.play("b")
        await player.peer.drain()
        await wait_until(lambda: sum(s.player_count for s in origin.registry.streams.values()) == 2, 2, "second play")
        for feed in feeds:
            await feed.send(3)
        numbers: dict[int, list[int]] = {first_id: [], second_id: []}
        clocks: dict[int, list[int]] = {first_id: [], second_id: []}
        while any(not seen or seen[-1] != 5 for seen in numbers.values()):
            (message,) = await media(player, 1)
            numbers[message.message_stream_id].append(int(message.payload[5:11]))
            clocks[message.message_stream_id].append(message.timestamp)
        assert numbers == {first_id: [3, 4, 5], second_id: [0, 1, 2, 3, 4, 5]}
        assert clocks == {first_id: [120, 160, 200], second_id: [0, 40, 80, 120, 160, 200]}


async def test_connection_that_goes_takes_its_publish_and_play_along() -> None:
    async with Nodes() as nodes:
        origin = nodes.add()
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(origin)
        await next_pictures(player, 3)
        player.peer.abort()
        stream = next(iter(origin.registry.streams.values()))
        await wait_until(lambda: stream.player_count == 0, 2, "player gone")
        assert origin.context.fanout.player_count == 0
        feed.client.peer.abort()
        await wait_until(lambda: not origin.registry.streams, 2, "publisher gone")
        await wait_until(lambda: not origin.context.connections, 2, "connections gone")


# --- with nothing between the client and the service -------------------------


async def test_T14_a_whole_session_in_one_write_is_honoured_in_order() -> None:
    async with serving() as server:
        commands = [
            *(wire.control(1, struct.pack(">I", 4096)),),
            wire.message(
                COMMAND,
                wire.encode_amf("connect", 1, {"app": "live", "tcUrl": "rtmp://127.0.0.1/live"}),
                chunk_size=4096,
            ),
            wire.message(COMMAND, wire.encode_amf("createStream", 2, None)),
            wire.message(COMMAND, wire.encode_amf("publish", 3, None, "s", "live"), stream=1),
        ]
        frames = [
            wire.message(VIDEO, video(n, is_keyframe=n == 0), csid=6, stream=1, at=n * 40, chunk_size=4096)
            for n in range(50)
        ]
        with server.plain() as peer:
            peer.sendall(b"\x03" + bytes(1536) + bytes(1536) + b"".join(commands + frames))
            await eventually(lambda: server.has_stream() and server.stream().stats.video_frames == 50, "all frames")
            kept = [int(frame.payload[5:13]) for frame in server.stream().queue.frames]
            assert kept == list(range(50))
            assert server.connections[0].state == "open"


async def test_T2_handshake_and_setup_have_a_time() -> None:
    short = RtmpConfig(handshake_timeout_ms=100, rtmp_setup_timeout_ms=150)
    async with serving(rtmp=short) as server:
        client = await server.client()
        publisher = await server.publisher()
        with server.plain() as peer:
            peer.sendall(b"\x03")
            await eventually(lambda: server.counters.get("error_handshake_timeout_count"), "the first limit", 1)
            await eventually(lambda: server.counters.get("error_setup_timeout_count"), "the second limit", 1)
        await ended(client, 1)
        assert [connection.role for connection in server.connections if connection.state == "open"] == ["publish"]
        publisher.delete_stream("s")


async def test_refusals_close_within_100_ms() -> None:
    async with serving() as server:
        client = await server.client()
        client.publish("../x")
        await status(client, "NetStream.Publish.BadName")
        assert await ended(client, 1) < deadline(0.1)
        assert server.counters["error_bad_name_count"] == 1


async def test_M_refusals_keep_the_connection_when_asked_to() -> None:
    async with serving(rtmp=RtmpConfig(rtmp_server_close_connection_on_error=False)) as server:
        client = await server.client()
        client.play("absent")
        await status(client, "NetStream.Play.StreamNotFound")
        await client.call("createStream", None)
        assert server.connections[0].state == "open"


async def test_pause_stops_media_and_resume_starts_at_a_keyframe() -> None:
    async with serving() as server:
        publisher, player = await server.publisher(), await server.player()
        send_video(publisher, 0, is_keyframe=True)
        await pictures(player, 0)
        player.peer.send_command(player.message_stream_id, "pause", 0, None, True, 0)
        await status(player, "NetStream.Pause.Notify")
        send_video(publisher, 1)
        send_video(publisher, 2, is_keyframe=True)
        await eventually(lambda: server.stream().stats.video_frames == 3, "the pictures")
        player.peer.send_command(player.message_stream_id, "pause", 0, None, False, 0)
        await status(player, "NetStream.Unpause.Notify")
        send_video(publisher, 3)
        got = [number_of(message) for message in await pictures(player, 3) if message.type_id == VIDEO]
        assert got == [-1, 2, 3], "nothing of the pause, and a keyframe first"
        assert server.stream().player_count == 1


async def test_play_of_the_same_name_again_changes_nothing_and_of_another_switches() -> None:
    async with serving() as server:
        a, b = await server.publisher("a"), await server.publisher("b")
        for client in (a, b):
            send_video(client, 0, is_keyframe=True)
        player = await server.player("a")
        await pictures(player, 0)
        player.play("a")
        await status(player, "NetStream.Play.Start")
        send_video(a, 1)
        assert [number_of(m) for m in await pictures(player, 1)] == [1]
        player.play("b")
        await status(player, "NetStream.Play.Start")
        assert number_of((await pictures(player, 0))[-1]) == 0
        assert [server.stream(name).player_count for name in ("a", "b")] == [0, 1]


@pytest.mark.parametrize(
    ("query", "wanted"), [("only-audio=1", {AUDIO}), ("only-video=1", {VIDEO}), ("x=1", {AUDIO, VIDEO})]
)
async def test_one_medium_may_be_asked_for(query: str, wanted: set[int]) -> None:
    async with serving() as server:
        publisher = await server.publisher()
        player = await server.player(f"s?{query}")
        for number in range(3):
            send_video(publisher, number, is_keyframe=number == 0)
            send_audio(publisher, number)
        await eventually(lambda: server.has_stream() and server.stream().stats.audio_frames == 3, "the frames")
        publisher.delete_stream("s")
        found = await until(player, lambda m: status_of(m).get("code") == "NetStream.Play.UnpublishNotify")
        numbers = {(m.type_id, number_of(m)) for m in found if m.type_id in (AUDIO, VIDEO)}
        assert {type_id for type_id, _ in numbers} == wanted
        assert {(type_id, number) for type_id in wanted for number in range(3)} <= numbers


# --- a second publisher ------------------------------------------------------


async def test_M8_second_publisher_may_be_refused() -> None:
    async with serving(hub=HubConfig(reject_second_stream_when_republish=True)) as server:
        first = await server.publisher()
        second = await server.client()
        second.publish("s")
        info = await status(second, "NetStream.Publish.BadName")
        assert "StreamBusy" in info["description"]
        await ended(second, 1)
        send_video(first, 0, is_keyframe=True)
        await eventually(lambda: server.stream().stats.video_frames == 1, "the first goes on")
        assert server.counters["error_stream_busy_count"] == 1


async def test_M8_first_publisher_may_be_told_and_closed() -> None:
    async with serving(hub=HubConfig(stop_kickedoff_publisher=True)) as server:
        first = await server.publisher()
        second = await server.publisher()
        info = await status(first, "NetStream.Publish.BadName")
        assert "Kicked" in info["description"]
        await ended(first, 1)
        send_video(second, 0, is_keyframe=True)
        await eventually(lambda: server.stream().stats.video_frames == 1, "the second")


async def test_M8_third_publisher_within_a_second_is_refused() -> None:
    async with serving() as server:
        await server.publisher()
        await server.publisher()
        third = await server.client()
        third.publish("s")
        await status(third, "NetStream.Publish.BadName")
        assert server.counters["error_stream_busy_count"] == 1


# --- two streams on one connection -------------------------------------------


async def test_switch_from_the_shared_log_inside_a_message_loses_and_doubles_nothing() -> None:
    async with serving() as server:
        publishers = {name: await server.publisher(name) for name in ("a", "b")}
        send_video(publishers["a"], 0, is_keyframe=True)
        send_video(publishers["b"], 0, is_keyframe=True)
        player = await server.client(receive_buffer=4096)
        player.play("a")
        await status(player, "NetStream.Play.Start")
        await pictures(player, 0)
        first = player.message_stream_id
        for number in range(1, 30):
            send(publishers["a"], VIDEO, number * 40, video(number, size=200_000))
            await publishers["a"].peer.drain()
        await eventually(lambda: server.stream("a").stats.video_frames == 30, "all frames")
        connection = next(one for one in server.connections if one.role == "play")
        assert connection.player is not None and connection.player.is_blocked
        player.peer.send_command(0, "createStream", 99, None)
        player.peer.send_command(first + 1, "play", 0, None, "b", -2000)
        await player.peer.drain()
        await eventually(lambda: len(connection.plays) == 2, "the second play")
        assert connection.player is None
        send_video(publishers["a"], 30)
        numbers: dict[int, list[int]] = {first: [], first + 1: []}
        while numbers[first][-1:] != [30] or numbers[first + 1][-1:] != [0]:
            async with asyncio.timeout(deadline(3)):
                message = await player.next_message()
            if message.type_id == VIDEO and number_of(message) >= 0:
                numbers[message.message_stream_id].append(number_of(message))
                if message.message_stream_id == first:
                    assert message.timestamp == number_of(message) * 40
        assert numbers == {first: list(range(1, 31)), first + 1: [0]}


# --- the end -----------------------------------------------------------------


async def test_shut_down_tells_whoever_publishes_or_plays() -> None:
    async with serving() as server:
        publisher, player = await server.publisher(), await server.player()
        for connection in server.connections[::-1]:
            connection.shut_down()
        for client in (player, publisher):
            await ended(client, 1)
            codes = [status_of(message)["code"] for message in client.backlog if status_of(message)]
            assert codes[-1] == "NetConnection.Connect.Closed"


async def test_player_that_answers_nothing_and_reads_nothing_is_cut_off() -> None:
    async with serving(net=NetConfig(flush_interval_ms=0, max_player_buffer_bytes=10_000)) as server:
        await server.publisher()
        player = await server.client(receive_buffer=4096)
        player.play("s")
        await status(player, "NetStream.Play.Start")
        connection = server.connections[-1]
        connection.enqueue(bytes(8_000_000))
        connection.flush()
        player.peer.send_command(0, "createStream", 99, None)
        await player.peer.drain()
        await eventually(lambda: server.counters.get("error_slow_player_count") == 1, "the end")
        assert connection.state == "closed"
