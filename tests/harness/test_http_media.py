"""The readers of HTTP media are judged first, against a server that gives out what the test says."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from edge.errors import RemoteProtocolError
from edge.media.frame import AUDIO, VIDEO
from edge.media.mpegts import AUDIO_PID, VIDEO_PID
from tests.harness.accounting import AAC_SEQUENCE_HEADER, AVC_SEQUENCE_HEADER, encode_frame
from tests.harness.accounting import Frame as Numbered
from tests.harness.clock import deadline
from tests.harness.flv_file import frame_of
from tests.harness.http_media import FlvReader, TsReader, WsFlvReader, reader_of
from tests.harness.raw_http import RawHttp, parse_answer, raw_request, request_head, upgrade_lines
from tests.harness.stand_in import StandIn
from tests.harness.synth import Script
from tests.naming.certificates import Authority

_COUNT = 60
_SPEED = 10.0


def frames(count: int = _COUNT, video_bytes: int = 1200) -> list[Any]:
    """Numbered pictures and sound, behind their headers; a keyframe with every fifth picture."""
    found = [frame_of(VIDEO, 0, AVC_SEQUENCE_HEADER), frame_of(AUDIO, 0, AAC_SEQUENCE_HEADER)]
    for number, (at_ms, is_video, is_keyframe) in zip(range(count), Script(gop=5).frames(), strict=False):
        size = video_bytes if is_video else 160
        body = encode_frame(Numbered(1, 1, number, 0.0, size, is_video, is_keyframe))
        found.append(frame_of(VIDEO if is_video else AUDIO, at_ms, body))
    return found


@pytest.fixture
async def served() -> AsyncIterator[StandIn]:
    async with StandIn(frames(), speed=_SPEED) as server:
        yield server


@pytest.mark.parametrize(("scheme", "status"), [("http", 200), ("ws", 101)])
async def test_flv_is_read_to_its_end(scheme: str, status: int, served: StandIn, tmp_path: Path) -> None:
    async with reader_of(served.url("flv", scheme=scheme)) as reader:
        assert reader.status == status
        await reader.wait_frames(10, 2)
        await reader.wait_more_frames(5, 2)
        await reader.wait_end(5)
        reader.assert_ended_well()
    reader.account.assert_complete()
    assert reader.names_tracks == (True, True) and reader.account.frame_count == _COUNT
    assert [kind for kind, _ in reader.events[:3]] == ["video_header", "audio_header", "keyframe"]
    assert reader.timeline_ms() == sorted(reader.timeline_ms()) and reader.timeline_ms(VIDEO)[:3] == [0, 40, 80]
    assert reader.keyframe_count == sum(1 for kind, _ in reader.events if kind == "keyframe") > 3
    assert reader.save(tmp_path / "x.flv").read_bytes()[:4] == b"FLV\x01"
    assert isinstance(reader, WsFlvReader) == (scheme == "ws")
    if isinstance(reader, WsFlvReader):
        assert reader.close_code == 1000 and reader.cut_message_count == 0
        assert sum(reader.message_sizes) == len(reader.data)


async def test_ts_is_read_to_its_end(served: StandIn) -> None:
    async with reader_of(served.url("ts")) as reader:
        assert isinstance(reader, TsReader) and reader.headers["Content-Type"] == "video/mp2t"
        await reader.wait_pes(VIDEO_PID, 3, 2)
        await reader.wait_end(5)
        reader.assert_ended_well()
    assert len(reader.of(VIDEO_PID)) + len(reader.of(AUDIO_PID)) == _COUNT
    assert reader.keyframe_count > 3 and len(reader.items) * 188 == len(reader.data)


async def test_items_come_one_by_one_while_the_stream_goes_on(served: StandIn) -> None:
    served.is_endless = True
    async with FlvReader(served.url("flv")) as reader:
        seen = []
        async with asyncio.timeout(deadline(5)):
            async for tag in reader:
                seen.append(tag.timestamp_ms)
                if len(seen) == _COUNT + 2:
                    break
        reader.assert_alive()
        assert seen == [frame.dts_ms for frame in reader.frames]


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_refusal_is_no_media(scheme: str, served: StandIn) -> None:
    async with reader_of(served.url("flv", scheme=scheme).replace("/x.", "/unknown.")) as reader:
        assert reader.status == 404 and reader.has_ended
        with pytest.raises(AssertionError, match="ended before 1 items: 404"):
            await reader.wait_items(1, 1)
    assert scheme == "ws" or b"404" in reader.refusal


def cut_last(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    at, data = pieces[-1]
    return [*pieces[:-1], (at, data[:-5])]


def lose_packet(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [(at, data[188:] if number == 20 else data) for number, (at, data) in enumerate(pieces)]


def flip(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Change a byte in the middle of a body."""
    at, data = pieces[20]
    half = len(data) // 2
    return [*pieces[:20], (at, data[:half] + bytes((data[half] ^ 1,)) + data[half + 1 :]), *pieces[21:]]


def disorder(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [(at, data[1:] if number == 20 else data) for number, (at, data) in enumerate(pieces)]


@pytest.mark.parametrize(
    ("ending", "scheme", "harm", "complaint"),
    [
        ("flv", "http", cut_last, "behind the last whole tag"),
        ("flv", "ws", cut_last, "behind the last whole tag"),
        ("flv", "http", flip, "a changed frame"),
        ("flv", "http", disorder, "FLV tag"),
        ("ts", "http", lose_packet, "counter|names it|PES"),
        ("ts", "http", disorder, "begins with"),
        ("ts", "http", cut_last, "after the last packet"),
    ],
)
async def test_bad_media_are_an_error(
    ending: str, scheme: str, harm: Callable[[Any], Any], complaint: str, served: StandIn
) -> None:
    served.harm = harm
    async with reader_of(served.url(ending, scheme=scheme)) as reader:
        await reader.wait_end(5)
        with pytest.raises(AssertionError, match=complaint):
            reader.assert_ended_well()
        with pytest.raises((AssertionError, RemoteProtocolError), match=complaint):
            async for _ in reader:
                pass


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_slow_reader_lets_the_server_wait(scheme: str) -> None:
    """What it has not read stands in the sender's buffers: far less arrives than was offered."""
    async with (
        StandIn(frames(400, video_bytes=60000), speed=1000.0) as server,
        reader_of(server.url("flv", scheme=scheme), read_bps=2_000_000) as reader,
    ):
        await reader.wait_items(6, 5)
        assert len(reader.data) < 2_000_000, "of 12 MB"
        reader.assert_alive()


async def test_reader_that_pauses_goes_on_where_it_was(served: StandIn) -> None:
    async with FlvReader(served.url("flv")) as reader:
        await reader.wait_frames(5, 3)
        reader.is_reading.clear()
        async with FlvReader(served.url("flv")) as other:
            await other.wait_end(5)
        assert len(reader.deliveries) < _COUNT
        reader.is_reading.set()
        await reader.wait_end(5)
    reader.account.assert_complete()


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_tls_with_and_without_a_check(scheme: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.sign("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    trusting = ssl.create_default_context(cafile=authority.ca_file)
    async with StandIn(frames(), speed=_SPEED, tls=context) as server:
        url = server.url("flv", scheme=scheme)
        for tls in (False, trusting):
            async with reader_of(url, tls=tls) as reader:
                await reader.wait_frames(10, 3)
        with pytest.raises(OSError, match="certificate"):
            await reader_of(url, tls=ssl.create_default_context()).start()
        async with await RawHttp.open(url) as connection:
            await connection.send(request_head(url))
            await connection.read(deadline(2), until_bytes=1000)
            answer = connection.answer
        assert answer.status == 200 and b"FLV\x01" in answer.body


# --- by hand -------------------------------------------------------------------


async def test_raw_request_shows_head_body_and_end(served: StandIn) -> None:
    url = served.url("flv")
    answer = await raw_request(url, request_head(url, "Connection: close"), deadline(3))
    assert (answer.status, answer.reason, answer.end) == (200, "OK", "fin")
    assert answer.headers["content-type"] == "video/x-flv" and b"FLV\x01\x05" in answer.body
    bad = await raw_request(url, b"\x00\x01 nonsense\r\n\r\n", deadline(3))
    assert bad.status == 400
    head = request_head(url, *upgrade_lines())
    async with await RawHttp.open(url, receive_buffer=4096) as connection:
        await connection.send(head)
        assert (await connection.read_head()).status == 101
        await connection.read(deadline(3), until_bytes=1000)
        assert b"FLV\x01" in connection.data and connection.end == "open"


async def test_raw_request_tells_reset_and_silence_from_fin() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        word = await reader.readexactly(4)
        if word == b"wait":
            await reader.read()
        if word == b"left":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        assert (await raw_request(url, b"wait", 0.1)).end == "open"
        assert (await raw_request(url, b"over", deadline(3))).end == "fin"
        assert (await raw_request(url, b"left", deadline(3))).end == "reset"


def test_answer_is_cut_into_its_parts() -> None:
    answer = parse_answer(b"HTTP/1.1 404 Not Found\r\nVia: a\r\nvia: b\r\n\r\nno\r\n\r\n")
    assert (answer.status, answer.reason, answer.headers, answer.body) == (
        *(404, "Not Found", {"via": "a, b"}),
        b"no\r\n\r\n",
    )
    assert parse_answer(b"FLV\x01\r\n\r\n").status == 0
