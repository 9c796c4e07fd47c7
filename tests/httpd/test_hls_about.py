"""What a master playlist says of a stream."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.clock import deadline, wait_until
from tests.harness.wire import AUDIO, VIDEO
from tests.httpd.feeding import AAC_HEADER, H264_HEADER, SPEEX_SOUND, Source, picture
from tests.httpd.hls_asking import SCHEMES, ask, asking
from tests.media.codecs.records import HEVC_MAIN
from tests.net.live import send
from tests.runtime.nodes import RunningNode, running

MP3_SOUND = b"\x2f\xff\xfb\x90\x00" + bytes(413)
ENTRIES = [entry for entry, _, _ in SCHEMES.values()]


async def said(node: RunningNode, entry: str) -> dict[str, str]:
    """The attributes of the one variant, or the status of a refusal."""
    answer = await ask(node, entry)
    if answer.status != 200:
        return {"status": str(answer.status), "why": answer.body.decode()}
    line = next(line for line in answer.body.decode().splitlines() if line.startswith("#EXT-X-STREAM-INF:"))
    found, text = {}, line.partition(":")[2]
    while text:
        name, _, text = text.partition("=")
        if text.startswith('"'):
            value, _, text = text[1:].partition('"')
            text = text.removeprefix(",")
        else:
            value, _, text = text.partition(",")
        found[name] = value
    return found


async def published(node: RunningNode, *bodies: tuple[int, bytes]) -> None:
    """Headers, then a second of the last picture and the last sound among them."""
    client = await node.client()
    source = Source(client, "s", has_audio=False, has_video=False)
    client.publish("s")
    from tests.net.live import status

    await status(client, "NetStream.Publish.Start")
    for number in range(40):
        for type_id, body in bodies if number == 0 else bodies[-2:]:
            send(client, type_id, number * 40, body)
    (stream,) = node.node.units[0].registry.streams.values()
    await wait_until(lambda: stream.timeline.last_dts_ms >= 39 * 40, deadline(3), "the frames")
    assert source


H264 = (VIDEO, H264_HEADER), (VIDEO, picture(is_keyframe=True))
AAC = (AUDIO, AAC_HEADER), (AUDIO, b"\xaf\x01" + bytes(20))
HEVC = (
    (VIDEO, b"\x90hvc1" + HEVC_MAIN),
    (VIDEO, b"\x93hvc1" + (202).to_bytes(4, "big") + b"\x26\x01" + bytes(200)),
)


@pytest.mark.parametrize("entry", ENTRIES)
async def test_pictures_and_sound(entry: str) -> None:
    async with running() as node:
        await published(node, H264[0], AAC[0], H264[1], AAC[1])
        found = await said(node, entry)
        assert (found["CODECS"], found["RESOLUTION"]) == ("avc1.42c01f,mp4a.40.2", "1280x720")
        assert int(found["BANDWIDTH"]) > 0


@pytest.mark.parametrize("entry", ENTRIES)
async def test_one_medium_alone(entry: str) -> None:
    for bodies, codecs in ((H264, "avc1.42c01f"), (AAC, "mp4a.40.2")):
        async with running() as node:
            await published(node, *bodies)
            found = await said(node, entry)
            assert found["CODECS"] == codecs and ("RESOLUTION" in found) is (bodies is H264)


async def test_mp3_is_named_too() -> None:
    """Players that are told of pictures alone make no place for the sound."""
    async with running() as node:
        await published(node, H264[0], H264[1], (AUDIO, MP3_SOUND))
        for entry in ENTRIES[:2]:
            assert (await said(node, entry))["CODECS"] == "avc1.42c01f,mp4a.40.34"


async def test_codec_without_a_place_in_the_container() -> None:
    async with running() as node:
        await published(node, H264[0], H264[1], (AUDIO, MP3_SOUND))
        found = await said(node, ".ll.m3u8")
        assert found["status"] == "415" and "MP3" in found["why"]
    async with running() as node:
        await published(node, H264[0], H264[1], (AUDIO, SPEEX_SOUND))
        for entry in ENTRIES:
            found = await said(node, entry)
            assert found["status"] == "415" and "Speex" in found["why"], found
            assert (await said(node, f"{entry}?only-video=1"))["CODECS"] == "avc1.42c01f"


async def test_hevc_has_its_place_in_both() -> None:
    async with running() as node:
        await published(node, HEVC[0], AAC[0], HEVC[1], AAC[1])
        for entry in ENTRIES:
            found = await said(node, entry)
            assert found["CODECS"].startswith("hvc1.") and found["CODECS"].endswith(",mp4a.40.2")


async def test_bandwidth_is_that_of_the_largest_segment() -> None:
    async with running() as node:
        source = await Source.at(node)
        source.push(10)
        await asyncio.sleep(0.1)
        task = asking(node, ".classic.media.m3u8")
        (stream,) = node.node.units[0].registry.streams.values()
        await wait_until(lambda: len(stream.readers) > 1, deadline(3), "the segmenter")
        source.push(90)
        answer = await task
        segment = next(line for line in answer.body.decode().splitlines() if line.startswith("s."))
        size = len((await ask(node, f"/live/{segment}")).body)
        assert int((await said(node, ".classic.m3u8"))["BANDWIDTH"]) >= size * 8 / 2
