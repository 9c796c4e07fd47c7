"""The new process: what another one has told goes on here, over the very same sockets."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from edge.errors import HandoverError
from edge.handover.channel import Channel
from edge.handover.documents import Parcel, encode
from edge.handover.frames import Frame, Kind
from edge.handover.keys import SocketKey
from edge.net.detecting import Detecting
from edge.net.listener import open_socket
from edge.runtime.giving import give
from edge.runtime.node import Node
from edge.runtime.taking import Taker, open_channel
from edge.runtime.vhosts_gone import GONE_TEXT
from tests.harness.clock import deadline
from tests.harness.http_media import FlvReader, WsFlvReader
from tests.httpd.feeding import Source
from tests.httpd.hls_watching import pushed
from tests.net.live import eventually, number_of, pictures, send_video, status
from tests.runtime.handing import WITHIN_MS, Predecessor, Successor, copies, move_all
from tests.runtime.nodes import running, settings_of
from tests.vhosts.giving import give_vhosts


async def test_players_and_publishers_go_on_in_another_node() -> None:
    async with running() as old, running() as new, AsyncExitStack() as stack:
        publisher = await old.publisher(pictures=2)
        player = await old.player()
        waiting = await old.client()
        await pictures(player, 1)
        base = f"://127.0.0.1:{old.port()}/live/s.flv"
        flv = await stack.enter_async_context(FlvReader("http" + base))
        ws = await stack.enter_async_context(WsFlvReader("ws" + base))
        await eventually(lambda: flv.items and ws.items, "players of FLV")
        seen = [len(one.items) for one in (flv, ws)]
        moving = move_all(old.node, new.node)
        assert moving.left_behind == {}
        for number in range(2, 6):
            send_video(publisher, number, is_keyframe=number == 4)
        assert [number_of(message) for message in await pictures(player, 5)] == [2, 3, 4, 5]
        await eventually(lambda: all(len(o.items) >= was + 4 for o, was in zip((flv, ws), seen, strict=True)), "tags")
        waiting.play("s")  # it had only connected
        await pictures(waiting, 5)
        (stream,) = new.node.units[0].registry.streams.values()
        assert stream.player_count == 4
        (publish,) = new.node.units[0].service.publishes.values()
        assert publish.publisher is stream.publisher
        for client in (publisher, player, waiting):  # the node that serves them is the first to end
            client.peer.abort()


async def test_a_vhost_that_the_new_process_does_not_have_ends_there() -> None:
    async with running() as old, running() as new:
        give_vhosts(old, {"a.example": {}, "b.example": {}})
        give_vhosts(new, {"b.example": {}})
        publishers = [await old.publisher(f"s?vhost={name}.example") for name in "ab"]
        players = [await old.player(f"s?vhost={name}.example") for name in "ab"]
        for player in players:
            await pictures(player, 0)
        assert move_all(old.node, new.node).left_behind == {}
        assert GONE_TEXT in str(await status(players[0], "NetStream.Play.UnpublishNotify"))
        assert "VhostNotFound" in str(await status(publishers[0], "NetStream.Publish.BadName"))
        send_video(publishers[1], 1)
        await pictures(players[1], 1)
        for client in (*publishers, *players):
            client.peer.abort()


async def test_hls_that_the_new_process_does_not_serve_is_not_gone_on_with() -> None:
    async with running() as old, running() as new:
        for one, hls in ((old, True), (new, False)):
            give_vhosts(one, {"_": {"hls": hls}})
            await one.get("/live/other.m3u8")  # HTTP is loaded by now
        source = await Source.at(old, "s")
        await pushed(old, source, 110)
        assert (await old.get("/live/s.ll.media.m3u8"))[0] == 200
        move_all(old.node, new.node)
        assert new.node.hls is not None
        assert (len(new.node.units[0].registry.streams), len(new.node.hls.shelf)) == (1, 0)
        source.client.peer.abort()


async def test_a_process_that_is_not_told_to_commit_has_touched_nothing() -> None:
    async with running() as old:
        publisher, player = await old.publisher(pictures=2), await old.player()
        await pictures(player, 1)
        with Successor(leaves_at=Kind.END) as successor, pytest.raises(HandoverError):
            give(old.node, successor.ours, within_ms=WITHIN_MS)
        async with running() as new:
            with copies(successor.frames) as made:
                before = Predecessor(made, commits=False)
                with pytest.raises(HandoverError):
                    Taker(new.node, before.theirs).take()
                before.join()
                before.theirs.close()
            successor.close_sockets()
            for connection in list(new.node.context.connections):  # as the end of its process does
                connection.release()
                connection.wire.close()
        send_video(publisher, 2, is_keyframe=True)
        await pictures(player, 2)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([Frame(Kind.FRAMES, b"\x90")], "handover_malformed"),
        ([Frame(Kind.READY)], "handover_malformed"),
        ([Frame(Kind.CONNECTIONS, encode([Parcel("rtmp", b"")]))], "handover_malformed"),
        ([Frame(Kind.REFUSED, b"no")], "handover_refused"),
    ],
    ids=["frames of nothing", "out of turn", "no descriptor", "refused"],
)
async def test_what_makes_no_sense_is_not_taken(frames: list[Frame], reason: str) -> None:
    async with running() as one:
        old = Predecessor(frames)
        with pytest.raises(HandoverError) as refused:
            Taker(one.node, old.theirs).take()
        assert refused.value.reason == reason
        old.theirs.close()
        old.join()


def test_where_nobody_is_there_is_no_channel() -> None:
    for place in ("/nowhere/at/all", "fd:x", "fd:99999"):
        with pytest.raises(HandoverError) as refused:
            open_channel(place)
        assert refused.value.reason == "handover_broken"


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the kernel does not say whose process it is")
def test_nothing_is_taken_from_a_process_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "upgrade")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as theirs:
        theirs.bind(path)
        theirs.listen()
        open_channel(path).close()
        monkeypatch.setattr(Channel, "peer_ids", lambda _: (1, os.geteuid() + 1))
        with pytest.raises(HandoverError) as refused:
            open_channel(path)
        assert refused.value.reason == "handover_refused"


async def test_a_client_of_a_load_balancer_is_not_of_this_machine_in_the_new_process_either() -> None:
    flags = ("-trusted_proxies=127.0.0.1", "-rtmp_proxy_protocol=true")
    async with running(*flags) as old, running(*flags) as new:
        reader, writer = await asyncio.open_connection("127.0.0.1", old.port())
        writer.write(b"PROXY TCP4 127.0.0.1 127.0.0.1 1000 80\r\n")
        await eventually(lambda: any(isinstance(each, Detecting) for each in old.node.limits.undecided), "the header")
        move_all(old.node, new.node)
        (moved,) = new.node.limits.undecided
        assert isinstance(moved, Detecting) and not moved.accepted.is_local
        writer.close()
        await reader.read()


async def test_listening_sockets_are_taken_and_those_not_wanted_closed() -> None:
    async with running() as one:
        node = one.node
        (listener,) = node.listeners
        key = node.key_of(listener)
        assert key == SocketKey("127.0.0.1", 0, "public")
        assert node.listener_of(key) is listener
        assert node.key_of(object()) is None
        other = Node(settings_of(), asyncio.get_running_loop())
        wanted, unwanted = (open_socket("127.0.0.1", 0) for _ in range(2))
        port = wanted.getsockname()[1]
        other.open_sockets({key: wanted, SocketKey("127.0.0.1", 1, "public"): unwanted})
        assert unwanted.fileno() == -1
        await other.start()
        assert [each.port for each in other.listeners] == [port]
        await other.close()


async def test_a_socket_that_a_service_manager_has_opened_stays_in_use() -> None:
    node = Node(settings_of(), asyncio.get_running_loop())
    sock = open_socket("127.0.0.1", 0)
    key = SocketKey("127.0.0.1", sock.getsockname()[1], "public", is_given=True)
    node.open_sockets({key: sock})
    assert node.sockets == [(sock, key)]
    await node.start()
    assert node.key_of(node.listeners[0]) == key
    await node.close()


async def test_what_takes_time_is_done_before() -> None:
    async with running() as one:
        async with asyncio.timeout(deadline(5)):
            await one.node.get_ready(5000)
        assert one.node.http.service is not None
