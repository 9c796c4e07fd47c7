"""An upstream with bad manners."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.harness.client import RtmpClient
from tests.harness.clock import deadline, wait_until
from tests.harness.player import SynthPlayer
from tests.harness.server import EdgeServer
from tests.harness.sink import SinkServer
from tests.harness.synth import SynthPublisher
from tests.harness.wire import COMMAND, RtmpPeer, WireError, decode_amf

_NOT_FOUND = "NetStream.Play.StreamNotFound"
_GIVES_UP = ("-nopull_wait_for_stream", "-max_retry_duration_ms=2000")

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class FakeUpstream:
    """Listens and follows a script for each connection.

    Attributes:
        accepted: monotonic seconds at which each connection came.
        c1: what each sent as C1, once it has come whole.
        open_count: connections that stand now.
    """

    def __init__(self, script: Script) -> None:
        self.accepted: list[float] = []
        self.c1: list[bytes] = []
        self.open_count = 0
        self.port = 0
        self._script = script

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted.append(asyncio.get_running_loop().time())
        self.open_count += 1
        try:
            self.c1.append((await reader.readexactly(1537))[1:])
            await self._script(reader, writer)
            while await reader.read(65536):
                pass
        except (OSError, asyncio.IncompleteReadError, WireError):
            pass
        finally:
            self.open_count -= 1
            writer.transport.abort()


@asynccontextmanager
async def upstream(script: Script) -> AsyncIterator[FakeUpstream]:
    fake = FakeUpstream(script)
    server = await asyncio.start_server(fake._serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        await wait_until(lambda: not fake.open_count, deadline(5), "the edge's connections to go")


@asynccontextmanager
async def edge(port: int, *flags: str) -> AsyncIterator[EdgeServer]:
    server = EdgeServer(f"-proxy_to=127.0.0.1:{port}", *flags)
    await asyncio.to_thread(server.__enter__)
    try:
        yield server
    except BaseException as error:
        await asyncio.to_thread(server.__exit__, type(error))
        raise
    await asyncio.to_thread(server.__exit__, None)


async def wrong_version(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x06" + os.urandom(3072))


async def half_a_handshake(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x03" + bytes(1536))


async def s1_for_ever(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for _ in range(200):
        writer.write(b"\x03" + bytes(1536))
        await writer.drain()
        await asyncio.sleep(0.01)


def reset_after(count: int) -> Script:
    async def script(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((b"\x03" + bytes(3072))[:count])
        await asyncio.sleep(0.01)
        writer.transport.abort()

    return script


_SCRIPTS = {
    "s0-is-6": wrong_version,
    "only-s0-s1": half_a_handshake,
    "s1-for-ever": s1_for_ever,
    **{f"reset-after-{count}": reset_after(count) for count in (0, 1, 9, 1536, 1537, 3072)},
}


@pytest.mark.parametrize("name", _SCRIPTS)
async def test_HS7_bad_answers_fail_in_time_and_obey_the_retry_policy(name: str) -> None:
    flags = ("-timeout_ms=300", "-fast_retry_count=1", "-retry_interval_ms=300", "-max_retry_duration_ms=1000")
    async with upstream(_SCRIPTS[name]) as fake, edge(fake.port, "-nopull_wait_for_stream", *flags) as server:
        async with SynthPlayer(server.rtmp_url("live", "absent")) as player:
            await player.wait_status(_NOT_FOUND, 2.0)
            await player.wait_end(0.5)
        # The first, one fast retry, and no more since none was ever useful.
        assert len(fake.accepted) == 2, fake.accepted
        counters = await asyncio.to_thread(server.counters)
        assert counters["error_internal_count"] == 0


async def test_HS7_refused_complex_form_is_tried_again_in_the_simple_one() -> None:
    async with upstream(reset_after(0)) as fake:
        flags = ("-nortmp_client_use_simple_handshake", "-timeout_ms=300", "-fast_retry_count=1", *_GIVES_UP)
        async with edge(fake.port, *flags) as server, SynthPlayer(server.rtmp_url("live", "absent")) as player:
            await player.wait_status(_NOT_FOUND, 4.0)
        forms = ["simple" if c1[4:8] == bytes(4) else "complex" for c1 in fake.c1]
        assert forms[:2] == ["complex", "simple"], forms


async def test_M18_query_is_forwarded_once_and_verbatim() -> None:
    async with SinkServer() as sink, edge(sink.port) as server:
        url = server.rtmp_url("live", "s?token=a%20b&app=other&x=1&only-audio=1")
        async with SynthPublisher(url):
            await wait_until(lambda: sink.publications, deadline(3), "the push")
        name, _, query = sink.publications[0].name.partition("?")
        assert name == "s"
        assert query.split("&") == ["token=a%20b", "x=1", "only-audio=1"], query


async def test_M18_both_only_flags_are_neither() -> None:
    async with SinkServer() as sink, edge(sink.port) as server, SynthPublisher(server.rtmp_url("live", "both")):
        url = server.rtmp_url("live", "both.pubproxy?only-audio=1&only-video=1")
        async with SynthPlayer(url) as player:
            await player.wait_frames(20, 3)
            assert {"audio", "keyframe"} <= {kind for kind, _ in player.events}


async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Accept and never say a word."""


async def test_M19_flood_of_absent_names_makes_few_pulls() -> None:
    flags = ("-max_pulls=20", "-timeout_ms=500", "-pull_wait_for_stream")
    async with upstream(silent) as fake, edge(fake.port, *flags) as server:
        players = [SynthPlayer(server.rtmp_url("live", f"absent{number}")) for number in range(150)]
        await asyncio.gather(*(player.start() for player in players))
        await wait_until(lambda: sum(_NOT_FOUND in each.statuses for each in players) >= 130, deadline(3), "refusals")
        info = next(each.status_infos[-1] for each in players if _NOT_FOUND in each.statuses)
        assert "pulls" in str(info["description"]), info
        streams = await asyncio.to_thread(server.streams)
        assert len(streams) <= 20, "a stream was kept for a refused name"
        for player in players:
            await player.stop()


async def refuse_publishes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An upstream that grants everything but the publish."""
    peer = RtmpPeer(reader, writer)
    writer.write(b"\x03" + bytes(3072))
    await reader.readexactly(1536)
    while True:
        message = await peer.read_message()
        if message.type_id != COMMAND:
            continue
        name, transaction, *_ = decode_amf(message.payload)
        if name == "connect":
            info = {"level": "status", "code": "NetConnection.Connect.Success", "description": ""}
            peer.send_command(0, "_result", transaction, {"fmsVer": "x"}, info)
            # Answers that nobody asked for change nothing.
            peer.send_command(0, "_result", 4242, None, 9)
            peer.send_command(0, "_error", 4243, None, {"level": "error", "code": "x"})
        elif name == "createStream":
            peer.send_command(0, "_result", transaction, None, 1)
        elif name == "publish":
            info = {"level": "error", "code": "NetStream.Publish.BadName", "description": "no"}
            peer.send_command(message.message_stream_id, "onStatus", 0, None, info)


async def test_M13_M20_publisher_refused_upstream_is_told() -> None:
    async with upstream(refuse_publishes) as fake, edge(fake.port, *_GIVES_UP) as server:
        client, name = await RtmpClient.open(server.rtmp_url("live", "unwanted"))
        client.publish(name)
        infos = []
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            async with asyncio.timeout(deadline(6)):
                while True:
                    message = await client.next_message()
                    if message.type_id == COMMAND and decode_amf(message.payload)[0] == "onStatus":
                        infos.append(decode_amf(message.payload)[3])
        await client.peer.close()
        assert infos[-1]["code"] == "NetStream.Publish.BadName", infos
        assert "upstream" in str(infos[-1]["description"]).lower(), infos[-1]
        assert fake.accepted


async def test_Q9_player_that_leaves_early_ends_the_attempt() -> None:
    async with upstream(silent) as fake, edge(fake.port, "-timeout_ms=5000") as server:
        async with SynthPlayer(server.rtmp_url("live", "never")):
            await wait_until(lambda: fake.open_count, deadline(1), "the attempt")
        await wait_until(lambda: not fake.open_count, deadline(1), "the attempt to be cancelled")
        assert await asyncio.to_thread(server.streams) == []


async def test_Q9_player_that_stays_is_told() -> None:
    async with upstream(silent) as fake, edge(fake.port, "-timeout_ms=300", *_GIVES_UP) as server:
        async with SynthPlayer(server.rtmp_url("live", "never")) as player:
            await player.wait_status(_NOT_FOUND, 4.0)
            await player.wait_end(0.5)
        assert fake.accepted


async def test_Q9_by_default_the_player_waits() -> None:
    flags = ("-timeout_ms=200", "-retry_interval_ms=300")
    async with upstream(reset_after(0)) as fake, edge(fake.port, *flags) as server:
        async with SynthPlayer(server.rtmp_url("live", "never")) as player:
            await wait_until(lambda: len(fake.accepted) >= 5, deadline(4), "retries beyond the fast ones")
            player.assert_alive()
        await wait_until(lambda: not fake.open_count, deadline(1), "the last attempt to end")
