"""The old process: whatever the new one does before its last word changes nothing here."""

from __future__ import annotations

import asyncio
import os

import pytest

from edge.errors import HandoverError
from edge.handover.documents import Hello, Listeners, Parcel, decode, encode
from edge.handover.frames import Frame, Kind
from edge.runtime.giving import give, greet
from tests.harness.clock import deadline
from tests.net.live import eventually, number_of, pictures, send_video
from tests.runtime.handing import WITHIN_MS, Successor, channels, hello
from tests.runtime.nodes import RunningNode, running


async def flows(publisher, player, number: int) -> None:
    send_video(publisher, number, is_keyframe=True)
    await publisher.peer.drain()
    assert [number_of(message) for message in await pictures(player, number)] == [number]


async def audience(one: RunningNode):
    publisher = await one.publisher(pictures=2)
    player = await one.player()
    await pictures(player, 1)
    return publisher, player


@pytest.mark.parametrize("leaves_at", [Kind.STREAM, Kind.CONNECTIONS, Kind.END, Kind.COMMIT], ids=lambda at: at.name)
async def test_a_new_process_that_leaves_changes_nothing(leaves_at: Kind) -> None:
    async with running() as one:
        publisher, player = await audience(one)
        with Successor(leaves_at=leaves_at) as new, pytest.raises(HandoverError):
            give(one.node, new.ours, within_ms=WITHIN_MS)
        new.close_sockets()
        assert new.frames[-1].kind is leaves_at
        for number in range(2, 5):
            await flows(publisher, player, number)
        assert one.node.units[0].registry.streams


async def test_one_that_has_not_got_all_is_not_believed() -> None:
    async with running() as one:
        publisher, player = await audience(one)
        with Successor(lies=True) as new, pytest.raises(HandoverError):
            give(one.node, new.ours, within_ms=WITHIN_MS)
        new.close_sockets()
        assert Kind.COMMIT not in [frame.kind for frame in new.frames]
        await flows(publisher, player, 2)


async def test_one_that_hangs_is_given_up() -> None:
    async with running() as one:
        publisher, player = await audience(one)
        ours, theirs = channels()
        with pytest.raises(HandoverError, match="too long"):
            give(one.node, ours, within_ms=200)
        ours.close()
        theirs.close()
        await flows(publisher, player, 2)


async def test_what_has_been_given_is_no_more_ours() -> None:
    async with running() as one:
        publisher, player = await audience(one)
        probe, _ = await asyncio.open_connection("127.0.0.1", one.port())
        probing = _
        await eventually(lambda: one.node.limits.undecided, "the probe")
        with Successor() as new:
            moving = give(one.node, new.ours, within_ms=WITHIN_MS)
        assert not one.node.context.connections
        assert not one.node.limits.undecided
        assert moving.left_behind == {}
        parcels = [
            parcel.kind for f in new.frames if f.kind is Kind.CONNECTIONS for parcel in decode(f.body, list[Parcel])
        ]
        assert sorted(parcels) == ["rtmp", "rtmp", "undecided"]
        for client in (publisher, player):  # nobody serves them, and nobody has ended them
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.peer.read_message()
        new.close_sockets()
        probing.close()
        del probe


async def test_a_new_process_gets_the_listening_sockets_and_has_its_time() -> None:
    async with running() as one:
        ours, theirs = channels()
        loop = asyncio.get_running_loop()
        greeting = asyncio.create_task(greet(one.node, ours, hello(), within_ms=WITHIN_MS))
        frame = await loop.run_in_executor(None, theirs.expect, Kind.LISTENERS)
        assert [key.role for key in decode(frame.body, Listeners).keys] == ["public"]
        assert len(frame.descriptors) == 1
        theirs.send(Kind.READY)
        async with asyncio.timeout(deadline(5)):
            await greeting
        greeting = asyncio.create_task(greet(one.node, ours, hello(), within_ms=200))
        again = await loop.run_in_executor(None, theirs.expect, Kind.LISTENERS)
        with pytest.raises(HandoverError, match="not ready within 200 ms"):
            await greeting
        for descriptor in (*frame.descriptors, *again.descriptors):
            os.close(descriptor)
        for channel in (ours, theirs):
            channel.close()


async def test_one_of_another_version_is_refused() -> None:
    async with running() as one:
        ours, theirs = channels()
        with pytest.raises(HandoverError) as refused:
            await greet(one.node, ours, Frame(Kind.HELLO, encode(Hello(99, "later", 1))), within_ms=200)
        assert refused.value.reason == "handover_version"
        for channel in (ours, theirs):
            channel.close()
