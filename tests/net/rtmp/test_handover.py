"""RTMP connections in whatever they are about, and which of them stay."""

from __future__ import annotations

import pytest

from edge.errors import HandoverError
from edge.net.rtmp.handover import check_movable, publishers_of
from edge.net.rtmp.server import RtmpServerConnection
from tests.net.live import eventually, number_of, pictures, send_video, status
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


async def test_who_has_switched_the_picture_off_stays() -> None:
    async with running() as one:
        await one.publisher(pictures=2)
        player = await one.player()
        await pictures(player, 1)
        player.peer.send_command(player.message_stream_id, "receiveVideo", 0, None, False)
        (playing,) = [each for each in connections(one) if each.plays]
        await eventually(lambda: playing._writers is not None, "a writer")
        with pytest.raises(HandoverError, match="written by itself"):
            check_movable(playing)
        (feeding,) = [each for each in connections(one) if each.is_publishing]
        check_movable(feeding)
        (stream,) = one.node.units[0].registry.streams.values()
        assert publishers_of(feeding) == [stream.publisher]
