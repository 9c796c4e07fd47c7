"""Players over HTTP that come, go and read as no honest one does, and streams that change under them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise

import pytest

from edge.service.refusal import Reason, Refusal
from tests.harness.clock import deadline, wait_until, wait_until_sync
from tests.harness.http_media import FlvReader, TsReader, WsFlvReader, reader_of
from tests.harness.raw_http import RawHttp, request_head, upgrade_lines
from tests.harness.wire import AUDIO, VIDEO
from tests.hostile._arena import Row
from tests.hostile._http import OUTPUTS, Broadcast, player_count
from tests.httpd.feeding import Source, picture
from tests.media.codecs.records import HEVC_MAIN
from tests.net.live import send
from tests.net.test_ws_frames import CLOSE, PING, frame
from tests.runtime.nodes import RunningNode, running

VIDEO_PID = 0x100
SOUND = b"\xaf\x01" + bytes(20)
OTHER_SIZE = bytes.fromhex("17000000000142c01effe1000a6742c01eda014016ec0501000468ce3c80")

Reader = FlvReader | TsReader


def url(node: RunningNode, output: str, name: str = "s") -> str:
    scheme = "ws" if output == "ws" else "http"
    return f"{scheme}://127.0.0.1:{node.port()}/live/{name}{OUTPUTS[output][0]}"


def pictures(reader: Reader) -> list[tuple[int, bool]]:
    """Time and whether it is a keyframe, of all that came."""
    if isinstance(reader, TsReader):
        return [(pes.dts // 90, pes.is_random_access) for pes in reader.of(VIDEO_PID)]
    frames = (one for one in reader.frames if one.type_id == VIDEO and not one.kind)
    return [(one.dts_ms, one.is_keyframe) for one in frames]


def last_ms(reader: Reader) -> int:
    """Time of the last picture on the stream's clock, 0 for none; in TS it is the lead of 700 ms later."""
    found = pictures(reader)
    return found[-1][0] - 700 * isinstance(reader, TsReader) if found else 0


def jumps(reader: Reader) -> list[bool]:
    """Where pictures are left out: whether a keyframe comes next."""
    return [after[1] for before, after in pairwise(pictures(reader)) if after[0] - before[0] != 40]


@asynccontextmanager
async def all_outputs(node: RunningNode, **options: int) -> AsyncIterator[dict[str, Reader]]:
    async with AsyncExitStack() as stack:
        yield {output: await stack.enter_async_context(reader_of(url(node, output), **options)) for output in OUTPUTS}


def large(number: int) -> bytes:
    unit = (b"\x65" if number % 25 == 0 else b"\x41") + bytes(20_000)
    return (b"\x17" if number % 25 == 0 else b"\x27") + b"\x01\0\0\0" + len(unit).to_bytes(4, "big") + unit


async def test_Q4_slow_readers_resume_at_keyframes_and_cost_the_others_nothing() -> None:
    async with running("-queue_length_s=1", "-max_jitter_ms=100000") as node:
        source, number = await Source.at(node), 0

        async def push(count: int) -> None:
            nonlocal number
            for _ in range(count):
                send(source.client, VIDEO, number * 40, large(number))
                send(source.client, AUDIO, number * 40, SOUND)
                number += 1
            await source.client.peer.drain()

        await push(30)
        async with all_outputs(node) as good, all_outputs(node, read_bps=4_000_000) as slow:
            for _ in range(60):
                await push(5)
                await asyncio.sleep(0.05)
            for reader in slow.values():
                reader._read_bps = None
            for output, reader in good.items():
                await wait_until(lambda r=reader: last_ms(r) >= (number - 1) * 40, deadline(3), output)
                assert (jumps(reader), reader.error) == ([], None), output
            for output, reader in slow.items():
                await wait_until(lambda r=reader: last_ms(r) >= (number - 1) * 40, deadline(5), output)
                left_out = jumps(reader)
                assert left_out and all(left_out) and reader.error is None, output
                assert not isinstance(reader, WsFlvReader) or reader.cut_message_count == 0
        assert node.node.context.counters["error_slow_player_count"] == 0


@pytest.mark.parametrize("is_ping", [False, True], ids=["close", "ping"])
async def test_answers_to_a_reader_that_is_behind_stand_between_two_messages(is_ping: bool) -> None:
    async with running() as node:
        source = await Source.at(node)
        for number in range(60):
            send(source.client, VIDEO, number * 40, large(number))
        await source.client.peer.drain()
        address = url(node, "ws").replace("ws:", "http:")
        async with await RawHttp.open(address, receive_buffer=4096) as client:
            await client.send(request_head(address, *upgrade_lines()))
            await asyncio.sleep(0.1)
            await client.send(frame(PING if is_ping else CLOSE, b"\x03\xe8"))
            await client.read(deadline(0.5))
            frames = frames_of(client.data.partition(b"\r\n\r\n")[2])
            assert (0x8A if is_ping else 0x88) in frames
            assert set(frames) <= {0x82, 0x8A, 0x88} and client.end == ("open" if is_ping else "fin")


def frames_of(data: bytes) -> list[int]:
    """First bytes of frames that a server sends; the last of them is whole."""
    found, at = [], 0
    while at < len(data):
        size, start = data[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, start = int.from_bytes(data[start : start + width], "big"), start + width
        found.append(data[at])
        at = start + size
    assert at == len(data), "a frame is cut"
    return found


def hevc(number: int) -> bytes:
    unit = (b"\x26\x01" if number % 25 == 0 else b"\x02\x01") + bytes(200)
    return (b"\x93" if number % 25 == 0 else b"\xa3") + b"hvc1" + len(unit).to_bytes(4, "big") + unit


@pytest.mark.parametrize(
    ("header", "body", "stream_type"),
    [
        pytest.param(OTHER_SIZE, lambda n: picture(is_keyframe=n % 25 == 0), 0x1B, id="size"),
        pytest.param(b"\x90hvc1" + HEVC_MAIN, hevc, 0x24, id="codec"),
    ],
)
async def test_stream_that_changes_its_pictures_goes_on_for_all(
    header: bytes, body: Callable[[int], bytes], stream_type: int
) -> None:
    """In TS the tables tell it, in FLV another header."""
    async with running() as node:
        source = await Source.at(node)
        source.push(50)
        async with all_outputs(node) as readers:
            source.push(25)
            send(source.client, VIDEO, 75 * 40, header)
            for number in range(75, 125):
                send(source.client, VIDEO, number * 40, body(number))
                send(source.client, AUDIO, number * 40, SOUND)
            async with all_outputs(node) as later:
                for reader in (*readers.values(), *later.values()):
                    await wait_until(lambda r=reader: last_ms(r) >= 4960, deadline(3), "the last picture")
                    assert (jumps(reader), reader.error) == ([], None)
                    if isinstance(reader, TsReader):
                        assert reader.demuxer.streams[VIDEO_PID][0] == stream_type
                    else:
                        wanted = 2 if reader in readers.values() else 1
                        assert [kind for kind, _ in reader.events].count("video_header") == wanted


async def test_end_in_any_turn_of_a_beginning_player() -> None:
    """Data, the end, a kick and the head in every order: each player gets an answer, and nothing stays."""
    chance = random.Random(1)
    async with running("-pull_nodata_timeout_ms=2000") as node:
        registry = node.node.units[0].registry
        for number in range(60):
            name, output = f"n{number}", chance.choice(list(OUTPUTS))
            source = await Source.at(node, name)
            await source.client.peer.drain()
            address = url(node, output, name).replace("ws:", "http:")
            async with await RawHttp.open(address) as client:
                await client.send(request_head(address, *OUTPUTS[output][1]))
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                source.push(chance.choice((1, 30)))
                for _ in range(chance.randrange(12)):
                    await asyncio.sleep(chance.choice((0, 0, 0.0005)))
                stream = next(one for key, one in registry.streams.items() if key.stream_name == name)
                if number % 3 == 0:
                    source.end()
                elif number % 3 == 1:
                    registry.end_stream(stream, "given up")
                else:
                    await wait_until(lambda s=stream: s.player_count, deadline(2), "the player")
                    for play in list(stream.roster.plays_of("")):
                        play.stop(Refusal(Reason.FORBIDDEN, "kicked"))
                assert (await client.read_head()).status in (101, 200, 403, 404)
                source.client.peer.abort()
        assert node.node.context.fanout.player_count == 0


def visit(row: Row, broadcast: Broadcast, chance: random.Random) -> None:
    """Come and leave, at any moment."""
    output = chance.choice(list(OUTPUTS))
    peer = row.raw(receive_buffer=chance.choice((0, 4096)))
    data = broadcast.request(output)
    moment = chance.randrange(5)
    peer.send(data[: chance.randrange(1, len(data))] if moment == 0 else data)
    with suppress(OSError, AssertionError):
        if moment == 2:
            peer.receive_exactly(chance.choice((1, 100, 400, 1000)))
        elif moment == 3:
            peer.receive_exactly(400)
            peer.send(frame(CLOSE, b"\x03\xe8") + frame(PING))
        elif moment == 4:
            peer.sock.shutdown(1)
    if chance.random() < 0.5:
        peer.reset()
    else:
        peer.close()


def test_Q8_two_thousand_visits_at_every_moment_leave_nothing(row: Row) -> None:
    broadcast, chance = Broadcast(row), random.Random(1)
    before = {name: row.server.counters()[name] for name in ("player_count", "task_count")}
    fds = row.server.fds
    for number in range(2000):
        visit(row, broadcast, chance)
        if number % 200 == 0:
            broadcast.push(5)
    wait_until_sync(lambda: player_count(row) == before["player_count"], deadline(2), "the players to go")
    wait_until_sync(lambda: row.server.fds <= fds + 1, deadline(2), "the descriptors to go")
    wait_until_sync(lambda: row.server.counters()["task_count"] <= before["task_count"], deadline(2), "the tasks to go")
    # How many of the heads that were cut were so short that nothing could be made of them is chance.
    row.expected["error_detect_truncated_count"] = row.deltas()["error_detect_truncated_count"]
