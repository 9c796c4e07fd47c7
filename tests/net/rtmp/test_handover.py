"""RTMP connections in whatever they are about, and which of them stay."""

from __future__ import annotations

import pytest

from edge.errors import HandoverError
from edge.net.rtmp.handover import check_movable, export_rtmp, publishers_of
from edge.net.rtmp.server import RtmpServerConnection
from edge.net.rtmp.stream_writer import StreamWriter
from tests.harness.client import RtmpClient
from tests.harness.wire import VIDEO, Message
from tests.net.live import eventually, number_of, pictures, send_video, status, until
from tests.runtime.handing import move_all
from tests.runtime.nodes import RunningNode, running


def connections(one: RunningNode) -> list[RtmpServerConnection]:
    return [each for each in one.node.context.connections if isinstance(each, RtmpServerConnection)]


async def test_a_paused_play_moves_and_goes_on() -> None:
    async with running() as old:
        publisher, player = await old.publisher(pictures=2), await old.player()
        await pictures(player, 1)
        player.peer.send_command(player.message_stream_id, "pause", 0, None, True, 0)
        await status(player, "NetStream.Pause.Notify")
        async with running() as new:
            move_all(old.node, new.node)
            send_video(publisher, 2, is_keyframe=True)
            player.peer.send_command(player.message_stream_id, "pause", 0, None, False, 0)
            await status(player, "NetStream.Unpause.Notify")
            send_video(publisher, 3)
            assert [number_of(one) for one in await pictures(player, 3)][-2:] == [2, 3]
            for client in (publisher, player):
                client.peer.abort()


async def test_what_it_says_next_is_understood_and_its_end_is_told() -> None:
    async with running() as old:
        publisher, player = await old.publisher(pictures=2), await old.player()
        await pictures(player, 1)
        assert len(connections(old)) == 2
        async with running() as new:
            move_all(old.node, new.node)
            assert sorted(one.role for one in connections(new)) == ["play", "publish"]
            publisher.delete_stream("s")
            await status(player, "NetStream.Play.UnpublishNotify")
            await eventually(lambda: not new.node.units[0].registry.streams, "the end of the stream")
            publisher.peer.abort()


async def test_a_client_whose_address_is_trusted_is_trusted_by_the_new_process_too() -> None:
    flag = "-trusted_nodes=127.0.0.1"
    async with running(flag) as old, running(flag) as new:
        publisher, player = await old.publisher(), await old.player()
        await pictures(player, 0)
        move_all(old.node, new.node)
        assert [one.is_proven for one in connections(new)] == [True, True]
        for client in (publisher, player):
            client.peer.abort()


async def test_half_a_message_is_completed_elsewhere() -> None:
    async with running() as old:
        publisher, player = await old.publisher(pictures=2), await old.player()
        await pictures(player, 1)
        whole: list[bytes] = []
        write, publisher.peer._writer.write = publisher.peer._writer.write, whole.append  # type: ignore[method-assign]
        send_video(publisher, 2, is_keyframe=True)
        publisher.peer._writer.write = write  # type: ignore[method-assign]
        data = b"".join(whole)
        publisher.peer._writer.write(data[:20])
        (feeding,) = [one for one in connections(old) if one.is_publishing]
        await eventually(lambda: feeding._session.is_amid_message, "half a message")
        async with running() as new:
            move_all(old.node, new.node)
            publisher.peer._writer.write(data[20:])
            assert [number_of(one) for one in await pictures(player, 2)] == [2]
            for client in (publisher, player):
                client.peer.abort()


async def timestamps(client: RtmpClient, lasts: dict[int, int]) -> dict[int, dict[int, int]]:
    """By message stream and picture, until each of the message streams has its last one."""
    found: dict[int, dict[int, int]] = {stream_id: {} for stream_id in lasts}

    def is_last(message: Message) -> bool:
        if message.type_id == VIDEO and message.payload[1] == 1 and message.message_stream_id in found:
            found[message.message_stream_id][number_of(message)] = message.timestamp
        return all(last in found[stream_id] for stream_id, last in lasts.items())

    await until(client, is_last)
    return found


async def test_several_plays_of_one_connection_move_and_go_on_where_they_are() -> None:
    async with running() as old:
        publishers = [await old.publisher(name, pictures=2) for name in ("s", "t", "u")]
        player = await old.player("s")
        ids = [player.message_stream_id]
        for name in ("t", "u"):
            ids.append(int((await player.call("createStream", None))[3]))
            player.peer.send_command(ids[-1], "play", 0, None, name, -2000)
        player.peer.send_command(ids[2], "pause", 0, None, True, 0)
        await status(player, "NetStream.Pause.Notify")
        for publisher in publishers:
            send_video(publisher, 2)
        before = await timestamps(player, dict.fromkeys(ids[:2], 2))
        async with running() as new:
            moving = move_all(old.node, new.node)
            assert (len(moving.parcels), moving.left_behind) == (4, {})
            for unit in old.node.units:
                readers = [reader for stream in unit.registry.streams.values() for reader in stream.readers]
                assert not any(isinstance(reader, StreamWriter) for reader in readers), "the old one writes no more"
            player.peer.send_command(ids[2], "pause", 0, None, False, 0)
            await status(player, "NetStream.Unpause.Notify")
            for publisher in publishers:
                send_video(publisher, 3)
                send_video(publisher, 4, is_keyframe=True)
            after = await timestamps(player, dict.fromkeys(ids, 4))
            for stream_id in ids[:2]:
                at_ms = before[stream_id][2]
                assert after[stream_id] == {3: at_ms + 40, 4: at_ms + 80}
            assert 4 in after[ids[2]]
            publishers[1].delete_stream("t")
            await status(player, "NetStream.Play.UnpublishNotify")
            for client in (*publishers, player):
                client.peer.abort()


async def test_who_has_switched_the_picture_off_stays() -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        player = await one.player()
        await pictures(player, 1)
        player.peer.send_command(player.message_stream_id, "receiveVideo", 0, None, False)
        (playing,) = [each for each in connections(one) if each.plays]
        await eventually(lambda: playing._writers is not None, "a writer")
        with pytest.raises(HandoverError, match="it has switched sound or picture off"):
            export_rtmp(playing, lambda _: 0)
        (feeding,) = [each for each in connections(one) if each.is_publishing]
        check_movable(feeding)
        (stream,) = one.node.units[0].registry.streams.values()
        assert publishers_of(feeding) == [stream.publisher]
