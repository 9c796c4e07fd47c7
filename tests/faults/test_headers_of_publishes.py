"""A newcomer gets the headers of what is published now, at the origin and through an edge: no codec that is over."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.client import RtmpClient
from tests.harness.clock import deadline, wait_until
from tests.harness.server import Chain, EdgeServer
from tests.harness.wire import AUDIO, VIDEO, Message

pytestmark = pytest.mark.faults

AVC, AAC = b"\x17\x00\0\0\0avc-header", b"\xaf\x00aac-header"
KEYFRAME, PICTURE, SOUND = b"\x17\x01\0\0\0key", b"\x27\x01\0\0\0picture", b"\xaf\x01sound"
G711, H263, H263_PICTURE = b"\x82" + bytes(160), b"\x12" + bytes(60), b"\x22" + bytes(60)


class Encoder:
    """Publishes message by message."""

    def __init__(self, client: RtmpClient) -> None:
        self.client = client
        self.count = 0

    @classmethod
    async def publish(cls, server: EdgeServer) -> Encoder:
        client, name = await RtmpClient.open(server.rtmp_url("live", "cam"))
        client.publish(name)
        return cls(client)

    async def send(self, *bodies: bytes) -> None:
        for body in bodies:
            self.count += 1
            is_sound = body[0] >> 4 in (8, 10)
            self.client.peer.send(
                4 if is_sound else 6,
                AUDIO if is_sound else VIDEO,
                self.client.message_stream_id,
                self.count * 20,
                body,
            )
        await self.client.peer.drain()

    async def leave(self) -> None:
        self.client.delete_stream("cam")
        await self.client.peer.drain()
        await self.client.peer.close()


async def media_of_a_newcomer(server: EdgeServer, wanted: bytes) -> list[bytes]:
    """What a new player is given up to the first message that begins with ``wanted``."""
    client, name = await RtmpClient.open(server.rtmp_url("live", "cam"))
    try:
        client.play(name)
        bodies: list[bytes] = []
        async with asyncio.timeout(deadline(5)):
            while not (bodies and bodies[-1].startswith(wanted)):
                message: Message = await client.next_message()
                if message.type_id in (AUDIO, VIDEO):
                    bodies.append(message.payload)
        return bodies
    finally:
        client.peer.abort()


async def settled(chain: Chain, encoder: Encoder) -> None:
    """All that has been published is at each node."""
    origin, edge = chain.origin, chain.far_edge

    def is_there() -> bool:
        rows = [[row for row in node.streams() if row["stream"] == "cam"] for node in (origin, edge)]
        places = [(row[0]["epoch"], row[0]["next_index"]) for row in rows if row]
        return len(places) == 2 and places[0] == places[1]

    await asyncio.sleep(0.3)
    await wait_until(is_there, deadline(5), "the same frames at origin and edge")


async def test_codec_that_has_no_header_comes_without_the_one_of_the_codec_before() -> None:
    """Sound from AAC to G.711 in mid-stream, then the picture from H.264 to H.263, and both back."""
    with Chain("-log_retain_ms=10000", depth=2) as chain:
        encoder = await Encoder.publish(chain.origin)
        await encoder.send(AVC, AAC, KEYFRAME, SOUND, PICTURE, SOUND)
        assert await media_of_a_newcomer(chain.far_edge, SOUND) == [AVC, AAC, KEYFRAME, SOUND]
        stays, name = await RtmpClient.open(chain.far_edge.rtmp_url("live", "cam"))
        stays.play(name)
        await encoder.send(G711, KEYFRAME, G711, PICTURE, G711)
        await settled(chain, encoder)
        for node in (chain.origin, chain.far_edge):
            assert await media_of_a_newcomer(node, G711) == [AVC, KEYFRAME, G711]
        await encoder.send(H263, G711, H263_PICTURE)
        await settled(chain, encoder)
        for node in (chain.origin, chain.far_edge):
            assert await media_of_a_newcomer(node, H263_PICTURE) == [H263, G711, H263_PICTURE]
        await encoder.send(SOUND, KEYFRAME, SOUND, PICTURE)
        await settled(chain, encoder)
        for node in (chain.origin, chain.far_edge):
            assert await media_of_a_newcomer(node, PICTURE) == [AVC, AAC, KEYFRAME, SOUND, PICTURE]
        stays.peer.abort()
        await encoder.leave()


async def test_publish_of_sound_alone_in_the_grace_comes_without_the_picture_before() -> None:
    with Chain("-publisher_grace_ms=20000", depth=2) as chain:
        first = await Encoder.publish(chain.origin)
        await first.send(AVC, AAC, KEYFRAME, SOUND, PICTURE, SOUND)
        stays, name = await RtmpClient.open(chain.far_edge.rtmp_url("live", "cam"))
        stays.play(name)
        await settled(chain, first)
        await first.leave()
        await asyncio.sleep(0.3)
        second = await Encoder.publish(chain.origin)
        await second.send(AAC + b"2", *[SOUND] * 3)
        await settled(chain, second)
        for node in (chain.origin, chain.far_edge):
            assert await media_of_a_newcomer(node, SOUND) == [AAC + b"2", SOUND]
        await second.send(AVC, KEYFRAME, SOUND)
        await settled(chain, second)
        for node in (chain.origin, chain.far_edge):
            assert await media_of_a_newcomer(node, SOUND) == [AVC, AAC + b"2", KEYFRAME, SOUND]
        stays.peer.abort()
        await second.leave()
