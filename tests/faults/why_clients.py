"""Faults of players, of connections, and of nodes that cannot be asked."""

from __future__ import annotations

import asyncio
import itertools

from tests.faults.why_rows import fault
from tests.harness.chain import Chain
from tests.harness.client import RtmpClient
from tests.harness.wire import VIDEO
from tests.net.fakes import video
from tests.net.live import send

_HERE = "127.0.0.1"


async def hears(chain: Chain, path: str) -> bytes:
    """The beginning of an answer over HTTP."""
    reader, writer = await asyncio.open_connection(_HERE, chain.port("far"))
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        return await reader.read(1000)
    finally:
        writer.transport.abort()


async def pictures(client: RtmpClient, *, size: int = 20, speed: float = 1.0, first: bytes = b"\x27") -> None:
    """Pictures without end, the first of 25 a keyframe, stamped with the time that has passed.

    ``speed``: so much faster; ``first``: the byte of the others that names the codec.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in itertools.count(3):
        body = video(number, is_keyframe=False, size=size)[1:]
        head = bytes((first[0] & 0x0F | 0x10,)) if number % 25 == 3 else first
        send(client, VIDEO, 120 + int(1000 * speed * (loop.time() - began)), head + body)
        await asyncio.sleep(0.04 / speed)


async def says(chain: Chain, data: bytes) -> None:
    """A client that says this and waits."""
    reader, writer = await asyncio.open_connection(_HERE, chain.port("far"))
    try:
        writer.write(data)
        await asyncio.wait_for(reader.read(1), 2)
    except (TimeoutError, OSError):
        pass
    finally:
        writer.transport.abort()


# --- players ------------------------------------------------------------------------------


@fault("left frames out", far="-queue_length_s=1")
async def slow_reader_jumps(chain: Chain) -> None:
    client = await chain.publisher()
    await chain.player(receive_buffer=4096)
    chain.keep(pictures(client, size=20_000, speed=4))


@fault("took too little", far=("-send_timeout_ms=500", "-queue_length_s=600"))
async def slow_reader_is_closed(chain: Chain) -> None:
    client = await chain.publisher()
    await chain.player(receive_buffer=4096)
    chain.keep(pictures(client, size=20_000, speed=4))


@fault("a player got nothing", far="-pull_nodata_timeout_ms=300")
async def viewer_by_http_gives_up(chain: Chain) -> None:
    await chain.publisher(pictures=0, has_headers=False)
    assert b"HTTP/1.1 200" not in await hears(chain, "/live/cam.flv")


@fault("TS has no place for H263")
async def container_without_a_place_for_the_codec(chain: Chain) -> None:
    client = await chain.publisher(pictures=0, has_headers=False)
    chain.keep(pictures(client, first=b"\x22"))
    await chain.player()
    await chain.runs()
    assert b"415" in await hears(chain, "/live/cam.ts")


# --- connections --------------------------------------------------------------------------


@fault("protocol", address=_HERE)
async def client_speaks_nothing_known(chain: Chain) -> None:
    await says(chain, b"\x01\x02\x03\x04 what is this \x00\x00" * 10)


@fault("detect_timeout", address=_HERE, far="-protocol_detect_timeout_ms=200")
async def client_says_nothing(chain: Chain) -> None:
    await says(chain, b"")


@fault("handshake_timeout", address=_HERE, far="-handshake_timeout_ms=200")
async def client_stops_in_the_handshake(chain: Chain) -> None:
    await says(chain, b"\x03" + bytes(1000))


@fault("setup_timeout", address=_HERE, far=("-rtmp_setup_timeout_ms=300", "-handshake_timeout_ms=300"))
async def client_asks_for_nothing(chain: Chain) -> None:
    await chain.client("far")


@fault("connect_twice", address=_HERE)
async def client_breaks_the_protocol(chain: Chain) -> None:
    client = await chain.client("far")
    client.peer.send_command(0, "connect", 1, {"app": "live"})


@fault("max_connections_per_ip", address=_HERE, far=("-max_connections_per_ip=1", "-internal_port=0"))
async def too_many_connections(chain: Chain) -> None:
    await chain.client("far")
    for _ in range(3):
        await says(chain, b"\x03")


@fault("the name was refused", address=_HERE)
async def client_asks_for_a_bad_name(chain: Chain) -> None:
    await hears(chain, "/live/a%5Cb.flv")
