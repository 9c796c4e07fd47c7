"""The plays of a connection: on the shared log while there is one, by writers when there are more."""

from __future__ import annotations

import asyncio
import logging
import socket

import pytest

from edge.net.aio import now_ms
from edge.net.config import NetConfig
from edge.rtmp import amf0
from edge.service.refusal import Reason, Refusal
from tests.harness.client import RtmpClient
from tests.harness.clock import deadline
from tests.harness.portable import needs_linux
from tests.harness.wire import AUDIO, DATA, VIDEO
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


async def test_first_frame_is_counted_once_for_a_viewer_and_not_for_a_node() -> None:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin"), nodes.add("edge")
        await edge.follow(origin.port)
        feed = await nodes.publisher(origin)
        await feed.send(3)
        player = await nodes.player(edge)
        await next_pictures(player, 3)
        for is_paused in (True, False):
            player.peer.send_command(player.message_stream_id, "pause", 0, None, is_paused, 0)
            await player.peer.drain()
        await feed.send(11)
        while (await next_pictures(player, 1)) != [13]:
            pass
        assert edge.context.first_frame.count == 1
        assert 0 <= edge.context.first_frame.total < 1000 * deadline(5)
        assert origin.context.first_frame.count == 0
        for count, connect in ((1, {}), (2, {"stream_multiplexing": True})):  # of the shared log, and by a writer
            viewer = await nodes.player(origin, **connect)
            await next_pictures(viewer, 1)
            assert origin.context.first_frame.count == count


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


async def test_paused_play_hears_of_the_end() -> None:
    async with serving() as server:
        publisher, player = await server.publisher(), await server.player()
        player.peer.send_command(player.message_stream_id, "pause", 0, None, True, 0)
        await status(player, "NetStream.Pause.Notify")
        publisher.delete_stream("s")
        await status(player, "NetStream.Play.UnpublishNotify")
        await ended(player, 1)


async def test_player_that_also_publishes_is_written_to_and_stays_after_the_end_of_its_play() -> None:
    async with serving() as server:
        publisher, both = await server.publisher("a"), await server.publisher("b")
        other = int((await both.call("createStream", None))[3])
        both.peer.send_command(other, "play", 0, None, "a", -2000)
        await eventually(lambda: server.stream("a").player_count == 1, "the play")
        connection = next(one for one in server.connections if one.plays)
        assert (connection.is_publishing, connection.player) == (True, None)
        send_video(publisher, 0, is_keyframe=True)
        await pictures(both, 0, other)
        publisher.delete_stream("a")
        await status(both, "NetStream.Play.UnpublishNotify")
        send_video(both, 0, is_keyframe=True)
        await eventually(lambda: server.stream("b").stats.video_frames == 1, "its own publish")
        assert connection.state == "open"


@pytest.mark.parametrize("is_alone", [True, False])
async def test_bytes_towards_a_player_are_activity(is_alone: bool) -> None:
    async with serving() as server:
        publisher, player = await server.publisher(), await server.player()
        connection = server.connections[-1]
        if not is_alone:
            player.peer.send_command(0, "createStream", 99, None)
            player.peer.send_command(player.message_stream_id + 1, "play", 0, None, "s", -2000)
            await eventually(lambda: len(connection.plays) == 2, "the second play")
        send_video(publisher, 0, is_keyframe=True)
        await pictures(player, 0)
        connection.last_read_ms -= 60_000
        before_ms = now_ms()
        send_video(publisher, 1)
        await pictures(player, 1)
        assert connection.last_active_ms() >= before_ms


@needs_linux
async def test_kernel_holds_half_a_second_of_the_stream_at_most() -> None:
    async with serving() as server:
        await server.publisher()
        server.stream().stats.video_bps = 8_000_000
        await server.player()
        sock = server.connections[-1].wire.sock
        assert sock.getsockopt(socket.IPPROTO_TCP, 25) == 4_000_000


def receive(player: RtmpClient, medium: str, is_wanted: bool) -> None:
    player.peer.send_command(player.message_stream_id, f"receive{medium}", 0.0, None, is_wanted)


async def types_of(player: RtmpClient, publisher: RtmpClient, first: int) -> list[tuple[int, int]]:
    """Publish ten pictures, the fifth a keyframe, with sound; type and number of what the player got."""
    for number in range(first, first + 10):
        send_video(publisher, number, is_keyframe=number == first + 4)
        send_audio(publisher, number)
    mark = amf0.encode_all("onMark", float(first))
    send(publisher, DATA, (first + 10) * 40, mark)
    send_audio(publisher, first + 10)
    found = await until(player, lambda m: m.type_id == DATA and m.payload == mark)
    return [(m.type_id, number_of(m)) for m in found if m.type_id in (AUDIO, VIDEO) and number_of(m) >= first]


@pytest.mark.parametrize("is_shared", [True, False])
async def test_switched_off_and_on_again_by_receive_video_and_receive_audio(is_shared: bool) -> None:
    """On the shared log, and where the connection plays two streams, each written for it."""
    async with serving() as server:
        publisher, other = await server.publisher(), await server.publisher("other")
        send_video(publisher, 0, is_keyframe=True)
        send_video(other, 0, is_keyframe=True)
        player = await server.player()
        await pictures(player, 0)
        if not is_shared:
            first_id = player.message_stream_id
            player.message_stream_id = int((await player.call("createStream", None))[3])
            player.play("other")
            await status(player, "NetStream.Play.Start")
            player.message_stream_id = first_id
        assert {kind for kind, _ in await types_of(player, publisher, 1)} == {AUDIO, VIDEO}
        receive(player, "Video", False)
        await player.call("_checkbw", None)
        assert [at for kind, at in await types_of(player, publisher, 20) if kind == AUDIO] == list(range(20, 30))
        receive(player, "Audio", False)
        await player.call("_checkbw", None)
        assert await types_of(player, publisher, 40) == []
        receive(player, "Video", True)
        await status(player, "NetStream.Play.Start")
        assert await types_of(player, publisher, 60) == [(VIDEO, number) for number in range(60, 70)], "at once"
        receive(player, "Audio", True)
        await status(player, "NetStream.Play.Start")
        found = await types_of(player, publisher, 80)
        assert found == [(kind, number) for number in range(80, 90) for kind in (VIDEO, AUDIO)]
        assert server.counters.get("unknown_command_count", 0) == 0
        assert server.stream().player_count == 1


async def test_switched_off_picture_stays_off_over_a_pause_and_another_play() -> None:
    async with serving() as server:
        publisher, other = await server.publisher(), await server.publisher("other")
        for client in (publisher, other):
            send_video(client, 0, is_keyframe=True)
            send_audio(client, 0)
        player = await server.client()
        receive(player, "Video", False)
        player.play("s")
        await status(player, "NetStream.Play.Start")
        assert {kind for kind, _ in await types_of(player, publisher, 1)} == {AUDIO}
        for is_paused, word in ((True, "Pause"), (False, "Unpause")):
            player.peer.send_command(player.message_stream_id, "pause", 0, None, is_paused, 0)
            await status(player, f"NetStream.{word}.Notify")
        assert {kind for kind, _ in await types_of(player, publisher, 20)} == {AUDIO}
        player.play("other")
        await status(player, "NetStream.Play.Start")
        assert {kind for kind, _ in await types_of(player, other, 40)} == {AUDIO}


async def test_token_that_an_upstream_quotes_is_not_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(net=NetConfig(log_error_text=True)) as server:
        await server.publisher()
        player = await server.client()
        player.play("s?token=Secret99")
        await status(player, "NetStream.Play.Start")
        (play,) = server.stream().roster.plays()
        play.stop(Refusal(Reason.UPSTREAM, "token Secret99 is too old", "NetStream.Play.Failed"))
        info = await status(player, "NetStream.Play.Failed")
        assert "Secret99" in info["description"]
    assert "token ... is too old" in caplog.text and "Secret99" not in caplog.text
