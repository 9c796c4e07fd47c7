"""Players at the end of a stream: paused, behind, or moving to a second stream at that moment."""

from __future__ import annotations

import asyncio
import gc

from edge.hub.frame_queue import FrameQueue
from edge.hub.stream import Stream
from edge.net.config import NetConfig
from edge.net.fan.log_fan import LogFan
from edge.net.rtmp.play import PausedReader
from edge.rtmp.config import RtmpConfig
from tests.harness.client import RtmpClient
from tests.net.live import LiveServer, ended, eventually, number_of, pictures, send, send_video, serving, status, until

VIDEO = 9
UNPUBLISHED = "NetStream.Play.UnpublishNotify"


def pause(player: RtmpClient, is_paused: bool) -> None:
    player.peer.send_command(player.message_stream_id, "pause", 0.0, None, is_paused, 0.0)


async def live(server: LiveServer, name: str = "s") -> RtmpClient:
    publisher = await server.publisher(name)
    for number in range(30):
        send_video(publisher, number, is_keyframe=number % 10 == 0)
    return publisher


async def test_paused_player_is_told_of_the_end() -> None:
    async with serving() as server:
        publisher = await live(server)
        player = await server.player()
        await pictures(player, 29)
        pause(player, True)
        await status(player, "NetStream.Pause.Notify")
        await publisher.peer.close()
        await status(player, UNPUBLISHED)
        await ended(player)


async def test_paused_player_goes_on_and_is_told_of_the_end_once() -> None:
    async with serving(rtmp=RtmpConfig(rtmp_server_close_connection_on_error=False)) as server:
        publisher = await live(server)
        player = await server.player()
        await pictures(player, 29)
        pause(player, True)
        await status(player, "NetStream.Pause.Notify")
        pause(player, False)
        await status(player, "NetStream.Unpause.Notify")
        await pictures(player, 29)
        assert len(server.stream().readers) == 1
        await publisher.peer.close()
        await status(player, UNPUBLISHED)
        await eventually(lambda: not server.has_stream(), "the end of the stream")


async def test_player_that_leaves_while_it_is_paused_leaves_no_reader() -> None:
    async with serving() as server:
        await live(server)
        player = await server.player()
        pause(player, True)
        await status(player, "NetStream.Pause.Notify")
        stream = server.stream()
        assert stream.player_count == 1
        player.peer.abort()
        await eventually(lambda: stream.player_count == 0, "the player to leave")
        assert not any(isinstance(reader, PausedReader) for reader in stream.readers)


async def behind(server: LiveServer, name: str = "s") -> tuple[RtmpClient, RtmpClient]:
    """A publisher, and a player that has not read what is more than its socket takes."""
    publisher = await server.publisher(name)
    player = await server.client(name, receive_buffer=4096)
    player.play(name)
    await status(player, "NetStream.Play.Start")
    stream = server.stream(name)
    headers = 2
    for number in range(8):
        body = (b"\x17" if number == 0 else b"\x27") + b"\x01\0\0\0" + b"%08d" % number + bytes(2_000_000)
        send(publisher, VIDEO, number * 40, body)
    await eventually(lambda: stream.queue.end == headers + 8, "all pictures")
    assert server.connections[-1].player is not None and server.connections[-1].player.is_blocked
    return publisher, player


async def test_player_behind_that_stays_connected_is_told_of_the_end() -> None:
    rtmp = RtmpConfig(rtmp_server_close_connection_on_error=False)
    async with serving(rtmp=rtmp, net=NetConfig(flush_interval_ms=0, end_flush_ms=60_000)) as server:
        publisher, player = await behind(server)
        await publisher.peer.close()
        await eventually(lambda: not server.has_stream(), "the end of the stream")
        await pictures(player, 7)
        await status(player, UNPUBLISHED)


async def test_player_that_takes_a_second_stream_while_the_first_has_ended_is_told_of_both() -> None:
    rtmp = RtmpConfig(rtmp_server_close_connection_on_error=False)
    async with serving(rtmp=rtmp, net=NetConfig(flush_interval_ms=0, end_flush_ms=60_000)) as server:
        publisher, player = await behind(server)
        other = await live(server, "other")
        first_id = player.message_stream_id
        await publisher.peer.close()
        await eventually(lambda: not server.has_stream(), "the end of the first stream")
        player.peer.send_command(0, "createStream", 90.0, None)
        player.peer.send_command(first_id + 1, "play", 0.0, None, "other")
        await eventually(lambda: server.stream("other").player_count == 1, "the second play")
        first = await until(
            player, lambda m: m.type_id == VIDEO and m.message_stream_id == first_id and number_of(m) == 7
        )
        assert [number_of(m) for m in first if m.type_id == VIDEO and m.message_stream_id == first_id][-1] == 7
        await status(player, UNPUBLISHED)
        await other.peer.close()
        await status(player, UNPUBLISHED)


async def test_Y8_stream_that_has_ended_is_freed_without_the_garbage_collector() -> None:
    gc.collect()
    known = {id(thing) for thing in gc.get_objects()}
    gc.disable()
    try:
        async with serving() as server:
            publisher = await live(server)
            player = await server.player()
            await pictures(player, 29)
            await publisher.peer.close()
            await ended(player)
            await eventually(lambda: not server.connections, "all to leave")
            # The last timer that knows the log is that of its stragglers.
            await asyncio.sleep(server.context.config.end_flush_ms / 1000 + 0.1)
            left = [x for x in gc.get_objects() if isinstance(x, (Stream, LogFan, FrameQueue)) and id(x) not in known]
            assert not left
    finally:
        gc.enable()


async def test_player_that_asks_again_while_the_rest_of_an_ended_stream_is_on_its_way_gets_the_new_one() -> None:
    async with serving(net=NetConfig(flush_interval_ms=0, end_flush_ms=60_000)) as server:
        publisher, player = await behind(server)
        await publisher.peer.close()
        await eventually(lambda: not server.has_stream(), "the end of the stream")
        again = await live(server)
        await eventually(lambda: server.stream().queue.end, "the new stream")
        player.play("s")
        await eventually(lambda: server.stream().player_count == 1, "the play of the new stream")
        await pictures(player, 29)
        await again.peer.close()
        await status(player, UNPUBLISHED)
