"""What encoders do to tracks and clocks, end to end: several video tracks, a camera that is off, wrong units, data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge.hub.key import StreamKey
from tests.harness.client import RtmpClient
from tests.harness.clock import deadline
from tests.harness.wire import AUDIO, DATA, VIDEO, Message, decode_amf, encode_amf
from tests.net.fakes import AUDIO_HEADER_BODY, VIDEO_HEADER_BODY, audio, video
from tests.net.serving import Node, Nodes, wait_until

pytestmark = pytest.mark.faults

WHERE = pytest.mark.parametrize("where", ["origin", "edge"])


class Show:
    """A publisher at an origin, an edge of it, and players at both."""

    def __init__(self, nodes: Nodes, origin: Node, edge: Node, publisher: RtmpClient) -> None:
        self.nodes = nodes
        self.at = {"origin": origin, "edge": edge}
        self.publisher = publisher
        self.sent = 0

    def send(self, type_id: int, at_ms: int, payload: bytes) -> None:
        on = self.publisher.message_stream_id
        self.publisher.peer.send({AUDIO: 4, VIDEO: 6}.get(type_id, 5), type_id, on, at_ms, payload)
        self.sent += len(payload) > 0 and payload not in (VIDEO_HEADER_BODY, AUDIO_HEADER_BODY)

    def headers(self) -> None:
        self.send(VIDEO, 0, VIDEO_HEADER_BODY)
        self.send(AUDIO, 0, AUDIO_HEADER_BODY)

    async def arrive(self, *where: str) -> None:
        """Wait until what has been sent has reached the origin, and other nodes that play it."""
        await self.publisher.peer.drain()
        for name in ("origin", *where):
            node = self.at[name]

            def has_all(node: Node = node) -> bool:
                stream = node.registry.find(StreamKey("_", "live", "s"))
                node.tick()
                return stream is not None and stream.epoch is not None and stream.epoch.next_index >= self.sent

            await wait_until(has_all, 10, f"all frames at the {name}")

    async def play(self, where: str) -> RtmpClient:
        return await self.nodes.player(self.at[where])

    def jumps(self) -> int:
        return sum(node.context.fanout.jump_count for node in self.at.values())


@asynccontextmanager
async def show(**hub: int) -> AsyncIterator[Show]:
    async with Nodes() as nodes:
        origin, edge = nodes.add("origin", hub=hub), nodes.add("edge", hub=hub)
        await edge.follow(origin.port)
        feed = await nodes.publisher(origin)
        yield Show(nodes, origin, edge, feed.client)


async def take(client: RtmpClient, last: bytes) -> list[Message]:
    """Media up to the message with the body ``last``."""
    found: list[Message] = []
    async with asyncio.timeout(deadline(10)):
        while not found or found[-1].payload != last:
            message = await client.next_message()
            if message.type_id in (AUDIO, VIDEO, DATA):
                found.append(message)
    return found


def of_track(track: int, number: int, is_keyframe: bool) -> bytes:
    first = 0x96 if is_keyframe else 0xA6
    return bytes((first, 1)) + b"avc1" + bytes((track,)) + b"%08d" % number


@WHERE
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)], ids=str)
async def test_newcomer_to_several_video_tracks_begins_with_the_keyframe_of_each(where: str, order) -> None:
    async with show() as it:
        it.send(VIDEO, 0, VIDEO_HEADER_BODY)
        for n in range(36):
            for track in order:
                body = of_track(track, n, n % 25 == 0) if track else video(n, is_keyframe=n % 25 == 0)
                it.send(VIDEO, n * 40, body)
        await it.arrive()
        player = await it.play(where)
        got = [m.payload for m in await take(player, body) if m.type_id == VIDEO and m.payload != VIDEO_HEADER_BODY]
        assert len(got) == 3 * 11
        assert all(body[0] in (0x17, 0x96) for body in got[:3]), got[:3]


@WHERE
@pytest.mark.parametrize("off_s", [20, 120])
async def test_newcomer_hears_what_is_live_when_the_camera_has_been_switched_off(where: str, off_s: int) -> None:
    async with show() as it:
        it.headers()
        for n in range(50):
            it.send(VIDEO, n * 40, video(n, is_keyframe=n % 25 == 0))
            it.send(AUDIO, n * 40, audio(n))
        for n in range(100, 100 + off_s * 50):
            it.send(AUDIO, n * 20, audio(n))
            if n % 500 == 0:
                await it.arrive()
        await it.arrive()
        player = await it.play(where)
        it.send(AUDIO, n * 20 + 20, audio(n + 1))
        got = await take(player, audio(n + 1))
        assert 1 <= len([m for m in got if m.type_id == AUDIO and m.payload != AUDIO_HEADER_BODY]) <= 2
        assert [m.payload for m in got if m.type_id == VIDEO] == [VIDEO_HEADER_BODY]
        it.send(VIDEO, n * 20 + 20, video(99, is_keyframe=True))
        assert (await take(player, video(99, is_keyframe=True)))[-1].timestamp <= 40


@WHERE
async def test_newcomer_to_slides_sees_the_present_one(where: str) -> None:
    async with show() as it:
        it.headers()
        for n in range(2 * 700):
            if n % 700 == 0:
                it.send(VIDEO, n * 20, video(n, is_keyframe=True))
            it.send(AUDIO, n * 20, audio(n))
        await it.arrive()
        for _ in range(2):
            player = await it.play(where)
            got = await take(player, video(700, is_keyframe=True))
            assert [m.payload for m in got if m.type_id == VIDEO] == [VIDEO_HEADER_BODY, got[-1].payload]
            n += 1
            it.send(AUDIO, n * 20, audio(n))
            sounds = [m for m in await take(player, audio(n)) if m.payload != AUDIO_HEADER_BODY]
            assert len(sounds) <= 2 and sounds[-1].timestamp <= 20
            assert got[-1].timestamp == 0
        assert it.at["edge"].registry.find(StreamKey("_", "live", "s")) is None or where == "edge"


@pytest.mark.parametrize(
    ("factor", "step_ms"), [(44.1 / 48, 400), (0.0, 40), (2.0, 40)], ids=["44.1 kHz as 48", "frozen", "double"]
)
async def test_sound_on_a_wrong_clock_costs_nobody_the_picture(factor: float, step_ms: int) -> None:
    async with show(log_retain_ms=8000, queue_length_s=8) as it:
        it.headers()
        players = [await it.play("origin"), await it.play("edge"), await it.play("edge")]
        players[2].peer.send_command(0, "createStream", 99.0, None)  # two plays: served another way
        players[2].peer.send_command(2, "play", 0.0, None, "other")
        for n in range(1000):
            it.send(AUDIO, int(n * step_ms * factor), audio(n))
            it.send(VIDEO, n * step_ms, video(n, is_keyframe=n % 50 == 0))
            if n % 10 == 5:
                await it.arrive(*["edge"] * (n > 5))
                await asyncio.sleep(0)
            if n == 980:
                players += [await it.play("origin"), await it.play("edge")]
        for number, player in enumerate(players):
            got = await take(player, video(999))
            for type_id, first in ((VIDEO, 5), (AUDIO, 2)):
                numbers = [int(m.payload[first : first + 8]) for m in got if m.type_id == type_id and m.payload[1]]
                assert numbers == list(range(numbers[0], 1000))
                assert numbers[0] <= 5 or (number > 2 and numbers[0] in (950, 951))
                times = [m.timestamp for m in got if m.type_id == type_id]
                assert times == sorted(times)
        assert it.jumps() == 0


@WHERE
async def test_newcomer_late_in_a_long_group_gets_all_of_it(where: str) -> None:
    """Keyframes 50 s apart; the newcomer's line takes a while for what has gone by."""
    async with show() as it:
        it.headers()
        for n in range(210):
            it.send(VIDEO, n * 200, video(n, is_keyframe=n % 250 == 0, size=20_000))
            it.send(AUDIO, n * 200, audio(n))
        await it.arrive()
        client, name = await RtmpClient.open(f"rtmp://127.0.0.1:{it.at[where].port}/live/s", receive_buffer=4096)
        it.nodes.clients.append(client)
        client.play(name)
        for n in range(210, 230):
            it.send(VIDEO, n * 200, video(n, size=20_000))
            await it.arrive()
            await asyncio.sleep(0.02)
        got = await take(client, video(229, size=20_000))
        assert [int(m.payload[5:13]) for m in got if m.type_id == VIDEO and m.payload[1]] == list(range(230))
        assert it.jumps() == 0


@WHERE
async def test_cue_points_keep_their_time_beside_pictures(where: str) -> None:
    async with show() as it:
        it.send(VIDEO, 0, VIDEO_HEADER_BODY)
        it.send(VIDEO, 5000, video(0, is_keyframe=True))
        await it.arrive()
        player = await it.play(where)
        await take(player, video(0, is_keyframe=True))
        for n in range(1, 6):
            it.send(VIDEO, 5000 + n * 1000, video(n))
            it.send(DATA, 5600 + n * 1000, encode_amf("onCuePoint", {"n": float(n)}))
        got = await take(player, encode_amf("onCuePoint", {"n": 5.0}))
        assert [m.timestamp for m in got if m.type_id == DATA] == [m.timestamp + 600 for m in got if m.type_id == VIDEO]


@WHERE
async def test_stream_of_data_alone_keeps_its_time(where: str) -> None:
    async with show() as it:
        it.send(DATA, 10_000, encode_amf("onTextData", {"n": 0.0}))
        await it.arrive()
        player = await it.play(where)
        await take(player, encode_amf("onTextData", {"n": 0.0}))
        for n in range(1, 20):
            it.send(DATA, 10_000 + n * 500, encode_amf("onTextData", {"n": float(n)}))
        got = await take(player, encode_amf("onTextData", {"n": 19.0}))
        texts = [m for m in got if decode_amf(m.payload)[0] == "onTextData"]
        assert [m.timestamp - texts[0].timestamp for m in texts] == [n * 500 for n in range(len(texts))]
        assert len(texts) == 19
