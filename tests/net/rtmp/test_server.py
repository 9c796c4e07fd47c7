"""The shell around server sessions: publishers and players on real sockets."""

from __future__ import annotations

import struct

import pytest

from edge.hub.config import HubConfig
from edge.net.config import NetConfig
from edge.net.rtmp.server import RtmpServerConnection
from edge.rtmp.config import RtmpConfig
from edge.service.refusal import Reason, Refusal
from tests.harness.clock import deadline
from tests.harness.wire import COMMAND, VIDEO
from tests.hostile import _wire as wire
from tests.net.fakes import video
from tests.net.live import (
    ended,
    eventually,
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


@pytest.mark.parametrize("name", ["x?vhost=a\\b", "x?app=a/b"])
async def test_refusal_of_what_a_query_names_is_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with serving() as server:
        client = await server.client()
        client.publish(name)
        info = await status(client, "NetStream.Publish.BadName")
        assert f"refused reason=bad_name {info['description'].removeprefix('bad_name: ')}" in caplog.text


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


@pytest.mark.parametrize(("is_ended", "fate"), [(False, "muted"), (True, "ended")])
async def test_log_says_what_becomes_of_a_publisher_that_is_replaced(
    is_ended: bool, fate: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(hub=HubConfig(stop_kickedoff_publisher=is_ended)) as server:
        await server.publisher()
        second = await server.publisher()
        send_video(second, 0, is_keyframe=True)
        await eventually(lambda: server.stream().stats.video_frames == 1, "the second")
        assert f" replaced by {server.connections[-1].peer} and {fate}\n" in caplog.text


async def test_M8_first_publisher_may_be_told_and_closed() -> None:
    async with serving(hub=HubConfig(stop_kickedoff_publisher=True)) as server:
        first = await server.publisher()
        second = await server.publisher()
        info = await status(first, "NetStream.Publish.BadName")
        assert "Kicked" in info["description"]
        await ended(first, 1)
        send_video(second, 0, is_keyframe=True)
        await eventually(lambda: server.stream().stats.video_frames == 1, "the second")


async def test_word_that_a_publisher_was_replaced_ends_nothing_that_it_began_later() -> None:
    """Unpublish and play come with the very bytes after which it would have been told."""
    async with serving(hub=HubConfig(stop_kickedoff_publisher=True)) as server:
        first = await server.publisher()
        replaced = server.stream().publisher
        await server.publisher("other")
        first.delete_stream("s")
        await eventually(lambda: server.registry.find(replaced.stream.key) is None, "the first has left")
        first.message_stream_id = int((await first.call("createStream", None))[3])
        first.play("other")
        await status(first, "NetStream.Play.Start")
        server.service.stop_publisher(replaced, Refusal(Reason.KICKED, "late"))
        await first.call("_checkbw", None)
        assert server.counters.get("error_kicked_count", 0) == 0
        assert server.stream("other").player_count == 1


async def test_M8_third_publisher_within_a_second_is_refused() -> None:
    async with serving() as server:
        await server.publisher()
        await server.publisher()
        third = await server.client()
        third.publish("s")
        await status(third, "NetStream.Publish.BadName")
        assert server.counters["error_stream_busy_count"] == 1


# --- labels ------------------------------------------------------------------


async def test_connection_of_several_streams_is_not_labelled_by_one_of_them(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with serving() as server:
        feeds = [await server.publisher(name) for name in ("a", "b")]
        player = await server.player("a")
        player.message_stream_id = int((await player.call("createStream", None))[3])
        player.play("b")
        await eventually(lambda: server.stream("b").player_count == 1, "the second play")
        (connection,) = (one for one in server.connections if one.role == "play")
        head = f"[c{connection.number} {connection.peer}"
        for label, key in (("_/live/a", "_/live/a"), ("2 streams", "_/live/b")):
            assert f"{head} play {label}] play started key={key}\n" in caplog.text
        player.peer.abort()
        await eventually(lambda: not server.stream("a").player_count, "the end")
        for label, key in (("2 streams", "_/live/a"), ("_/live/b", "_/live/b")):
            assert f"{head} play {label}] play ended key={key} sent=" in caplog.text
        assert connection.role == "idle" and connection.keys == []
        feeds[0].peer.abort()
        await eventually(lambda: "publish ended key=_/live/a" in caplog.text, "the end of a publish")
        assert " publish _/live/a] publish ended key=_/live/a why=" in caplog.text


async def test_connection_that_publishes_and_plays_says_both() -> None:
    async with serving() as server:
        client = await server.publisher("a")
        client.message_stream_id = int((await client.call("createStream", None))[3])
        client.play("a")
        (connection,) = server.connections
        await eventually(lambda: connection.role == "publish+play", "the play")
        assert str(connection).endswith(" publish+play 2 streams]")
        assert connection.keys == ["_/live/a", "_/live/a"]


# --- the end -----------------------------------------------------------------


async def test_shut_down_tells_whoever_publishes_or_plays() -> None:
    async with serving() as server:
        publisher, player = await server.publisher(), await server.player()
        for connection in server.connections[::-1]:
            connection.shut_down("Shutdown: server is stopping")
        for client in (player, publisher):
            await ended(client, 1)
            codes = [status_of(message)["code"] for message in client.backlog if status_of(message)]
            assert codes[-1] == "NetConnection.Connect.Closed"


async def test_flood_of_requests_leaves_time_for_others_and_is_answered_in_order() -> None:
    async with serving(net=NetConfig(flush_interval_ms=0, parse_budget_us=100)) as server:
        publisher = await server.publisher()
        send_video(publisher, 0, is_keyframe=True)
        player = await server.player()
        await eventually(lambda: server.stream().player_count == 1, "the player")
        connection = server.connections[-1]
        for number in range(1500):
            player.peer.send_command(player.message_stream_id, "pause", 0.0, None, number % 2 == 0, 0.0)
        await eventually(lambda: connection._is_held, "a turn that is over")
        waiting = len(connection._session.events)
        assert waiting > 0
        player.peer.send_command(player.message_stream_id, "pause", 0.0, None, True, 0.0)
        assert connection.read_some() == 0, "no more is read meanwhile"
        codes: list[str] = []
        while len(codes) < 1501:
            code = status_of((await until(player, status_of))[-1])["code"]
            if "ause" in code:
                codes.append(code)
        assert codes == ["NetStream.Pause.Notify", "NetStream.Unpause.Notify"] * 750 + ["NetStream.Pause.Notify"]
        await eventually(lambda: not connection._is_held, "reading again")


async def test_connection_that_is_closed_amid_a_flood_of_requests_does_not_keep_the_loop_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(net=NetConfig(flush_interval_ms=0, parse_budget_us=1)) as server:
        send_video(await server.publisher(), 0, is_keyframe=True)
        player = await server.player()
        await eventually(lambda: server.stream().player_count == 1, "the player")
        connection = server.connections[-1]
        connection.poll_reads(False)
        for number in range(10):
            player.peer.send_command(player.message_stream_id, "pause", 0.0, None, number % 2 == 0, 0.0)
        await player.peer.drain()
        await eventually(connection.read_some, "the flood")
        assert connection._is_held
        player.peer.send_command(player.message_stream_id, "pause", 0.0, None, True, 0.0)
        await player.peer.drain()
        connection.shut_down("Shutdown: server is stopping")
        wakes, on_ready = [0], RtmpServerConnection.on_ready

        def counted(connection: RtmpServerConnection, events: int) -> None:
            wakes[0] += 1
            on_ready(connection, events)

        monkeypatch.setattr(RtmpServerConnection, "on_ready", counted)
        await eventually(lambda: connection.state == "closed", "the end")
        assert wakes[0] < 50, "what still comes is to be read and discarded"


async def test_ends_of_streams_that_wait_their_turn_are_not_lost_with_the_connection() -> None:
    """A node with many pushes stops: the ends of all, then a reset, which a write finds first."""
    count = 20
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin", parse_budget_us=1), nodes.add("edge")
        manager = await edge.follow(origin.port)
        for number in range(count):
            feed = await nodes.publisher(edge, f"s{number}")
            await feed.send(1)
        pushes = list(manager.pushes.values())
        await wait_until(lambda: sum(s.epoch is not None for s in origin.registry.streams.values()) == count, 5, "all")
        (connection,) = (each for each in origin.context.connections if each.role == "publish")
        (upstream,) = (each for each in edge.context.connections if each.role == "upstream")
        upstream.poll_reads(False)
        upstream.want_write(True)  # so that all of it goes with one send
        connection.send(b"never read")
        for push in pushes:
            push.close()
        assert upstream.flush()
        upstream.close_now("stopped")
        await wait_until(lambda: connection.state == "closed", 5, "the end")
        assert not origin.registry.streams, "streams that wait for their publisher to come back"
